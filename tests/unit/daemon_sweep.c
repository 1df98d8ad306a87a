/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/sweep.h"

static void finds_us(void **state)
{
	struct sweep *sweep = calloc(1, sizeof(*sweep));
	const struct sweep_entry *us;
	regex_t match;

	assert_int_equal(regcomp(&match, "daemon_sweep", REG_EXTENDED | REG_NOSUB), 0);
	sweep->match = &match;
	sweep_run(&sweep->job);
	assert_int_equal(sweep->result, 0);
	assert_int_equal(sweep->at, 0);
	us = sweep_find(sweep, getpid());
	assert_non_null(us);
	assert_int_equal(us->parent, getppid());
	assert_int_equal(us->uid, geteuid());
	assert_true(us->matches && us->start_time_ticks && us->cmdline_hash);
	assert_null(sweep_find(sweep, 0));
	sweep_free(sweep);
	regfree(&match);
}

static void passes_over(void **state)
{
	struct sweep *sweep = calloc(1, sizeof(*sweep));

	sweep->skip[0] = getpid();
	sweep->skip_count = 1;
	sweep_run(&sweep->job);
	assert_null(sweep_find(sweep, getpid()));
	sweep_free(sweep);
}

static void one_process(void **state)
{
	struct sweep_entry entry = { .pid = 77 };

	assert_int_equal(sweep_process(2000000000, NULL, &entry), -ESRCH);
	assert_int_equal(entry.pid, 77);
	assert_int_equal(sweep_process(getpid(), NULL, &entry), 0);
	assert_false(entry.matches);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_us),
		cmocka_unit_test(passes_over),
		cmocka_unit_test(one_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
