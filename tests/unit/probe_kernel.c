/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>

#include "probe/kernel.h"

static void each_answer_is_kept(void **state)
{
	for (int i = 0; i < KERNEL_ABILITIES; i++) {
		int error = kernel_try((enum kernel_ability)i);

		assert_true(error >= 0);
		assert_int_equal(kernel_try((enum kernel_ability)i), error);
		assert_int_equal(kernel_has((enum kernel_ability)i),
				 error == 0 || error == EPERM || error == EACCES);
	}
}

/* The newer ability came with the newer kernel. */
static void cookies_come_with_fetches(void **state)
{
	if (!kernel_try(KERNEL_COOKIE))
		assert_int_equal(kernel_try(KERNEL_FETCH), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_answer_is_kept),
		cmocka_unit_test(cookies_come_with_fetches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
