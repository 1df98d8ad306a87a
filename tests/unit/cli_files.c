/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/util.h"
#include "cli/files.h"
#include "sample_picture.h"
#include "view/json.h"
#include <errno.h>
#include <unistd.h>

/* A file with @count snapshots, whose pids count up. */
static void write_file(char *path, int count)
{
	_cleanup_picture_ struct picture *pic = sample_picture();
	FILE *out;

	strcpy(path, "/tmp/cli_files.XXXXXX");
	out = fdopen(mkstemp(path), "w");
	for (int i = 0; i < count; i++) {
		pic->process.pid = 100 + i;
		assert_int_equal(json_write_picture(out, pic, NULL, JSON_STYLE_LINE), 0);
	}
	fclose(out);
}

static int count_them(void *ctx, const struct picture *pic)
{
	assert_int_equal(pic->process.pid, 100 + *(int *)ctx);
	++*(int *)ctx;
	return 0;
}

static void first_and_last(void **state)
{
	for (int count = 1; count < 5; count++) {
		_cleanup_picture_ struct picture *first = NULL, *last = NULL;
		struct error err = { 0 };
		int seen = 0;
		char path[32];

		write_file(path, count);
		assert_int_equal(files_read(path, count_them, &seen, &first, &last, &err), 0);
		assert_int_equal(seen, count);
		assert_int_equal(last->process.pid, 100 + count - 1);
		assert_true(count == 1 ? !first : first->process.pid == 100);
		unlink(path);
	}
}

static int stop(void *ctx, const struct picture *pic)
{
	return -ENOMEM;
}

static void what_cannot_be_read(void **state)
{
	struct error err = { 0 };
	char path[32];

	write_file(path, 0);
	assert_int_equal(files_read(path, NULL, NULL, NULL, NULL, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "no snapshot"));
	unlink(path);
	err = (struct error){ 0 };
	assert_int_equal(files_read(path, NULL, NULL, NULL, NULL, &err), -ENOENT);
	assert_int_equal(err.exit_code, EXIT_USAGE);
	err = (struct error){ 0 };
	assert_int_equal(files_read("/tmp", NULL, NULL, NULL, NULL, &err), -EISDIR);
	write_file(path, 3);
	assert_int_equal(files_read(path, stop, NULL, NULL, NULL, &err), -ENOMEM);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_and_last),
		cmocka_unit_test(what_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
