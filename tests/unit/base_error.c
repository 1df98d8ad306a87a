/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"

static void fills_an_empty_error(void **state)
{
	struct error err = { 0 };

	assert_false(error_is_set(&err));
	assert_int_equal(error_set(&err, ESRCH, EXIT_NO_PROCESS, "no process %d", 7), -ESRCH);
	assert_true(error_is_set(&err));
	assert_int_equal(err.exit_code, EXIT_NO_PROCESS);
	assert_string_equal(err.text, "no process 7");
}

static void keeps_the_deepest_cause(void **state)
{
	struct error err = { 0 };

	error_set(&err, EPERM, EXIT_NO_PERMISSION, "first");
	assert_int_equal(error_set(&err, EIO, EXIT_INTERNAL, "second"), -EIO);
	assert_int_equal(err.exit_code, EXIT_NO_PERMISSION);
	assert_string_equal(err.text, "first");
}

static void accepts_no_error_struct(void **state)
{
	assert_int_equal(error_set(NULL, EIO, EXIT_INTERNAL, "nobody asks"), -EIO);
}

static void truncates_long_text(void **state)
{
	struct error err = { 0 };
	char text[2 * sizeof(err.text)];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	error_set(&err, EIO, EXIT_INTERNAL, "%s", text);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fills_an_empty_error),
		cmocka_unit_test(keeps_the_deepest_cause),
		cmocka_unit_test(accepts_no_error_struct),
		cmocka_unit_test(truncates_long_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
