/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>

#include "probe/features.h"

static void each_has_an_answer(void **state)
{
	for (int i = 0; i < FEATURE_COUNT; i++) {
		const struct feature_result *result = features_get(i);

		assert_non_null(result->name);
		assert_int_equal(result->works, result->error == 0);
		assert_int_equal(result->works, result->fix == NULL);
		assert_ptr_equal(features_get(i), result);
	}
}

/* What works needs what it is built on. */
static void answers_agree(void **state)
{
	if (features_get(FEATURE_UPROBE_THREADS)->works)
		assert_true(features_get(FEATURE_UPROBE_MULTI)->works);
	if (features_get(FEATURE_UPROBE_MULTI)->works) {
		assert_true(features_get(FEATURE_BPF)->works);
		assert_true(features_get(FEATURE_RING)->works);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_has_an_answer),
		cmocka_unit_test(answers_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
