/* SPDX-License-Identifier: BSD-2-Clause */
/* Over a directory that looks like /sys/fs/cgroup. */
#include "unit.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "daemon/pressure.h"

static char root[] = "/tmp/pymemtop-cgroup-XXXXXX";

static void put(const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s%s", root, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void folder(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s%s", root, name);
	mkdir(path, 0755);
}

static void version_2(void **state)
{
	folder("/a");
	folder("/a/b");
	put("/a/b/memory.current", "900\n");
	put("/a/b/memory.max", "1000\n");
	assert_true(pressure_of_cgroup("0::/a/b\n", root) == 0.9);

	/* Cache that can be taken back is no pressure. */
	put("/a/b/memory.stat", "anon 100\ninactive_file 400\nactive_file 7\n");
	assert_true(pressure_of_cgroup("0::/a/b\n", root) == 0.5);

	/* The worst of all levels, where there is a limit. */
	put("/a/memory.current", "950\n");
	put("/a/memory.max", "1000\n");
	assert_true(pressure_of_cgroup("0::/a/b\n", root) == 0.95);
	put("/a/memory.max", "max\n");
	put("/a/b/memory.max", "max\n");
	assert_true(isnan(pressure_of_cgroup("0::/a/b\n", root)));
}

static void version_1(void **state)
{
	folder("/memory");
	folder("/memory/x");
	put("/memory/x/memory.usage_in_bytes", "800\n");
	put("/memory/x/memory.limit_in_bytes", "1000\n");
	put("/memory/x/memory.stat", "inactive_file 1\ntotal_inactive_file 300\n");
	assert_true(pressure_of_cgroup("8:pids:/\n4:memory:/x\n0::/\n", root) == 0.5);
	put("/memory/x/memory.limit_in_bytes", "9223372036854771712\n");
	assert_true(isnan(pressure_of_cgroup("4:memory:/x\n", root)));
}

static void nothing_to_see(void **state)
{
	static const char *const texts[] = { "",	 "0::",	    "0::/none\n", "0::/../../a/b\n",
					     "nonsense", ":memory:" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_true(isnan(pressure_of_cgroup(texts[i], root)));
}

static int set_up(void **state)
{
	return mkdtemp(root) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", root);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(version_2),
		cmocka_unit_test(version_1),
		cmocka_unit_test(nothing_to_see),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
