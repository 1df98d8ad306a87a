/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/dump.h"
#include "sample_picture.h"
#include "view/json_read.h"

static char root[] = "/tmp/pymemtop-dump-XXXXXX";

static int count(void)
{
	DIR *dir = opendir(root);
	int n = -2; /* "." and ".." */

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void clear(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -f %s/*", root);
	assert_int_equal(system(command), 0);
}

static void whole_and_private(void **state)
{
	struct picture *pic = sample_picture(), *read;
	char path[256];
	struct stat st;
	FILE *file;

	assert_int_equal(dump_write(root, pic, path, sizeof(path), NULL), 0);
	assert_int_equal(count(), 1);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	file = fopen(path, "r");
	assert_int_equal(json_read_picture(file, path, &read, NULL), 0);
	assert_int_equal(read->process.pid, pic->process.pid);
	fclose(file);
	picture_free(read);
	picture_free(pic);
	clear();
}

static void bounded(void **state)
{
	struct picture *pic = sample_picture();
	struct error err = { 0 };
	char path[256];

	for (int i = 0; i < DUMP_FILES_MAX; i++) {
		FILE *file;

		snprintf(path, sizeof(path), "%s/pymemtop-%d-x.json", root, i);
		file = fopen(path, "w");
		fclose(file);
	}
	assert_int_equal(dump_write(root, pic, path, sizeof(path), &err), -EDQUOT);
	assert_int_equal(count(), DUMP_FILES_MAX);
	picture_free(pic);
	clear();
}

static void no_directory(void **state)
{
	struct picture *pic = sample_picture();
	struct error err = { 0 };
	char path[256];

	assert_int_equal(dump_write("/nowhere", pic, path, sizeof(path), &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nowhere"));
	picture_free(pic);
}

static void disk_full(void **state)
{
	struct picture *pic = sample_picture();
	struct error err = { 0 };
	char path[256];

	/* More than the one page that there is. */
	for (int i = 0; i < 200; i++)
		assert_int_equal(picture_add_partial(pic, "reason %d for which this is long", i),
				 0);
	if (mount("none", root, "tmpfs", 0, "size=4k")) {
		picture_free(pic);
		skip();
	}
	assert_int_equal(dump_write(root, pic, path, sizeof(path), &err), -ENOSPC);
	assert_int_equal(count(), 0); /* no half of a snapshot stays */
	assert_int_equal(umount(root), 0);
	picture_free(pic);
}

static int set_up(void **state)
{
	return mkdtemp(root) ? 0 : -1;
}

static int tear_down(void **state)
{
	return rmdir(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_and_private),
		cmocka_unit_test(bounded),
		cmocka_unit_test(no_directory),
		cmocka_unit_test(disk_full),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
