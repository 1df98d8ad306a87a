/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "probe/places.h"

static void a_cookie_says_what_its_site_says(void **state)
{
	struct site site = { .role = SITE_POOL,
			     .reg = 3,
			     .size_reg = SITE_NO_REG,
			     .flags = SITE_IN_MEMORY,
			     .disp = -8,
			     .check_reg = 5 };
	struct site_cookie cookie = places_cookie(&site, 700);

	assert_int_equal(cookie.site, 700);
	assert_int_equal(cookie.role, SITE_POOL);
	assert_int_equal(cookie.reg, 3);
	assert_int_equal(cookie.size_reg, SITE_NO_REG);
	assert_int_equal(cookie.flags, SITE_IN_MEMORY);
	assert_int_equal(cookie.disp, -8);
	cookie = places_check_cookie(&site);
	assert_int_equal(cookie.role, SITE_CHECK);
	assert_int_equal(cookie.reg, 5);
	assert_int_equal(cookie.flags, 0);
	site.role = SITE_BLOCK;
	assert_int_equal(places_check_cookie(&site).flags, SITE_FIRST);
}

static void both_ends_of_a_reallocation_are_told_apart(void **state)
{
	assert_int_equal(places_realloc_cookie(false).role, SITE_LIBC_REALLOC);
	assert_int_equal(places_realloc_cookie(true).role, SITE_LIBC_REALLOC_END);
	assert_int_equal(places_realloc_cookie(true).site, places_realloc_cookie(false).site);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cookie_says_what_its_site_says),
		cmocka_unit_test(both_ends_of_a_reallocation_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
