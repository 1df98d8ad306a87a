/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "tui/columns.h"

static size_t total(const struct columns *columns)
{
	size_t sum = 2;

	for (size_t i = 0; i < COLUMNS_COUNT; i++)
		sum += columns->width[i] ? columns->width[i] + 1 : 0;
	return sum - 1;
}

static void they_fill_the_width(void **unused)
{
	for (size_t width = 60; width <= 500; width++) {
		struct columns columns;

		columns_choose(&columns, width, width % 2);
		assert_int_equal(total(&columns), width);
		assert_true(columns.width[COLUMNS_TYPE] >= 18);
		assert_true(columns.width[COLUMNS_OBJECTS] && columns.width[COLUMNS_BYTES]);
	}
}

static void they_leave_in_order(void **unused)
{
	struct columns columns;

	columns_choose(&columns, 60, true);
	assert_int_equal(columns.width[COLUMNS_ALLOC], 0);
	assert_true(columns.width[COLUMNS_DELTA] > 0);
	columns_choose(&columns, 80, true);
	assert_true(columns.width[COLUMNS_STORAGE] && columns.width[COLUMNS_TREND]);
	columns_choose(&columns, 110, true);
	for (size_t i = 0; i < COLUMNS_COUNT; i++)
		assert_true(columns.width[i] > 0);
	columns_choose(&columns, 200, false); /* no events: no room for their rates */
	assert_int_equal(columns.width[COLUMNS_ALLOC] + columns.width[COLUMNS_FREE], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_fill_the_width),
		cmocka_unit_test(they_leave_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
