/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "attribute/settle.h"
#include "base/util.h"

#define ROWS 3

static void add_row(struct heap *heap, struct tally tally)
{
	struct heap_type *row = &heap->types[heap->types_count++];

	assert_int_equal(tally_pack(&row->tally, &tally), 0);
	for (int i = 0; i < TALLY_PARTS; i++)
		heap->python_bytes += (uint64_t)tally.parts[i];
}

static struct tally row_at(const struct heap *heap, size_t i)
{
	return tally_unpack(&heap->types[i].tally);
}

static void drop_rows(struct heap *heap)
{
	for (size_t i = 0; i < heap->types_count; i++)
		tally_packed_fini(&heap->types[i].tally);
}

static void a_tally_that_is_in_step_stays(void **state)
{
	struct tally tally = {
		.objects = 5,
		.sizeof_bytes = 300,
		.parts = { 320, 64, 96, 0, 10 },
		.storage = { [TALLY_SPLIT] = 2 },
		.capacity_used = 3,
		.capacity_owned = 7,
		.found_bytes = 10,
	};
	struct tally wanted = tally;

	wanted.storage[TALLY_NONE] = 3;
	assert_int_equal(settle_tally(&tally), 0);
	assert_memory_equal(&tally, &wanted, sizeof(tally));
}

static void one_part_makes_up_for_another(void **state)
{
	struct tally tally = { .objects = 2, .parts = { -100, 0, 70, 60, 0 } };

	assert_int_equal(settle_tally(&tally), 0);
	assert_int_equal(tally.parts[TALLY_OBJECT], 0);
	assert_int_equal(tally.parts[TALLY_DICT_KEYS] + tally.parts[TALLY_DICT_VALUES], 30);
	assert_true(tally.parts[TALLY_DICT_KEYS] >= 0 && tally.parts[TALLY_DICT_VALUES] >= 0);
}

static void what_no_part_has_is_missing(void **state)
{
	struct tally tally = {
		.objects = -1,
		.sizeof_bytes = -64,
		.parts = { 64, 0, -2560, 0, 0 },
		.capacity_used = 8,
		.capacity_owned = -3,
		.facts.spare_bytes = -1,
	};

	assert_int_equal(settle_tally(&tally), 2496);
	for (int i = 0; i < TALLY_PARTS; i++)
		assert_int_equal(tally.parts[i], 0);
	assert_int_equal(tally.objects, 0);
	assert_int_equal(tally.storage[TALLY_NONE], 0);
	assert_int_equal(tally.sizeof_bytes, 0);
	assert_int_equal(tally.capacity_used, 0);
	assert_int_equal(tally.capacity_owned, 0);
	assert_int_equal(tally.facts.spare_bytes, 0);
}

static void objects_are_as_many_as_are_stored(void **state)
{
	struct tally tally = { .objects = 1, .storage = { [TALLY_INLINE] = 2 } };

	assert_int_equal(settle_tally(&tally), 0);
	assert_int_equal(tally.objects, 2);
	assert_int_equal(tally.storage[TALLY_NONE], 0);
}

static void owners_keep_their_sum(void **state)
{
	static const struct tally_dicts odd[] = {
		{ -1, 0, 0, 0 },
		{ 1, -64, 0, 0 },
		{ 1, 64, -1, 0 },
		{ 1, 64, 3, 2 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		struct tally_dicts owners[TALLY_DICT_OWNERS] = {
			[TALLY_OWNER_INSTANCE] = { 10, 640, 20, 50 },
			[TALLY_OWNER_MODULE] = { 2, 128, 5, 9 },
			[TALLY_OWNER_PLAIN] = odd[i],
		};

		settle_owners(owners);
		assert_int_equal(owners[TALLY_OWNER_PLAIN].count, 0);
		assert_int_equal(owners[TALLY_OWNER_PLAIN].owned, 0);
		assert_int_equal(owners[TALLY_OWNER_INSTANCE].count, 10 + odd[i].count);
		assert_int_equal(owners[TALLY_OWNER_INSTANCE].bytes, 640 + odd[i].bytes);
		assert_int_equal(owners[TALLY_OWNER_INSTANCE].used, 20 + odd[i].used);
		assert_int_equal(owners[TALLY_OWNER_INSTANCE].owned, 50 + odd[i].owned);
		assert_int_equal(owners[TALLY_OWNER_MODULE].count, 2);
	}
}

static void owners_in_step_stay(void **state)
{
	struct tally_dicts owners[TALLY_DICT_OWNERS] = {
		[TALLY_OWNER_INSTANCE] = { 10, 640, 20, 50 },
		[TALLY_OWNER_PLAIN] = { 1, 64, 2, 2 },
	};

	settle_owners(owners);
	assert_int_equal(owners[TALLY_OWNER_INSTANCE].count, 10);
	assert_int_equal(owners[TALLY_OWNER_PLAIN].count, 1);
}

/* What was found goes first, then buffers, then parts of dicts. */
static void buffers_are_given_back_by_who_has_most(void **state)
{
	struct heap_type rows[ROWS] = {};
	struct heap heap = { .types = rows };

	add_row(&heap, (struct tally){ .parts = { 100, 0, 0, 0, 400 } });
	add_row(&heap, (struct tally){ .parts = { 100, 0, 0, 0, 200 }, .found_bytes = 150 });
	add_row(&heap, (struct tally){ .parts = { 100, 60, 70, 80, 0 } });
	assert_int_equal(settle_rows(&heap, 0, 160), 0);
	assert_int_equal(row_at(&heap, 0).parts[TALLY_BUFFER], 390);
	assert_int_equal(row_at(&heap, 1).parts[TALLY_BUFFER], 50);
	assert_int_equal(row_at(&heap, 1).found_bytes, 0);
	assert_int_equal(heap.python_bytes, 1110 - 160);
	assert_int_equal(settle_rows(&heap, 0, 540), 0);
	assert_int_equal(row_at(&heap, 0).parts[TALLY_BUFFER], 0);
	assert_int_equal(row_at(&heap, 2).parts[TALLY_DICT_VALUES], 0);
	assert_int_equal(row_at(&heap, 2).parts[TALLY_DICT_KEYS], 50);
	assert_int_equal(heap.python_bytes, 1110 - 160 - 540);
	drop_rows(&heap);
}

static void dicts_are_given_back_by_who_has_dicts(void **state)
{
	struct heap_type rows[ROWS] = {};
	struct heap heap = { .types = rows };

	add_row(&heap, (struct tally){ .parts = { 100, 64, 0, 0, 9000 } });
	add_row(&heap, (struct tally){ .parts = { 100, 3000, 176, 0, 0 } });
	assert_int_equal(settle_rows(&heap, 2496, 0), 0);
	assert_int_equal(row_at(&heap, 0).parts[TALLY_BUFFER], 9000);
	assert_int_equal(row_at(&heap, 1).parts[TALLY_DICT], 504);
	assert_int_equal(settle_rows(&heap, 504 + 64 + 176 + 1000, 0), 0);
	assert_int_equal(row_at(&heap, 0).parts[TALLY_DICT], 0);
	assert_int_equal(row_at(&heap, 0).parts[TALLY_BUFFER], 8000);
	assert_int_equal(heap.python_bytes, 8200);
	drop_rows(&heap);
}

/* What objects take was read from their own blocks and is nobody else's; this ends all the same. */
static void more_than_there_is_ends(void **state)
{
	struct heap_type rows[ROWS] = {};
	struct heap heap = { .types = rows };

	add_row(&heap, (struct tally){ .parts = { 100, 10, 0, 0, 20 } });
	assert_int_equal(settle_rows(&heap, 1000, 1000), 0);
	assert_int_equal(heap.python_bytes, 100);
	assert_int_equal(row_at(&heap, 0).parts[TALLY_OBJECT], 100);
	drop_rows(&heap);
}

/* As a target may have it: one look at all of them for each that gives would take minutes. */
static void very_many_rows_give_in_few_rounds(void **state)
{
	enum { MANY = 200000 };
	struct heap_type *rows = calloc(MANY, sizeof(*rows));
	struct heap heap = { .types = rows };

	assert_non_null(rows);
	for (int i = 0; i < MANY; i++)
		add_row(&heap, (struct tally){ .parts = { 16, 64 + i % 7 } });
	assert_int_equal(settle_rows(&heap, (int64_t)heap.python_bytes, 0), 0);
	assert_int_equal(heap.python_bytes, 16 * MANY);
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(row_at(&heap, i).parts[TALLY_DICT], 0);
	drop_rows(&heap);
	free(rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tally_that_is_in_step_stays),
		cmocka_unit_test(one_part_makes_up_for_another),
		cmocka_unit_test(what_no_part_has_is_missing),
		cmocka_unit_test(objects_are_as_many_as_are_stored),
		cmocka_unit_test(owners_keep_their_sum),
		cmocka_unit_test(owners_in_step_stay),
		cmocka_unit_test(buffers_are_given_back_by_who_has_most),
		cmocka_unit_test(dicts_are_given_back_by_who_has_dicts),
		cmocka_unit_test(more_than_there_is_ends),
		cmocka_unit_test(very_many_rows_give_in_few_rounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
