/* SPDX-License-Identifier: BSD-2-Clause */
/* What cannot be opened; services of live workers are for tests/tui. */
#include "unit.h"

#include <errno.h>
#include <unistd.h>

#include "model/service.h"

static void no_process(void **state)
{
	const struct service_options one = { .subprocesses = false },
				     all = { .subprocesses = true };
	struct feed *feed = NULL;
	struct error err = { 0 };

	assert_int_equal(service_open(2000000000, &one, &feed, &err), -ESRCH);
	assert_int_equal(err.exit_code, EXIT_NO_PROCESS);
	err = (struct error){ 0 };
	assert_int_equal(service_open(2000000000, &all, &feed, &err), -ESRCH);
	assert_null(feed);
}

/* This test is no Python, and has no children that are. */
static void no_python(void **state)
{
	const struct service_options all = { .subprocesses = true };
	struct feed *feed = NULL;
	struct error err = { 0 };

	assert_true(service_open(getpid(), &all, &feed, &err) < 0);
	assert_int_equal(err.exit_code, EXIT_UNSUPPORTED);
	assert_null(feed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_process),
		cmocka_unit_test(no_python),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
