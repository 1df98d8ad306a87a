/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "attribute/attributes.h"
#include "fake_python.h"

#define CLS (WORLD_STATIC + 0x5000)

static struct world w;
static struct type *type;

static void build(const char *version, uint64_t flags, int64_t basicsize)
{
	world_init(&w, version);
	world_put_type(&w, CLS, "Cls", TPFLAGS_HAVE_GC | flags, basicsize);
}

static int teardown(void **state)
{
	world_fini(&w);
	return 0;
}

/* Visits the object in the first 112-byte block of pool 0. */
static void visit(uint64_t block)
{
	struct object obj;

	type = world_type(&w, CLS);
	obj = world_object(&w, block + type->pre, type->pre, 112);
	*world_tally(&w, type) = (struct tally){};
	attributes_visit(&w.worker, type, &obj, fake_at(&w.fake, block, 112));
	worker_flush(&w.worker);
}

static void assert_storage(enum tally_storage storage)
{
	for (int i = 0; i < TALLY_STORAGES; i++)
		assert_int_equal(world_tally(&w, type)->storage[i], i == (int)storage);
}

/* A dict in pool 1, its unicode keys in pool 2. */
static uint64_t some_dict(void)
{
	uint64_t dict = world_pool(&w, 1, 3) + 16, keys = world_pool(&w, 2, 7);

	world_put_keys(&w, keys, 3, 1, 1);
	world_put_dict(&w, dict, 1, keys, 0);
	return dict;
}

static void a_dict_at_an_offset(void **state)
{
	uint64_t block;

	build("3.8", 0, 32);
	fake_u64(&w.fake, CLS + w.layout->tp_dictoffset, 16);
	block = world_pool(&w, 0, 6);
	visit(block);
	assert_storage(TALLY_NONE);
	fake_u64(&w.fake, block + 16 + 16, some_dict());
	visit(block);
	assert_storage(TALLY_COMBINED);
	assert_int_equal(world_tally(&w, type)->parts[TALLY_DICT], 64);
}

static void a_dict_behind_the_items(void **state)
{
	uint64_t block;

	build("3.8", 0, 32);
	fake_u64(&w.fake, CLS + w.layout->tp_dictoffset, (uint64_t)-8);
	fake_u64(&w.fake, CLS + w.layout->tp_itemsize, 4);
	block = world_pool(&w, 0, 6);
	fake_u64(&w.fake, block + 16 + w.layout->ob_size, (uint64_t)-3); /* an int's sign */
	fake_u64(&w.fake, block + 16 + 40, some_dict()); /* 32 + 3 * 4, rounded up, - 8 */
	visit(block);
	assert_storage(TALLY_COMBINED);
}

static void an_offset_that_leaves_the_block_is_torn(void **state)
{
	static const uint64_t sizes[] = { 1000, INT64_MAX, (uint64_t)INT64_MIN, 1ull << 33 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint64_t block;

		build("3.8", 0, 32);
		fake_u64(&w.fake, CLS + w.layout->tp_dictoffset, (uint64_t)-8);
		fake_u64(&w.fake, CLS + w.layout->tp_itemsize, 4);
		block = world_pool(&w, 0, 6);
		fake_u64(&w.fake, block + 16 + w.layout->ob_size, sizes[i]);
		visit(block);
		assert_int_equal(w.worker.torn, 1);
		if (i + 1 < ARRAY_SIZE(sizes))
			world_fini(&w);
	}
}

/* 3.11: values or a dict in front. */
static void values_beside_the_object(void **state)
{
	uint64_t block, values;

	build("3.11", 1 << 4, 24);
	block = world_pool(&w, 0, 6);
	visit(block);
	assert_storage(TALLY_NONE);
	values = world_pool(&w, 1, 3) + 8;
	fake_u8(&w.fake, values - 1, 8);
	fake_u8(&w.fake, values - 2, 2);
	fake_u64(&w.fake, block, values);
	visit(block);
	assert_storage(TALLY_INLINE);
	assert_int_equal(world_tally(&w, type)->parts[TALLY_DICT_VALUES], 64);
	fake_u64(&w.fake, block, 0);
	fake_u64(&w.fake, block + 8, some_dict());
	visit(block);
	assert_storage(TALLY_COMBINED);
}

/* 3.12: one word, tagged. */
static void a_tagged_word(void **state)
{
	uint64_t block, values;

	build("3.12", 1 << 4, 16);
	block = world_pool(&w, 0, 6);
	values = world_pool(&w, 1, 3) + 8;
	fake_u8(&w.fake, values - 1, 8);
	fake_u8(&w.fake, values - 2, 2);
	fake_u64(&w.fake, block + 8, values - 1);
	visit(block);
	assert_storage(TALLY_INLINE);
	fake_u64(&w.fake, block + 8, some_dict());
	visit(block);
	assert_storage(TALLY_COMBINED);
	fake_u64(&w.fake, block + 8, 0);
	visit(block);
	assert_storage(TALLY_NONE);
}

/* 3.13: values behind the object. */
static void inline_values(void **state)
{
	const struct layout *l;
	uint64_t block, values;

	build("3.13", 1 << 4 | 1 << 2, 16);
	l = w.layout;
	block = world_pool(&w, 0, 6);
	values = block + 32 + 16;
	visit(block);
	assert_storage(TALLY_NONE);
	fake_u8(&w.fake, values + l->values_capacity, 5);
	fake_u8(&w.fake, values + l->values_size, 2);
	fake_u8(&w.fake, values + l->values_embedded, 1);
	fake_u8(&w.fake, values + l->values_valid, 1);
	visit(block);
	assert_storage(TALLY_INLINE);
	fake_u8(&w.fake, values + l->values_valid, 0);
	visit(block);
	assert_storage(TALLY_NONE);
	fake_u64(&w.fake, block + 8, some_dict());
	visit(block);
	assert_storage(TALLY_COMBINED);
}

static void slots_have_no_dict(void **state)
{
	uint64_t block;

	build("3.11", 0, 24);
	block = world_pool(&w, 0, 6);
	visit(block);
	assert_storage(TALLY_NONE);
	type->has_slots = true;
	visit(block);
	assert_storage(TALLY_SLOTS);
}

static void the_owner_is_told_apart(void **state)
{
	uint64_t block, dict;

	build("3.8", 0, 32);
	world_put_type(&w, CLS, "module", TPFLAGS_HAVE_GC, 32);
	fake_u64(&w.fake, CLS + w.layout->tp_dictoffset, 16);
	block = world_pool(&w, 0, 6);
	dict = some_dict();
	fake_u64(&w.fake, block + 16 + 16, dict);
	visit(block);
	assert_int_equal(w.worker.by_owner[TALLY_OWNER_MODULE].count, 1);
	assert_int_equal(w.worker.by_owner[TALLY_OWNER_INSTANCE].count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_dict_at_an_offset, teardown),
		cmocka_unit_test_teardown(a_dict_behind_the_items, teardown),
		cmocka_unit_test_teardown(an_offset_that_leaves_the_block_is_torn, teardown),
		cmocka_unit_test_teardown(values_beside_the_object, teardown),
		cmocka_unit_test_teardown(a_tagged_word, teardown),
		cmocka_unit_test_teardown(inline_values, teardown),
		cmocka_unit_test_teardown(slots_have_no_dict, teardown),
		cmocka_unit_test_teardown(the_owner_is_told_apart, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
