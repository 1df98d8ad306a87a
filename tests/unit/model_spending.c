/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"
#include "model/spending.h"

static void spend(uint64_t ns)
{
	struct timespec start, now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
	do {
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	} while ((uint64_t)(now.tv_sec - start.tv_sec) * NSEC_PER_SEC + (uint64_t)now.tv_nsec -
			 (uint64_t)start.tv_nsec <
		 ns);
}

static void who_runs_is_seen_to(void **state)
{
	struct timespec nap = { .tv_nsec = 50000000 };
	struct spending s = { .pid = getpid(), .hit_ns = 1000, .opening_ns = 2000 };

	spending_look(&s);
	assert_true(s.ran == 0);
	nanosleep(&nap, NULL);
	spending_look(&s);
	assert_true(s.ran < 0.5);
	nap.tv_nsec = 0;
	spend(50000000);
	spending_look(&s);
	assert_true(s.ran > 0);
}

static void hits_have_their_price(void **state)
{
	struct spending s = { .pid = getpid(), .hit_ns = 1000, .opening_ns = 2000 };
	struct session_stats none = { 0 }, some = { .hits = 1000 };
	struct session_stats fresh = { .hits = 1000, .growth_hits = 1000 };
	double plain;

	spending_look(&s);
	spend(20000000);
	assert_true(spending_overhead(&s, &none) == 0);
	plain = spending_overhead(&s, &some);
	assert_true(plain > 0);
	assert_true(plain <= 1000 * s.hit_ns / 20e6);
	assert_true(spending_overhead(&s, &fresh) > plain * 1.5);
}

static void a_limit_is_kept(void **state)
{
	struct spending s = { .pid = getpid(), .hit_ns = 1000, .opening_ns = 2000 };
	struct session_stats stats = { 0 };
	uint64_t next = 0;

	spending_look(&s);
	spend(10000000);
	spending_look(&s);
	assert_int_equal(spending_limit(&s, 2, 10, &stats), -EINVAL);
	assert_false(s.has_budget);
	assert_int_equal(spending_limit(&s, 0.5, 10, &stats), 0);
	assert_true(s.pulse.on);
	spend(20000000);
	assert_int_equal(spending_step(&s, &stats, false, &next), BUDGET_OPEN);
	assert_true(next > s.seen_ns);
	spending_turned(&s, &stats, true, 10, (struct session_turns){ 10, 10 });
	s.budget.until_ns = s.budget.last.now_ns + 20000000;
	assert_true(spending_is_long(&s, 20000000));
	assert_false(spending_is_long(&s, 20000001));
	stats.hits += 10000000; /* ten seconds' worth */
	assert_int_equal(spending_step(&s, &stats, true, &next), BUDGET_CLOSE);
	/* It was to end later: what was missed until then, or for so long as matters. */
	s.budget.until_ns = 5 * NSEC_PER_SEC;
	s.budget.cut = true;
	assert_float_equal(spending_missed(&s, 3 * NSEC_PER_SEC, 9 * NSEC_PER_SEC), 2, 1e-9);
	assert_float_equal(spending_missed(&s, 3 * NSEC_PER_SEC, 4 * NSEC_PER_SEC), 1, 1e-9);
	assert_float_equal(spending_missed(&s, 6 * NSEC_PER_SEC, 9 * NSEC_PER_SEC), 0, 0);
	s.budget.cut = false;
	assert_float_equal(spending_missed(&s, 3 * NSEC_PER_SEC, 9 * NSEC_PER_SEC), 0, 0);
	spending_turned(&s, &stats, false, 10, (struct session_turns){ 10, 10 });
	assert_int_equal(spending_step(&s, &stats, false, &next), BUDGET_WAIT);
	assert_true(spending_overhead(&s, &stats) > 1);
}

/* Turns that were measured at a bad moment would let no window come, ever. */
static void what_is_too_dear_is_measured_again(void **state)
{
	struct spending s = { .pid = getpid(), .hit_ns = 1000, .opening_ns = 2000 };
	struct session_stats stats = { 0 };
	uint64_t next = 0;

	if (cost_measure(SESSION_LINK_AUTO, &s.cost, NULL))
		skip();
	s.cost.turn_ns = 1e9;
	spending_look(&s);
	spend(10000000);
	spending_look(&s);
	assert_int_equal(spending_limit(&s, 0.01, 10, &stats), 0);
	spend(20000000);
	assert_int_equal(spending_step(&s, &stats, false, &next), BUDGET_WAIT);
	assert_float_equal(s.cost.turn_ns, 1e9, 0);
	s.hope_ns -= 62 * NSEC_PER_SEC;
	assert_int_equal(spending_step(&s, &stats, false, &next), BUDGET_WAIT);
	assert_true(s.cost.turn_ns < 1e9);
	assert_float_equal(s.budget.config.turn_cost_ns, cost_turn_ns(&s.cost, 10), 1);
	/* And not at every step. */
	s.cost.turn_ns = 1e9;
	spending_step(&s, &stats, false, &next);
	assert_float_equal(s.cost.turn_ns, 1e9, 0);
}

static void a_plan_is_priced(void **state)
{
	struct site place = { .role = SITE_FRESH, .emulated = true };
	struct plan plan = { .fresh = { .list = &place, .count = 1 } };
	struct spending s = { .cost = { .page_ns = 600, .free_ns = 800, .fresh_ns = 1400 } };

	spending_price(&s, &plan);
	assert_true(s.hit_ns >= 700);
	assert_float_equal(s.opening_ns, 2 * s.hit_ns, 1);
	assert_int_equal(s.cores, 1);
	plan.allocator.kind = ALLOCATOR_MIMALLOC;
	spending_price(&s, &plan);
	assert_true(s.cores >= 1);
}

static void who_is_gone_earns_no_less(void **state)
{
	struct session_stats stats = { .hits = 1 };
	struct spending s = { .hit_ns = 1000, .opening_ns = 2000, .ran_ns = NSEC_PER_SEC };

	s.pid = fork();
	if (!s.pid)
		_exit(0);
	waitpid(s.pid, NULL, 0);
	spending_look(&s);
	assert_int_equal(s.ran_ns, NSEC_PER_SEC);
	assert_true(spending_overhead(&s, &stats) >= 0);
}

/* 1 ms in the second that the sample took, and half of the time at its end. */
static void a_burst_is_told_by_its_sample(void **state)
{
	struct spending s = { .budget = { .spent_ns = 5e6, .last = { .now_ns = 1000000000 } } };

	spending_sample(&s);
	s.budget.spent_ns += 1e6;
	s.budget.cut = true;
	s.budget.until_ns = UINT64_MAX;
	s.budget.step_load = 0.5;
	assert_true(spending_surge(&s, 2000000000) == 0); /* no budget, no windows that end */
	s.has_budget = true;
	assert_float_equal(spending_surge(&s, 2000000000), 500, 1e-6);
	assert_true(spending_surge(&s, 1000000000) == 0);
	s.budget.until_ns = 2100000000; /* it was to end soon anyway */
	assert_true(spending_surge(&s, 2000000000) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_is_told_by_its_sample),
		cmocka_unit_test(who_runs_is_seen_to),
		cmocka_unit_test(hits_have_their_price),
		cmocka_unit_test(a_limit_is_kept),
		cmocka_unit_test(what_is_too_dear_is_measured_again),
		cmocka_unit_test(a_plan_is_priced),
		cmocka_unit_test(who_is_gone_earns_no_less),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
