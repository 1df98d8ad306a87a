/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "view/cells.h"

static char buf[CELLS_MAX];

static void unknown_is_a_dash(void **state)
{
	assert_string_equal(cells_size(buf, PICTURE_UNKNOWN), "-");
	assert_string_equal(cells_size_delta(buf, PICTURE_UNKNOWN), "-");
	assert_string_equal(cells_count(buf, PICTURE_UNKNOWN), "-");
	assert_string_equal(cells_count_delta(buf, PICTURE_UNKNOWN), "-");
	assert_string_equal(cells_rate(buf, NAN), "-");
	assert_string_equal(cells_rate(buf, INFINITY), "-");
	assert_string_equal(cells_ratio(buf, NAN), "-");
	assert_string_equal(cells_share(buf, 3, 0), "-");
	assert_string_equal(cells_share(buf, PICTURE_UNKNOWN, 3), "-");
	assert_string_equal(cells_duration(buf, NAN), "-");
}

static void numbers(void **state)
{
	assert_string_equal(cells_size(buf, 1536), "1.5 KiB");
	assert_string_equal(cells_size_delta(buf, -1536), "-1.5 KiB");
	assert_string_equal(cells_count(buf, 1234567), "1,234,567");
	assert_string_equal(cells_count_delta(buf, 1234), "+1,234");
	assert_string_equal(cells_count_delta(buf, -1234), "-1,234");
	assert_string_equal(cells_count_delta(buf, 0), "0");
	assert_string_equal(cells_count_delta(buf, INT64_MIN + 1), "-9,223,372,036,854,775,807");
}

static void rates(void **state)
{
	assert_string_equal(cells_rate(buf, 0), "0");
	assert_string_equal(cells_rate(buf, 0.25), "0.2");
	assert_string_equal(cells_rate(buf, 9.94), "9.9");
	assert_string_equal(cells_rate(buf, 9.96), "10");
	assert_string_equal(cells_rate(buf, 1234.4), "1,234");
}

static void ratios_and_times(void **state)
{
	assert_string_equal(cells_ratio(buf, 0.0321), "3.2%");
	assert_string_equal(cells_share(buf, 999, 1000), "99%"); /* not 100 */
	assert_string_equal(cells_share(buf, 1000, 1000), "100%");
	assert_string_equal(cells_duration(buf, 1.25), "1.2 ms");
	assert_string_equal(cells_duration(buf, 123.4), "123 ms");
	assert_string_equal(cells_duration(buf, 1500), "1.5 s");
}

static void storage(void **state)
{
	struct picture_type type = { .storage = { [PICTURE_STORAGE_NONE] = 1000 } };

	assert_string_equal(cells_storage(buf, &type), "-");
	type.storage[PICTURE_STORAGE_SPLIT] = 97;
	type.storage[PICTURE_STORAGE_COMBINED] = 3;
	assert_string_equal(cells_storage(buf, &type), "split 97%");
	type.storage[PICTURE_STORAGE_GENERAL] = PICTURE_UNKNOWN;
	assert_string_equal(cells_storage(buf, &type), "split 97%");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_is_a_dash),
		cmocka_unit_test(numbers),
		cmocka_unit_test(rates),
		cmocka_unit_test(ratios_and_times),
		cmocka_unit_test(storage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
