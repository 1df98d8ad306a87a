/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/util.h"
#include "model/compose.h"

static struct heap *make_heap(void)
{
	const struct tally small = { .objects = 2,
				     .parts = { 64 },
				     .storage = { [TALLY_NONE] = 2 } },
			   big = {
				   .objects = 3,
				   .sizeof_bytes = 168,
				   .parts = { 192, 64, 128, 48, 16 },
				   .storage = { 1, 2 },
				   .capacity_used = 5,
				   .capacity_owned = 8,
			   };
	struct names_keys *keys = calloc(1, sizeof(*keys));
	struct heap *heap = calloc(1, sizeof(*heap));

	heap->types = calloc(2, sizeof(*heap->types));
	heap->types_count = 2;
	heap->types[0] = (struct heap_type){
		.addr = 0x1000,
		.name = strdup("small"),
	};
	heap->types[1] = (struct heap_type){
		.addr = 0x2000,
		.name = strdup("app.Big"),
		.heap = true,
		.has_capacity = true,
		.shared_keys = keys,
	};
	assert_int_equal(tally_pack(&heap->types[0].tally, &small), 0);
	assert_int_equal(tally_pack(&heap->types[1].tally, &big), 0);
	*keys = (struct names_keys){ .used = 1, .capacity = 30, .bytes = 768 };
	keys->list = calloc(2, sizeof(char *));
	keys->list[0] = strdup("a");
	keys->count = 1;
	heap->python_bytes = 512;
	heap->unattributed_bytes = 512;
	heap->unattributed_blocks = 16;
	heap->books.arena_bytes = 1 << 20;
	heap->books.class_pools[2] = 4;
	heap->books.class_inuse[2] = 7;
	heap->books.class_free[2] = 9;
	heap->has_glibc = true;
	heap->books.glibc.heap_bytes = 1000;
	heap->books.glibc.free_bytes = 100;
	heap->malloc_python_bytes = 300;
	return heap;
}

static void types_come_largest_first_and_whole(void **state)
{
	cleanup(heap_freep) struct heap *heap = make_heap();
	_cleanup_picture_ struct picture *pic = picture_new();
	const struct picture_type *big;

	assert_int_equal(compose_heap(pic, heap, NULL, 16), 0);
	assert_int_equal(pic->types_count, 2);
	big = &pic->types[0];
	assert_string_equal(big->name, "app.Big");
	assert_true(big->heap);
	assert_int_equal(big->inuse_objects, 3);
	assert_int_equal(big->inuse_bytes, 192 + 64 + 128 + 48 + 16);
	assert_int_equal(big->parts[PICTURE_PART_DICT_KEYS], 128);
	assert_int_equal(big->storage[PICTURE_STORAGE_SPLIT], 2);
	assert_int_equal(big->capacity_owned, 8);
	assert_int_equal(big->shared_keys->used, 1);
	assert_string_equal(big->shared_keys->names[0], "a");
	assert_int_equal(pic->types[1].capacity_used, PICTURE_UNKNOWN);
	assert_null(pic->types[1].shared_keys);
	assert_int_equal(pic->types[1].delta_objects, PICTURE_UNKNOWN);
	assert_true(isnan(pic->types[1].alloc_objects_per_second));
}

static void books_are_taken_over(void **state)
{
	cleanup(heap_freep) struct heap *heap = make_heap();
	_cleanup_picture_ struct picture *pic = picture_new();

	assert_int_equal(compose_heap(pic, heap, NULL, 16), 0);
	assert_int_equal(pic->memory.arena_bytes, 1 << 20);
	assert_int_equal(pic->memory.size_classes_count, 1);
	assert_int_equal(pic->memory.size_classes[0].size_bytes, 48);
	assert_int_equal(pic->memory.size_classes[0].free_blocks, 9);
	assert_int_equal(pic->memory.malloc_other_bytes, 600);
	assert_float_equal(pic->census.attributed_ratio, 0.5, 1e-9);
	assert_int_equal(pic->unattributed_blocks, 16);
}

static void without_glibc_malloc_is_unknown(void **state)
{
	cleanup(heap_freep) struct heap *heap = make_heap();
	_cleanup_picture_ struct picture *pic = picture_new();

	heap->has_glibc = false;
	assert_int_equal(compose_heap(pic, heap, NULL, 16), 0);
	assert_int_equal(pic->memory.malloc_heap_bytes, PICTURE_UNKNOWN);
	assert_int_equal(pic->memory.malloc_other_bytes, PICTURE_UNKNOWN);
}

static void spent_rows_are_given_up(void **state)
{
	cleanup(heap_freep) struct heap *heap = make_heap();
	_cleanup_picture_ struct picture *pic = picture_new();

	assert_int_equal(compose_heap(pic, heap, heap, 16), 0);
	assert_int_equal(heap->types_count, 0);
	assert_int_equal(pic->types_count, 2);
	assert_string_equal(pic->types[0].name, "app.Big");
	assert_string_equal(pic->types[0].shared_keys->names[0], "a");
	assert_string_equal(pic->types[1].name, "small");
	assert_int_equal(pic->types[1].inuse_bytes, 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types_come_largest_first_and_whole),
		cmocka_unit_test(spent_rows_are_given_up),
		cmocka_unit_test(books_are_taken_over),
		cmocka_unit_test(without_glibc_malloc_is_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
