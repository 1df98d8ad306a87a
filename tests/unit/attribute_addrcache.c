/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "attribute/addrcache.h"

/* What comes again soon is known again, whatever else came; a million others fit as well as none.
 */
static void it_forgets(void **state)
{
	struct addrcache *cache = addrcache_new();
	uint64_t again = 0;

	assert_non_null(cache);
	for (uint64_t i = 1; i <= 1000000; i++) {
		assert_true(addrcache_add(cache, 0x10000000 + i * 64));
		again += addrcache_add(cache, 0x100);
	}
	assert_true(again >= 1 && again < 60);
	addrcache_free(cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_forgets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
