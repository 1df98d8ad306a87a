/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "attribute/tally.h"
#include "base/util.h"

#define FIELDS (sizeof(struct tally) / sizeof(int64_t))

static void assert_same(const int64_t fields[FIELDS])
{
	struct tally_packed packed = {};
	struct tally wanted, found;

	memcpy(&wanted, fields, sizeof(wanted));
	assert_int_equal(tally_pack(&packed, &wanted), 0);
	found = tally_unpack(&packed);
	assert_memory_equal(&found, &wanted, sizeof(found));
	tally_packed_fini(&packed);
	found = tally_unpack(&packed);
	assert_int_equal(found.objects, 0);
}

static void every_number_comes_back_from_every_field(void **state)
{
	static const int64_t numbers[] = { 1,	      -1,	 63,	    64,
					   -64,	      -65,	 INT32_MAX, INT32_MIN,
					   INT64_MAX, INT64_MIN, 1ll << 47 };

	for (size_t i = 0; i < FIELDS; i++)
		for (size_t k = 0; k < ARRAY_SIZE(numbers); k++) {
			int64_t fields[FIELDS] = { [0] = 7 };

			fields[i] = numbers[k];
			assert_same(fields);
		}
}

static void full_ones_come_back(void **state)
{
	int64_t fields[FIELDS];

	for (size_t i = 0; i < FIELDS; i++)
		fields[i] = (i % 2 ? -1 : 1) * (1ll << (3 * i));
	assert_same(fields);
	for (size_t i = 0; i < FIELDS; i++)
		fields[i] = INT64_MIN;
	assert_same(fields);
}

static void what_was_packed_before_is_replaced(void **state)
{
	struct tally small = { .objects = 1 }, large = { .objects = 1 };
	struct tally_packed packed = {};

	for (int i = 0; i < TALLY_STORAGES; i++)
		large.storage[i] = INT64_MAX - i;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(tally_pack(&packed, &large), 0);
		assert_int_equal(tally_unpack(&packed).storage[TALLY_NONE],
				 large.storage[TALLY_NONE]);
		assert_int_equal(tally_pack(&packed, &small), 0);
		assert_int_equal(tally_unpack(&packed).storage[TALLY_NONE], 0);
		assert_int_equal(tally_unpack(&packed).objects, 1);
	}
	assert_int_equal(tally_pack(&packed, &large), 0);
	tally_packed_fini(&packed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_number_comes_back_from_every_field),
		cmocka_unit_test(full_ones_come_back),
		cmocka_unit_test(what_was_packed_before_is_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
