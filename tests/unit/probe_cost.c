/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe/cost.h"

static void a_hit_has_a_price(void **state)
{
	struct cost cost = { 0 };
	struct error err = { 0 };
	int r = cost_measure(SESSION_LINK_AUTO, &cost, &err);

	if (r == -EPERM || r == -EACCES) {
		assert_int_equal(err.exit_code, EXIT_NO_PERMISSION);
		skip();
	}
	assert_int_equal(r, 0);
	assert_true(cost.empty_ns > 20 && cost.empty_ns < 100000);
	assert_true(cost.alloc_ns > cost.empty_ns * 0.8);
	assert_true(cost.free_ns > cost.empty_ns * 0.8);
	assert_true(cost.alloc_ns < cost.empty_ns * 5);
	assert_true(cost.fresh_ns > cost.empty_ns); /* there and back */
	assert_true(cost.page_ns > cost.empty_ns * 0.8 && cost.page_ns < cost.empty_ns * 5);
	assert_true(cost.stepped_ns > cost.empty_ns * 2); /* an exception of its own */
	assert_true(cost.close_ns > 0);
	assert_true(cost.turn_ns >= 0 && cost.turn_ns < 1e6);
}

static void what_was_just_measured_stands(void **state)
{
	struct cost first = { 0 }, again = { 0 }, other = { 0 };
	struct error err = { 0 };

	if (cost_recall(SESSION_LINK_AUTO, &first, &err))
		skip();
	assert_int_equal(cost_recall(SESSION_LINK_AUTO, &again, &err), 0);
	assert_memory_equal(&first, &again, sizeof(first)); /* no two measurements agree */
	assert_int_equal(cost_recall(SESSION_LINK_PERF, &other, &err), 0);
	assert_int_equal(other.link, SESSION_LINK_PERF);
}

static void links_of_their_own_close_one_by_one(void **state)
{
	struct cost cost = { .link = SESSION_LINK_PERF, .close_ns = 100000000 };

	assert_int_equal(cost_exit_ns(&cost, 200), 20000000000);
	assert_true(cost_exit_ns(&cost, 0) > 0);
	cost.link = SESSION_LINK_MULTI;
	assert_true(cost_exit_ns(&cost, 200) < 10000000);
	assert_int_equal(cost_exit_ns(&cost, 1), cost_exit_ns(&cost, 200));
}

static void a_turn_costs_by_its_sites(void **state)
{
	struct cost cost = { .turn_ns = 1000 };

	assert_true(cost_turn_ns(&cost, 200) == 200 * cost_turn_ns(&cost, 1));
	assert_true(cost_turn_ns(&cost, 1) >= 1000);
}

/* On a kernel that ends it there the answer would be that; no answer is an error here. */
static void who_is_under_seccomp_is_asked_for(void **state)
{
	_cleanup_process_ struct process *proc = NULL;
	struct cost cost = { 0 };
	struct error err = { 0 };
	int go[2], r;
	pid_t pid;

	r = cost_measure(SESSION_LINK_AUTO, &cost, &err);
	if (r)
		skip();
	assert_int_equal(pipe(go), 0);
	pid = fork();
	if (!pid) {
		char byte = 0;

		prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
		(void)!write(go[1], &byte, 1);
		for (;;)
			(void)!read(go[0], &byte, 0);
	}
	assert_int_equal(read(go[0], &r, 1), 1);
	assert_int_equal(process_open(pid, &proc, &err), 0);
	r = cost_check_seccomp(proc, cost.link, &err);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_true(!r || r == -ENOTSUP);
	if (r)
		assert_non_null(strstr(err.text, "seccomp"));
}

static void a_plan_has_its_prices(void **state)
{
	struct site places[] = { { .role = SITE_OPENING, .emulated = true },
				 { .role = SITE_OPENING } };
	struct site block = { .role = SITE_BLOCK };
	struct plan plan = { .fresh = { .list = places }, .sites = { .list = &block, .count = 1 } };
	struct cost cost = { .alloc_ns = 600,
			     .free_ns = 800,
			     .page_ns = 700,
			     .fresh_ns = 1500,
			     .stepped_ns = 7000 };

	assert_float_equal(cost_hit_ns(&cost, &plan), 1050, 1);
	assert_float_equal(cost_opening_ns(&cost, &plan), 0, 1);
	block.role = SITE_PAGE;
	assert_float_equal(cost_hit_ns(&cost, &plan), 1125, 1);
	plan.fresh.count = 1;
	assert_float_equal(cost_opening_ns(&cost, &plan), 1050, 1);
	plan.fresh.count = 2; /* 3.8: one of them is single-stepped */
	assert_float_equal(cost_opening_ns(&cost, &plan), 10500, 1);
	places[1] = (struct site){ .role = SITE_FRESH };
	plan.fresh.count = 1;
	plan.fresh.list = &places[1];
	assert_float_equal(cost_opening_ns(&cost, &plan), 10500, 1);
	places[1].emulated = true;
	assert_float_equal(cost_opening_ns(&cost, &plan), 2250, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hit_has_a_price),
		cmocka_unit_test(who_is_under_seccomp_is_asked_for),
		cmocka_unit_test(what_was_just_measured_stands),
		cmocka_unit_test(links_of_their_own_close_one_by_one),
		cmocka_unit_test(a_plan_has_its_prices),
		cmocka_unit_test(a_turn_costs_by_its_sites),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
