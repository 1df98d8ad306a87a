/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>
#include <string.h>

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

/* Of perf events nobody has few rights enough that it could matter but where the kernel is strict.
 */
static void who_refuses_says_what_it_wants(void **state)
{
	bool strict = kernel_needs_perf() && kernel_refuses_perf();

	assert_true(strstr(kernel_rights_fix(), "CAP_BPF"));
	assert_int_equal(!!strstr(kernel_rights_fix(), "CAP_SYS_ADMIN"), strict);
}

/* uprobe_multi (6.6) is older than its sight of all threads (6.10). */
static void cookies_come_before_multi(void **state)
{
	if (kernel_try(KERNEL_COOKIE) == EINVAL)
		assert_true(kernel_needs_perf());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_answer_is_kept),
		cmocka_unit_test(cookies_come_with_fetches),
		cmocka_unit_test(who_refuses_says_what_it_wants),
		cmocka_unit_test(cookies_come_before_multi),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
