/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "cli/options.h"

static const struct options_usage snapshot = {
	.command = OPTIONS_SNAPSHOT,
	.name = "pymemtop snapshot",
	.args = "PID",
	.summary = "Summary.",
};
static const struct options_usage ps = {
	.command = OPTIONS_PS,
	.name = "pymemtop ps",
	.args = "",
	.summary = "Summary.",
};

/* Parses words separated by single spaces. */
static int parse(const struct options_usage *usage, const char *line, struct options *opts,
		 struct error *err)
{
	static char text[256];
	char *argv[32] = { (char *)"command" };
	int argc = 1;

	snprintf(text, sizeof(text), "%s", line);
	for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	return options_parse(usage, argc, argv, opts, err);
}

static void assert_refused(const struct options_usage *usage, const char *line,
			   const char *expected)
{
	_cleanup_options_ struct options opts;
	struct error err = { 0 };

	if (parse(usage, line, &opts, &err) != -EINVAL)
		fail_msg("taken: %s", line);
	assert_int_equal(err.exit_code, EXIT_USAGE);
	assert_null(strchr(err.text, '\n'));
	if (!strstr(err.text, expected) || !strstr(err.text, "--help'"))
		fail_msg("%s: '%s' is not in: %s", line, expected, err.text);
}

static void everything_together(void **state)
{
	_cleanup_options_ struct options opts;
	struct error err = { 0 };

	assert_int_equal(parse(&snapshot,
			       "-o out -f -d 1500ms -n 7 --sort=name --filter ^a --format text "
			       "--events exact --ring 1MiB "
			       "--full-cmdline 42",
			       &opts, &err),
			 OPTIONS_RUN);
	assert_int_equal(opts.pid, 42);
	assert_string_equal(opts.output, "out");
	assert_true(opts.force && opts.has_duration && opts.full_cmdline && opts.has_events);
	assert_true(opts.duration_ns == 1500 * NSEC_PER_MSEC);
	assert_int_equal(options_rows(&opts, 99).limit, 7);
	assert_ptr_equal(options_rows(&opts, 99).sort, rows_find_key("name"));
	assert_int_equal(regexec(&opts.filter, "abc", 0, NULL, 0), 0);
	assert_int_equal(opts.format, OPTIONS_FORMAT_TEXT);
	assert_int_equal(opts.events, OBSERVER_EVENTS_EXACT);
	assert_true(opts.ring_bytes == 1 << 20);
}

static void options_of_events_fit_their_mode(void **state)
{
	static const struct {
		struct options opts;
		const char *why; /* NULL: they do */
	} cases[] = {
		{ { .has_overhead = true, .ring_bytes = 1 }, NULL },
		{ { .has_events = true, .events = OBSERVER_EVENTS_EXACT, .ring_bytes = 1 }, NULL },
		{ { .has_events = true, .events = OBSERVER_EVENTS_OFF, .ring_bytes = 1 },
		  "--ring is for --events budget or exact" },
		{ { .has_events = true, .events = OBSERVER_EVENTS_EXACT, .has_overhead = true },
		  "--max-overhead is for --events budget" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error err = { 0 };
		int r = options_check_events(&snapshot, &cases[i].opts, &err);

		assert_int_equal(r, cases[i].why ? -EINVAL : 0);
		assert_true(!cases[i].why || strstr(err.text, cases[i].why));
	}
}

static void defaults(void **state)
{
	_cleanup_options_ struct options opts;
	struct error err = { 0 };

	assert_int_equal(parse(&snapshot, "-p 42", &opts, &err), OPTIONS_RUN);
	assert_int_equal(opts.pid, 42);
	assert_null(opts.output);
	assert_false(opts.has_duration || opts.has_events || opts.has_limit || opts.has_filter);
	assert_true(opts.interval_ns == 2 * NSEC_PER_SEC);
	assert_true(opts.max_overhead == 0.02);
	assert_true(opts.max_cpu == 0.1);
	assert_int_equal(options_rows(&opts, 99).limit, 99);
	assert_null(options_rows(&opts, 99).filter);
}

static void last_one_wins(void **state)
{
	_cleanup_options_ struct options opts;
	struct error err = { 0 };

	assert_int_equal(parse(&snapshot, "-n 1 --filter a -n 0 --filter b -p 5 5", &opts, &err),
			 OPTIONS_RUN);
	assert_true(opts.has_limit && opts.limit == 0);
	assert_int_equal(regexec(&opts.filter, "a", 0, NULL, 0), REG_NOMATCH);
	assert_int_equal(opts.pid, 5);
}

static void bad_values(void **state)
{
	static const struct {
		const char *line, *expected;
	} cases[] = {
		{ "0", "'0' is not a PID" },
		{ "x", "'x' is not a PID" },
		{ "1x", "'1x' is not a PID" },
		{ "+1", "'+1' is not a PID" },
		{ "4294967297", "is not a PID" },
		{ "99999999999999999999", "is not a PID" },
		{ "1 2", "not 1 and 2" },
		{ "-p 1 2", "not 1 and 2" },
		{ "-d 0", "'0' is not a duration" },
		{ "-d -1", "'-1' is not a duration" },
		{ "-d 1y", "'1y' is not a duration" },
		{ "-n -1", "'-1' is not a number of rows" },
		{ "-n x", "'x' is not a number of rows" },
		{ "--sort x", "cannot sort by 'x', only by bytes" },
		{ "--filter [", "'[' is not a regular expression" },
		{ "--format xml", "'xml' is not a format" },
		{ "--events all", "'all' is not a mode of events" },
		{ "--max-overhead 0", "'0' is not an overhead" },
		{ "--max-overhead 200%", "'200%' is not an overhead" },
		{ "--ring x", "'x' is not a size of 32KiB to 1GiB" },
		{ "--ring 32767", "'32767' is not a size" },
		{ "--ring 1025MiB", "'1025MiB' is not a size" },
		{ "--output=", "--output needs a file name" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_refused(&snapshot, cases[i].line, cases[i].expected);
}

static void bad_options_are_named(void **state)
{
	assert_refused(&snapshot, "--bogus 1", "no option '--bogus'");
	assert_refused(&snapshot, "1 --bogus=3", "no option '--bogus=3'");
	assert_refused(&snapshot, "-Z", "no option '-Z'");
	assert_refused(&snapshot, "-fZ 1", "no option '-Z'");
	assert_refused(&snapshot, "-f -Zf 1", "no option '-Z'");
	assert_refused(&snapshot, "1 -n", "option '-n' needs N");
	assert_refused(&snapshot, "1 --limit", "option '--limit' needs N");
	assert_refused(&snapshot, "--force=1", "option '--force' takes no value");
	assert_refused(&snapshot, "--fo", "no option '--fo'"); /* force or format */
}

static void commands_take_only_their_own(void **state)
{
	assert_refused(&snapshot, "-b 1", "no option '-b'");
	assert_refused(&snapshot, "--interval 1s 1", "no option '--interval'");
	assert_refused(&ps, "-p 1", "no option '-p'");
	assert_refused(&ps, "1", "unexpected argument '1'");
	assert_refused(&ps, "--socket x", "no option '--socket'");
	assert_refused(&snapshot, "-s 1", "no option '-s'");
	assert_refused(&snapshot, "--max-cpu 5% 1", "no option '--max-cpu'");
}

static void verbose_raises_the_level(void **state)
{
	_cleanup_options_ struct options opts;
	struct error err = { 0 };

	assert_int_equal(parse(&ps, "-v", &opts, &err), OPTIONS_RUN);
	assert_int_equal(log_get_level(), LOG_LEVEL_INFO);
	assert_int_equal(parse(&ps, "-vvv", &opts, &err), OPTIONS_RUN);
	assert_int_equal(log_get_level(), LOG_LEVEL_DEBUG);
	log_set_level(LOG_LEVEL_WARNING);
}

static void colour(void **state)
{
	_cleanup_fclose_ FILE *file = fopen("/dev/null", "w");
	struct options opts = { 0 };

	unsetenv("NO_COLOR");
	unsetenv("CLICOLOR_FORCE");
	assert_false(options_colour(&opts, file)); /* not a terminal */
	setenv("CLICOLOR_FORCE", "0", 1);
	assert_false(options_colour(&opts, file));
	setenv("CLICOLOR_FORCE", "1", 1);
	assert_true(options_colour(&opts, file));
	setenv("NO_COLOR", "1", 1);
	assert_false(options_colour(&opts, file));
	setenv("NO_COLOR", "", 1); /* no-color.org: only when not empty */
	assert_true(options_colour(&opts, file));
	opts.no_color = true;
	assert_false(options_colour(&opts, file));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_together),
		cmocka_unit_test(options_of_events_fit_their_mode),
		cmocka_unit_test(defaults),
		cmocka_unit_test(last_one_wins),
		cmocka_unit_test(bad_values),
		cmocka_unit_test(bad_options_are_named),
		cmocka_unit_test(commands_take_only_their_own),
		cmocka_unit_test(verbose_raises_the_level),
		cmocka_unit_test(colour),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
