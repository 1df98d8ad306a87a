/* SPDX-License-Identifier: BSD-2-Clause */
/* Which rights there are here is not known: tested is what holds with any. */
#include "unit.h"

#include <string.h>

#include "capture.h"
#include "cli/doctor.h"

static const struct options_usage usage = {
	.command = OPTIONS_DOCTOR,
	.name = "pymemtop doctor",
	.args = "[PID]",
	.summary = "",
};
static struct capture caught;
static struct error err;

static int run(pid_t pid)
{
	const struct options opts = { .pid = pid };
	int r;

	err = (struct error){ 0 };

	capture_begin(&caught);
	r = doctor_run(&usage, &opts, &err);
	capture_end(&caught);
	return r;
}

static void the_machine_alone(void **state)
{
	int r = run(0);

	assert_non_null(strstr(caught.text[0], "kernel"));
	assert_non_null(strstr(caught.text[0], "BPF probes"));
	assert_null(strstr(caught.text[0], "memory layout"));
	/* The exit code and the answers say the same. */
	assert_int_equal(r == EXIT_OK, !error_is_set(&err));
	assert_int_equal(r == EXIT_OK, !strstr(caught.text[0], " no "));
}

static void a_process_that_is_no_python(void **state)
{
	int r = run(getpid());

	assert_int_not_equal(r, EXIT_OK);
	assert_non_null(strstr(caught.text[0], "Python          no "));
	assert_non_null(strstr(caught.text[0], "probe sites     -"));
}

static void no_process(void **state)
{
	assert_true(run(2000000000) < 0);
	assert_int_equal(err.exit_code, EXIT_NO_PROCESS);
	assert_non_null(strstr(err.text, "2000000000"));
	assert_non_null(strstr(caught.text[0], "process         no "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_machine_alone),
		cmocka_unit_test(a_process_that_is_no_python),
		cmocka_unit_test(no_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
