/* SPDX-License-Identifier: BSD-2-Clause */
/* What snapshot refuses before it looks at any process; what it finds there is tested end to end.
 */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "capture.h"
#include "cli/snapshot.h"

static const struct options_usage usage = {
	.command = OPTIONS_SNAPSHOT,
	.name = "pymemtop snapshot",
	.args = "PID",
	.summary = "",
};

static void assert_refused(const struct options *opts, const char *expected)
{
	struct error err = { 0 };

	assert_int_equal(snapshot_run(&usage, opts, &err), -EINVAL);
	assert_int_equal(err.exit_code, EXIT_USAGE);
	assert_non_null(strstr(err.text, expected));
}

static void contradictions(void **state)
{
	assert_refused(&(struct options){ 0 }, "which process?");
	assert_refused(
		&(struct options){ .pid = 1, .has_events = true, .events = OBSERVER_EVENTS_EXACT },
		"add --duration");
	assert_refused(&(struct options){ .pid = 1, .has_overhead = true }, "--max-overhead needs");
	assert_refused(&(struct options){ .pid = 1, .ring_bytes = 1 << 20 }, "--ring needs");
	assert_refused(&(struct options){ .pid = 1,
					  .has_overhead = true,
					  .has_duration = true,
					  .has_events = true,
					  .events = OBSERVER_EVENTS_EXACT },
		       "--max-overhead is for");
	assert_refused(&(struct options){ .pid = 1, .force = true }, "--force is for");
}

static void existing_output_is_refused_first(void **state)
{
	/* Also when the process does not exist: nothing was looked at. */
	const struct options opts = { .pid = 2000000000, .output = "/etc/passwd" };
	struct error err = { 0 };

	assert_int_equal(snapshot_run(&usage, &opts, &err), -EEXIST);
	assert_int_equal(err.exit_code, EXIT_USAGE);
}

static void no_process(void **state)
{
	const struct options opts = { .pid = 2000000000 };
	struct error err = { 0 };

	assert_int_equal(snapshot_run(&usage, &opts, &err), -ESRCH);
	assert_int_equal(err.exit_code, EXIT_NO_PROCESS);
}

static void schema_needs_no_process(void **state)
{
	const struct options opts = { .schema = true };
	static struct capture caught;
	struct error err = { 0 };
	int r;

	capture_begin(&caught);
	r = snapshot_run(&usage, &opts, &err);
	capture_end(&caught);
	assert_int_equal(r, EXIT_OK);
	assert_non_null(strstr(caught.text[0], "pymemtop.snapshot/1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contradictions),
		cmocka_unit_test(existing_output_is_refused_first),
		cmocka_unit_test(no_process),
		cmocka_unit_test(schema_needs_no_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
