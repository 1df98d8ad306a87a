/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>

#include "probe_target.h"

static void pymalloc_is_planned(void **state)
{
	_cleanup_plan_ struct plan *plan = NULL;
	struct probe_target t;
	struct error err = { 0 };

	if (!probe_target_start(&t, NULL))
		skip();
	if (probe_target_plan(&t, &plan, &err))
		fail_msg("%s", err.text);
	assert_int_equal(plan->allocator.kind, ALLOCATOR_PYMALLOC);
	assert_true(plan_count(plan, SITE_POOL, false) + plan_count(plan, SITE_BLOCK, false) > 0);
	assert_true(plan_count(plan, SITE_LARGE, false) > 0);
	assert_true(plan_count(plan, SITE_FREE, false) > 0);
	assert_int_equal(plan_count(plan, SITE_POOL, true), 0);
	assert_int_equal(plan_count(plan, SITE_FREE, true), 0);
	assert_true(plan->fresh.count && plan->realloc.vaddr);
	assert_non_null(plan->libc_path);
	assert_int_equal(plan->pool_size, t.layout->pool_size);
	probe_target_stop(&t);
}

static void plain_malloc_is_refused(void **state)
{
	struct plan *plan = NULL;
	struct probe_target t;
	struct error err = { 0 };

	if (!probe_target_start(&t, "malloc"))
		skip();
	assert_int_equal(probe_target_plan(&t, &plan, &err), -ENOTSUP);
	assert_null(plan);
	assert_int_equal(err.exit_code, EXIT_UNSUPPORTED);
	assert_non_null(strstr(err.text, "PYTHONMALLOC=malloc"));
	probe_target_stop(&t);
}

static void roles_have_names(void **state)
{
	assert_string_equal(plan_role_name(SITE_POOL), "small allocation");
	assert_string_equal(plan_role_name(SITE_FREE), "free");
	assert_string_equal(plan_role_name((enum site_role)200), "other");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pymalloc_is_planned),
		cmocka_unit_test(plain_malloc_is_refused),
		cmocka_unit_test(roles_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
