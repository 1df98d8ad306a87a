/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/util.h"

static void min_max_evaluate_once_and_nest(void **state)
{
	int n = 0;

	assert_int_equal(MIN(n++, 5), 0);
	assert_int_equal(n, 1);
	assert_int_equal(MAX(MIN(3, 7), MIN(9, 5)), 5);
}

static void rounds_up(void **state)
{
	assert_int_equal(round_up(0, 16), 0);
	assert_int_equal(round_up(1, 16), 16);
	assert_int_equal(round_up(16, 16), 16);
	assert_int_equal(round_up(17, 16), 32);
	assert_int_equal(round_up(7, 3), 9);
}

static void loads_unaligned(void **state)
{
	static const unsigned char bytes[] = { 0xEE, 1, 2, 3, 4, 5, 6, 7, 0xFF };

	assert_int_equal(load_u16(bytes + 1), 0x0201);
	assert_int_equal(load_u32(bytes + 1), 0x04030201);
	assert_true(load_u64(bytes + 1) == 0xFF07060504030201ull);
	assert_true(load_i64(bytes + 1) == (int64_t)0xFF07060504030201ull);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(min_max_evaluate_once_and_nest),
		cmocka_unit_test(rounds_up),
		cmocka_unit_test(loads_unaligned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
