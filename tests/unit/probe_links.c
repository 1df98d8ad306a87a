/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "probe/links.h"

static void nothing_is_cleared(void **state)
{
	struct links links = { 0 };

	links_clear(&links);
	links_clear(&links);
	assert_int_equal(links.multi_count, 0);
}

/* Without a program the kernel refuses, and no half a link remains. */
static void a_failure_leaves_nothing(void **state)
{
	struct links_target target = { .path = "/nonexistent" };
	struct links links = { 0 };
	uint64_t offset = 0, cookie = 0;

	assert_true(links_multi(NULL, &target, &offset, &cookie, 1) < 0);
	assert_true(links_add_multi(&links, NULL, &target, &offset, &cookie, 1) < 0);
	assert_int_equal(links.multi_count, 0);
	assert_int_equal(links_add_multi(&links, NULL, &target, &offset, &cookie, 0), 0);
	links_clear(&links);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_cleared),
		cmocka_unit_test(a_failure_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
