/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "capture.h"
#include "cli/commands.h"

static struct capture caught;

/* The exit status; what was printed is in `caught`. */
static int run(const char *line)
{
	static char text[256];
	char *argv[16] = { (char *)"pymemtop" };
	int argc = 1, status;

	snprintf(text, sizeof(text), "%s", line);
	for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	capture_begin(&caught);
	status = commands_main(argc, argv);
	capture_end(&caught);
	return status;
}

static void assert_one_line(const char *text)
{
	assert_int_equal(strncmp(text, "pymemtop: ", 10), 0);
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

static void errors_are_one_line(void **state)
{
	static const struct {
		const char *line;
		int status;
		const char *expected;
	} cases[] = {
		{ "", EXIT_USAGE, "which process?" },
		{ "frob", EXIT_USAGE, "'frob' is neither a command nor a PID" },
		{ "snapshot", EXIT_USAGE, "which process?" },
		{ "snapshot --bogus", EXIT_USAGE, "'pymemtop snapshot --help'" },
		{ "-Z", EXIT_USAGE, "'pymemtop top --help'" },
		{ "2000000000", EXIT_NO_PROCESS, "2000000000" },
		{ "-p 2000000000", EXIT_NO_PROCESS, "2000000000" },
		{ "snapshot 2000000000", EXIT_NO_PROCESS, "2000000000" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(run(cases[i].line), cases[i].status);
		assert_string_equal(caught.text[0], "");
		assert_one_line(caught.text[1]);
		if (!strstr(caught.text[1], cases[i].expected))
			fail_msg("'%s' is not in: %s", cases[i].expected, caught.text[1]);
	}
}

static void help_names_every_command(void **state)
{
	size_t count;
	const struct commands_entry *all = commands_all(&count);

	assert_int_equal(run("--help"), EXIT_OK);
	assert_string_equal(caught.text[1], "");
	for (size_t i = 0; i < count; i++)
		assert_non_null(strstr(caught.text[0], all[i].name));
}

static void every_command_has_help(void **state)
{
	size_t count;
	const struct commands_entry *all = commands_all(&count);

	for (size_t i = 0; i < count; i++) {
		char line[64], start[24];

		/* The rest is wrapped. */
		snprintf(start, sizeof(start), "%s", all[i].usage.summary);
		snprintf(line, sizeof(line), "%s --help", all[i].name);
		assert_int_equal(run(line), EXIT_OK);
		assert_string_equal(caught.text[1], "");
		assert_non_null(strstr(caught.text[0], start));
		assert_non_null(strstr(caught.text[0], "--no-color"));
		assert_non_null(strstr(caught.text[0], "Exit codes:"));
	}
}

static void version(void **state)
{
	static const char *const lines[] = { "-V", "--version", "snapshot -V", "ps --version" };

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		assert_int_equal(run(lines[i]), EXIT_OK);
		assert_int_equal(strncmp(caught.text[0], "pymemtop ", 9), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_are_one_line),
		cmocka_unit_test(help_names_every_command),
		cmocka_unit_test(every_command_has_help),
		cmocka_unit_test(version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
