/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <stdio.h>
#include <sys/utsname.h>

#include "probe/links_trace.h"

static void owners_are_told_by_name(void **state)
{
	char name[32] = "";

	assert_int_equal(links_trace_owner("p:pymemtop_123_4/e5 /usr/bin/python3:0x10\n", name,
					   sizeof(name)),
			 123);
	assert_string_equal(name, "pymemtop_123_4/e5");
	assert_int_equal(links_trace_owner("r:pymemtop_7_1/e0 /x:0x0\n", name, sizeof(name)), 7);
	assert_int_equal(links_trace_owner("p:uprobes/p_0 /x:0x0\n", name, sizeof(name)), 0);
	assert_int_equal(links_trace_owner("p:pymemtop_/e0 /x:0x0\n", name, sizeof(name)), 0);
	assert_int_equal(links_trace_owner("p:pymemtop_0_1/e0 /x:0x0\n", name, sizeof(name)), 0);
	assert_int_equal(links_trace_owner("p:pymemtop_-1_1/e0 /x:0x0\n", name, sizeof(name)), 0);
	assert_int_equal(links_trace_owner("x:pymemtop_7_1/e0 /x:0x0\n", name, sizeof(name)), 0);
	assert_int_equal(links_trace_owner("pymemtop_7_1\n", name, sizeof(name)), 0);
	assert_int_equal(links_trace_owner("", name, sizeof(name)), 0);
	assert_int_equal(links_trace_owner("p:pymemtop_7_1/e0 /x:0x0\n", name, 8), 0);
}

/* Where uprobe_multi does all that is needed they are not touched, whatever we may. */
static void newer_kernels_are_left_alone(void **state)
{
	struct utsname self;
	int major, minor;

	assert_int_equal(uname(&self), 0);
	assert_int_equal(sscanf(self.release, "%d.%d", &major, &minor), 2);
	if (major < 6 || (major == 6 && minor < 10))
		skip();
	assert_false(links_trace_usable());
}

static void nothing_is_defined_for_nothing(void **state)
{
	static const struct links_request request = { .path = "/nonexistent", .count = 0 };
	struct links_trace trace = { 0 };
	struct links_fds fds = { 0 };

	assert_int_equal(links_trace_make(&trace, &fds, &request, -1), 0);
	assert_int_equal(fds.count, 0);
	assert_int_equal(trace.count, 0);
	links_make_undone(&fds);
	links_trace_fini(&trace);
	links_trace_fini(&trace);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(owners_are_told_by_name),
		cmocka_unit_test(newer_kernels_are_left_alone),
		cmocka_unit_test(nothing_is_defined_for_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
