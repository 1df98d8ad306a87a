/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/util.h"
#include "cli/output.h"

static char folder[] = "/tmp/cli_output.XXXXXX";
static char path[64];

static int set_up(void **state)
{
	snprintf(folder, sizeof(folder), "/tmp/cli_output.XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/out", folder);
	umask(022);
	return 0;
}

/* How many files there are, whatever their names. */
static size_t count_files(bool remove_them)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	size_t count = 0;

	while ((entry = readdir(dir))) {
		if (streq(entry->d_name, ".") || streq(entry->d_name, ".."))
			continue;
		count++;
		if (remove_them)
			unlinkat(dirfd(dir), entry->d_name, 0);
	}
	closedir(dir);
	return count;
}

static int tear_down(void **state)
{
	count_files(true);
	return rmdir(folder);
}

static void put(const char *where, const char *text)
{
	_cleanup_fclose_ FILE *file = fopen(where, "w");

	assert_non_null(file);
	fputs(text, file);
}

static void assert_content(const char *where, const char *expected)
{
	_cleanup_fclose_ FILE *file = fopen(where, "r");
	char text[64] = "";

	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	assert_string_equal(text, expected);
}

static void appears_only_when_committed(void **state)
{
	_cleanup_output_ struct output out;
	struct error err = { 0 };
	struct stat st;

	assert_int_equal(output_open(&out, path, false, &err), 0);
	fputs("text", out.stream);
	fflush(out.stream);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(output_commit(&out, &err), 0);
	assert_content(path, "text");
	assert_int_equal(count_files(false), 1);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
}

static void nothing_stays_when_not_committed(void **state)
{
	struct output out;
	struct error err = { 0 };

	assert_int_equal(output_open(&out, path, false, &err), 0);
	fputs("half", out.stream);
	output_fini(&out);
	assert_int_equal(count_files(false), 0);
}

static void existing_is_left_alone(void **state)
{
	_cleanup_output_ struct output out;
	struct error err = { 0 };

	put(path, "precious");
	assert_int_equal(output_check(path, false, &err), -EEXIST);
	assert_int_equal(err.exit_code, EXIT_USAGE);
	assert_non_null(strstr(err.text, "--force"));
	assert_int_equal(output_open(&out, path, false, NULL), -EEXIST);
	assert_content(path, "precious");
}

static void appeared_meanwhile_is_left_alone(void **state)
{
	_cleanup_output_ struct output out;
	struct error err = { 0 };

	assert_int_equal(output_open(&out, path, false, &err), 0);
	put(path, "precious");
	assert_int_equal(output_commit(&out, &err), -EEXIST);
	assert_content(path, "precious");
	output_fini(&out);
	assert_int_equal(count_files(false), 1);
}

static void force_replaces_and_keeps_the_mode(void **state)
{
	_cleanup_output_ struct output out;
	struct error err = { 0 };
	struct stat st;

	put(path, "old");
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(output_check(path, true, &err), 0);
	assert_int_equal(output_open(&out, path, true, &err), 0);
	fputs("new", out.stream);
	assert_content(path, "old");
	assert_int_equal(output_commit(&out, &err), 0);
	assert_content(path, "new");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void a_link_is_followed(void **state)
{
	_cleanup_output_ struct output out;
	struct error err = { 0 };
	struct stat st;
	char target[64];

	snprintf(target, sizeof(target), "%s/target", folder);
	put(target, "old");
	assert_int_equal(symlink("target", path), 0);
	assert_int_equal(output_open(&out, path, true, &err), 0);
	fputs("new", out.stream);
	assert_int_equal(output_commit(&out, &err), 0);
	assert_content(target, "new");
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
}

static void devices_are_written_directly(void **state)
{
	_cleanup_output_ struct output out, full;
	struct error err = { 0 };
	struct stat st;

	assert_int_equal(output_check("/dev/null", false, &err), 0);
	assert_int_equal(output_open(&out, "/dev/null", false, &err), 0);
	fputs("x", out.stream);
	assert_int_equal(output_commit(&out, &err), 0);

	assert_int_equal(output_open(&full, "/dev/full", true, &err), 0);
	fputs("x", full.stream);
	assert_int_equal(output_commit(&full, &err), -ENOSPC);
	assert_int_equal(err.exit_code, EXIT_INTERNAL);
	assert_non_null(strstr(err.text, "/dev/full"));
	assert_int_equal(stat("/dev/full", &st), 0);
	assert_true(S_ISCHR(st.st_mode));
}

static void impossible_places(void **state)
{
	static const char *const places[] = { "/nonexistent/x", "/tmp", "/tmp/", "/proc/x",
					      "/etc/passwd/x" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		_cleanup_output_ struct output out = { 0 };
		struct error err = { 0 };

		if (!output_check(places[i], true, &err))
			assert_true(output_open(&out, places[i], true, &err) < 0);
		assert_true(error_is_set(&err));
		assert_non_null(strstr(err.text, places[i]));
	}
}

static void dash_is_stdout(void **state)
{
	_cleanup_output_ struct output out = { 0 };

	assert_int_equal(output_check("-", false, NULL), 0);
	assert_int_equal(output_open(&out, "-", false, NULL), 0);
	assert_ptr_equal(out.stream, stdout);
}

static void a_closed_pipe_is_quiet(void **state)
{
	struct output out = { 0 };
	struct error err = { 0 };

	assert_int_equal(output_failed(&out, -EPIPE, &err), -EPIPE);
	assert_false(error_is_set(&err));
	assert_int_equal(output_failed(&out, -EIO, &err), -EIO);
	assert_non_null(strstr(err.text, "standard output"));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(appears_only_when_committed),
		TEST(nothing_stays_when_not_committed),
		TEST(existing_is_left_alone),
		TEST(appeared_meanwhile_is_left_alone),
		TEST(force_replaces_and_keeps_the_mode),
		TEST(a_link_is_followed),
		TEST(devices_are_written_directly),
		TEST(impossible_places),
		TEST(dash_is_stdout),
		TEST(a_closed_pipe_is_quiet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
