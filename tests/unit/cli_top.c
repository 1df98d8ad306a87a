/* SPDX-License-Identifier: BSD-2-Clause */
/* What top refuses; the table itself is tested end to end. */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "cli/top.h"

static const struct options_usage usage = {
	.command = OPTIONS_TOP,
	.name = "pymemtop top",
	.args = "PID",
	.summary = "",
};

static void contradictions(void **state)
{
	const struct options none = { 0 };
	const struct options exact = {
		.pid = 1, .has_overhead = true, .has_events = true, .events = OBSERVER_EVENTS_EXACT
	};
	struct error err = { 0 };

	assert_int_equal(top_run(&usage, &none, &err), -EINVAL);
	assert_int_equal(err.exit_code, EXIT_USAGE);
	assert_non_null(strstr(err.text, "pymemtop ps"));
	err = (struct error){ 0 };
	assert_int_equal(top_run(&usage, &exact, &err), -EINVAL);
	assert_non_null(strstr(err.text, "--max-overhead is for"));
}

static void no_process(void **state)
{
	const struct options opts = { .pid = 2000000000, .batch = true };
	struct error err = { 0 };

	assert_int_equal(top_run(&usage, &opts, &err), -ESRCH);
	assert_int_equal(err.exit_code, EXIT_NO_PROCESS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contradictions),
		cmocka_unit_test(no_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
