/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "advise/rules.h"
#include "sample_class.h"

static const struct rules_limits limits = { .type_bytes = 1 << 20, .saves_bytes = 1 << 20 };
static const struct rules_limits none = { .type_bytes = 1, .saves_bytes = 1 };

static void capacity(void **state)
{
	_cleanup_picture_ struct picture *pic = sample_class();

	sample_type(&pic->types[1], "list", 1000, 1 << 24);
	sample_type(&pic->types[2], "dict", 1000, 1 << 24);
	sample_type(&pic->types[3], "frame", 1000, 1 << 24);
	pic->types_count = 4;
	for (int i = 1; i < 4; i++)
		pic->types[i].spare_bytes = i << 20;
	pic->types[1].capacity_used = 1000;
	pic->types[1].capacity_owned = 132072;
	assert_int_equal(rules_overcapacity(pic, &limits), 0);
	assert_int_equal(pic->advice_count, 2);
	assert_string_equal(pic->advice[0].type, "list");
	assert_int_equal(pic->advice[0].saves_bytes, 1 << 20);
	assert_non_null(strstr(pic->advice[0].detail, "1,000 items are in use of 132,072"));
	assert_string_equal(pic->advice[1].type, "dict");
}

static void duplicates(void **state)
{
	_cleanup_picture_ struct picture *pic = sample_class();

	rules_duplicate_strings(pic, &none);
	assert_int_equal(pic->advice_count, 0);
	pic->duplicates.bytes = 1 << 21;
	pic->duplicates.copies = 40000;
	pic->duplicates.sampling = 1;
	pic->duplicates.unseen_bytes = 3 << 20;
	rules_duplicate_strings(pic, &limits);
	assert_int_equal(pic->advice_count, 1);
	assert_string_equal(pic->advice[0].kind, "duplicate_strings");
	assert_null(strchr(pic->advice[0].detail, '"'));
	assert_non_null(
		strstr(pic->advice[0].detail, "3.0 MiB of strs could not be read and compared"));
	pic->duplicates.values = calloc(1, sizeof(*pic->duplicates.values));
	pic->duplicates.values[0] =
		(struct picture_value){ .text = strdup("worker"), .copies = 9, .bytes = 1 };
	pic->duplicates.values_count = 1;
	rules_duplicate_strings(pic, &limits);
	assert_non_null(strstr(pic->advice[1].detail, "\"worker\" 9 times more"));
}

static void holes(void **state)
{
	_cleanup_picture_ struct picture *pic = sample_class();

	rules_fragmentation(pic, &none);
	assert_int_equal(pic->advice_count, 0);
	pic->memory.arena_bytes = 100 << 20;
	pic->memory.free_block_bytes = 20 << 20;
	pic->memory.free_pool_bytes = 4 << 20;
	rules_fragmentation(pic, &none);
	assert_int_equal(pic->advice_count, 0);
	pic->memory.free_pool_bytes = 6 << 20;
	pic->memory.malloc_heap_bytes = 10 << 20;
	pic->memory.malloc_free_bytes = 5 << 20;
	rules_fragmentation(pic, &none);
	assert_int_equal(pic->advice_count, 2);
	assert_int_equal(pic->advice[0].saves_bytes, 26 << 20);
	assert_null(pic->advice[0].type);
	assert_non_null(strstr(pic->advice[1].detail, "malloc_trim"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(capacity),
		cmocka_unit_test(duplicates),
		cmocka_unit_test(holes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
