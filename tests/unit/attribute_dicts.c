/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "attribute/dicts.h"
#include "fake_python.h"

#define GENERAL 0
#define UNICODE 1
#define SPLIT 2

static struct world w;

static int setup_version(const char *version)
{
	world_init(&w, version);
	return 0;
}

static int setup_38(void **state)
{
	return setup_version("3.8");
}

static int setup_311(void **state)
{
	return setup_version("3.11");
}

static int setup_313(void **state)
{
	return setup_version("3.13");
}

static int teardown(void **state)
{
	world_fini(&w);
	return 0;
}

/* ---- headers of keys ----------------------------------------------------------------------------
 */

static void make_header(const struct layout *l, uint8_t header[DICT_KEYS_HEADER], unsigned int log2,
			uint8_t kind)
{
	uint64_t size = 1ull << log2, one = 1, usable = size * 2 / 3;

	memset(header, 0, DICT_KEYS_HEADER);
	memcpy(header + l->dk_refcnt, &one, 8);
	if (l->keys == LAYOUT_KEYS_SIZE) {
		memcpy(header + l->dk_size, &size, 8);
	} else {
		header[l->dk_log2_size] = (uint8_t)log2;
		header[l->dk_log2_index_bytes] = (uint8_t)(log2 + (log2 > 15  ? 2
								   : log2 > 7 ? 1
									      : 0));
		header[l->dk_kind] = kind;
	}
	memcpy(header + l->dk_usable, &usable, 8);
}

/* Sizes as sys.getsizeof() has them in the interpreters themselves. */
static void tables_have_the_sizes_of_cpython(void **state)
{
	static const struct {
		unsigned int log2;
		uint64_t slots, old, unicode, general;
	} rows[] = {
		{ 3, 5, 168, 120, 160 },     { 4, 10, 296, 208, 288 },
		{ 5, 21, 576, 400, 568 },    { 6, 42, 1112, 768, 1104 },
		{ 7, 85, 2208, 1520, 2200 }, { 11, 1365, 36896, 25968, 36888 },
	};
	size_t count;
	const struct layout *const *all = layout_all(&count);

	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < ARRAY_SIZE(rows); k++) {
			bool old = all[i]->keys == LAYOUT_KEYS_SIZE;
			uint8_t header[DICT_KEYS_HEADER];
			struct dict_keys keys;

			make_header(all[i], header, rows[k].log2, GENERAL);
			assert_true(dicts_decode_keys(all[i], header, &keys));
			assert_int_equal(keys.slots, rows[k].slots);
			assert_int_equal(keys.bytes, old ? rows[k].old : rows[k].general);
			assert_int_equal(keys.general, !old);
			make_header(all[i], header, rows[k].log2, UNICODE);
			assert_true(dicts_decode_keys(all[i], header, &keys));
			assert_int_equal(keys.bytes, old ? rows[k].old : rows[k].unicode);
			assert_false(keys.general);
		}
	}
}

static void all_versions_fit_what_is_fetched(void **state)
{
	size_t count;
	const struct layout *const *all = layout_all(&count);

	for (size_t i = 0; i < count; i++) {
		assert_true(all[i]->sizeof_dict <= FETCH_MAX);
		assert_true(all[i]->dk_indices <= DICT_KEYS_HEADER);
		assert_true(all[i]->dk_nentries + 8 <= DICT_KEYS_HEADER);
	}
}

static void the_empty_table_holds_nothing(void **state)
{
	const struct layout *l = fake_layout("3.11");
	uint8_t header[DICT_KEYS_HEADER];
	struct dict_keys keys;

	make_header(l, header, 0, UNICODE);
	assert_true(dicts_decode_keys(l, header, &keys));
	assert_int_equal(keys.slots, 0);
}

static void headers_that_make_no_sense_are_refused(void **state)
{
	const struct layout *l = fake_layout("3.11"), *old = fake_layout("3.8");
	uint8_t header[DICT_KEYS_HEADER];
	struct dict_keys keys;
	uint64_t bad[] = { 0, 3, 1ull << 41, UINT64_MAX };
	int64_t counts[] = { -1, 6, INT64_MIN, INT64_MAX };

	make_header(l, header, 41, UNICODE);
	assert_false(dicts_decode_keys(l, header, &keys));
	make_header(l, header, 3, 3);
	assert_false(dicts_decode_keys(l, header, &keys));
	make_header(l, header, 3, UNICODE);
	header[l->dk_log2_index_bytes] = 2;
	assert_false(dicts_decode_keys(l, header, &keys));
	header[l->dk_log2_index_bytes] = 255;
	assert_false(dicts_decode_keys(l, header, &keys));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		make_header(old, header, 3, 0);
		memcpy(header + old->dk_size, &bad[i], 8);
		assert_false(dicts_decode_keys(old, header, &keys));
	}
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		make_header(l, header, 3, UNICODE);
		memcpy(header + l->dk_nentries, &counts[i], 8);
		assert_false(dicts_decode_keys(l, header, &keys));
		make_header(l, header, 3, UNICODE);
		memcpy(header + l->dk_usable, &counts[i], 8);
		assert_false(dicts_decode_keys(l, header, &keys));
	}
}

/* ---- dicts --------------------------------------------------------------------------------------
 */

/* A dict in a 64-byte block and its unicode keys of 8 slots in one of 128. */
static uint64_t make_dict(uint64_t used)
{
	uint64_t block = world_pool(&w, 0, 3), keys = world_pool(&w, 1, 7);

	world_put_keys(&w, keys, 3, UNICODE, (int64_t)used);
	world_put_dict(&w, block + 16, used, keys, 0);
	return block;
}

static void visit(uint64_t block)
{
	struct object obj = world_object(&w, block + 16, 16, 64);

	dicts_visit(&w.worker, w.dict, &obj);
	worker_flush(&w.worker);
}

static void a_plain_dict_has_its_keys(void **state)
{
	visit(make_dict(2));
	assert_int_equal(w.worker.torn, 0);
	assert_int_equal(world_tally(&w, w.dict)->parts[TALLY_DICT_KEYS], 128);
	assert_int_equal(world_tally(&w, w.dict)->sizeof_bytes, 120);
	assert_int_equal(world_tally(&w, w.dict)->capacity_used, 2);
	assert_int_equal(world_tally(&w, w.dict)->capacity_owned, 5);
	assert_int_equal(w.worker.by_layout[TALLY_DICT_UNICODE].count, 1);
	assert_int_equal(w.worker.by_layout[TALLY_DICT_UNICODE].bytes, 64 + 128);
	assert_int_equal(w.worker.by_owner[TALLY_OWNER_PLAIN].bytes, 64 + 128);
	assert_int_equal(w.worker.claimed_blocks[7], 1);
}

static void the_dict_of_an_instance_goes_to_its_class(void **state)
{
	uint64_t block = make_dict(2);
	struct type *type;

	world_put_type(&w, WORLD_STATIC + 0x5000, "app.Thing", TPFLAGS_HAVE_GC, 32);
	type = world_type(&w, WORLD_STATIC + 0x5000);
	world_tally(&w, w.dict)->objects = 1;
	world_tally(&w, w.dict)->parts[TALLY_OBJECT] = 64;
	world_tally(&w, w.dict)->sizeof_bytes = 64;
	visit(block);
	dicts_adopt(&w.worker, type, block + 16, TALLY_OWNER_INSTANCE);
	worker_flush(&w.worker);
	assert_int_equal(world_tally(&w, type)->parts[TALLY_DICT], 64);
	assert_int_equal(world_tally(&w, type)->parts[TALLY_DICT_KEYS], 128);
	assert_int_equal(world_tally(&w, type)->storage[TALLY_COMBINED], 1);
	assert_int_equal(world_tally(&w, w.dict)->objects, 0);
	assert_int_equal(world_tally(&w, w.dict)->sizeof_bytes, 0);
	assert_int_equal(world_tally(&w, w.dict)->capacity_used, 0);
	for (int i = 0; i < TALLY_PARTS; i++)
		assert_int_equal(world_tally(&w, w.dict)->parts[i], 0);
	assert_int_equal(w.worker.by_owner[TALLY_OWNER_INSTANCE].count, 1);
	assert_int_equal(w.worker.by_owner[TALLY_OWNER_INSTANCE].bytes, 192);
	assert_int_equal(w.worker.by_owner[TALLY_OWNER_PLAIN].count, 0);
	assert_int_equal(w.worker.by_owner[TALLY_OWNER_PLAIN].bytes, 0);
	assert_int_equal(w.worker.by_layout[TALLY_DICT_UNICODE].bytes, 192);
	assert_int_equal(w.worker.claimed_blocks[7], 1); /* once, though it moved */
}

/* Two instances with the same __dict__: one row gets it. */
static void a_shared_dict_moves_once(void **state)
{
	uint64_t block = make_dict(1);

	fake_u64(&w.fake, block + 16 + w.layout->ob_refcnt, 2);
	visit(block);
	dicts_adopt(&w.worker, w.object, block + 16, TALLY_OWNER_INSTANCE);
	dicts_adopt(&w.worker, w.object, block + 16, TALLY_OWNER_INSTANCE);
	worker_flush(&w.worker);
	assert_int_equal(world_tally(&w, w.object)->parts[TALLY_DICT], 64);
	assert_int_equal(world_tally(&w, w.object)->storage[TALLY_COMBINED], 2);
	assert_int_equal(w.worker.by_owner[TALLY_OWNER_INSTANCE].count, 1);
}

/* Up to 3.10 an empty dict points to static values and is not split. */
static void the_empty_dict_is_empty(void **state)
{
	uint64_t block = world_pool(&w, 0, 3), keys = WORLD_STATIC + 0x5000;

	world_put_keys(&w, keys, 0, UNICODE, 0);
	fake_u64(&w.fake, keys + w.layout->dk_refcnt, 1);
	world_put_dict(&w, block + 16, 0, keys,
		       w.layout->keys == LAYOUT_KEYS_SIZE ? WORLD_STATIC + 0x5100 : 0);
	visit(block);
	assert_int_equal(w.worker.by_layout[TALLY_DICT_EMPTY].count, 1);
	assert_int_equal(w.worker.by_layout[TALLY_DICT_EMPTY].bytes, 64);
	assert_int_equal(world_tally(&w, w.dict)->parts[TALLY_DICT_KEYS], 0);
	assert_int_equal(world_tally(&w, w.dict)->parts[TALLY_DICT_VALUES], 0);
}

/* Values in a block of their own, whose beginning each version tells in its way. */
static void split_values_are_found(void **state)
{
	uint64_t block = world_pool(&w, 0, 3), keys = world_pool(&w, 1, 10),
		 values = world_pool(&w, 2, 3);

	world_put_keys(&w, keys, 3, SPLIT, 2);
	fake_u64(&w.fake, keys + w.layout->dk_refcnt, 9);
	switch (w.layout->values) {
	case LAYOUT_VALUES_PLAIN:
		break;
	case LAYOUT_VALUES_PREFIX:
		values += 8;
		fake_u8(&w.fake, values - 1, 8);
		fake_u8(&w.fake, values - 2, 2);
		break;
	case LAYOUT_VALUES_HEADER:
		fake_u8(&w.fake, values + w.layout->values_capacity, 5);
		break;
	}
	world_put_dict(&w, block + 16, 2, keys, values);
	visit(block);
	assert_int_equal(w.worker.torn, 0);
	assert_int_equal(w.worker.by_layout[TALLY_DICT_SPLIT].count, 1);
	assert_int_equal(world_tally(&w, w.dict)->parts[TALLY_DICT_VALUES], 64);
	assert_int_equal(world_tally(&w, w.dict)->parts[TALLY_DICT_KEYS], 0); /* the class's */
}

static void embedded_values_are_their_instances(void **state)
{
	uint64_t block = world_pool(&w, 0, 3), keys = world_pool(&w, 1, 10),
		 values = world_pool(&w, 2, 5) + 32;

	world_put_keys(&w, keys, 3, SPLIT, 2);
	fake_u64(&w.fake, keys + w.layout->dk_refcnt, 9);
	fake_u8(&w.fake, values + w.layout->values_capacity, 5);
	fake_u8(&w.fake, values + w.layout->values_embedded, 1);
	world_put_dict(&w, block + 16, 2, keys, values);
	visit(block);
	assert_int_equal(world_tally(&w, w.dict)->parts[TALLY_DICT_VALUES], 0);
	assert_int_equal(w.worker.by_layout[TALLY_DICT_SPLIT].count, 1);
}

static void values_without_a_dict_are_inline(void **state)
{
	uint64_t values = world_pool(&w, 2, 2) + 8;

	fake_u8(&w.fake, values - 1, 8);
	fake_u8(&w.fake, values - 2, 1);
	dicts_adopt_values(&w.worker, w.object, values);
	fake_u8(&w.fake, values + 48 - 1, 8);
	dicts_adopt_values(&w.worker, w.object, values + 48); /* none set */
	dicts_adopt_values(&w.worker, w.object, values + 96); /* no prefix: torn */
	worker_flush(&w.worker);
	assert_int_equal(world_tally(&w, w.object)->storage[TALLY_INLINE], 1);
	assert_int_equal(world_tally(&w, w.object)->storage[TALLY_NONE], 1);
	assert_int_equal(world_tally(&w, w.object)->parts[TALLY_DICT_VALUES], 96);
	assert_int_equal(w.worker.torn, 1);
}

static void shared_keys_are_charged_once(void **state)
{
	uint64_t keys = world_chunk(&w, 0x100, 784);
	struct type *type;

	world_put_type(&w, WORLD_STATIC + 0x5000, "Cls", TPFLAGS_HEAPTYPE | TPFLAGS_HAVE_GC, 32);
	fake_u64(&w.fake, WORLD_STATIC + 0x5000 + w.layout->ht_cached_keys, keys);
	type = world_type(&w, WORLD_STATIC + 0x5000);
	world_put_keys(&w, keys, 6, SPLIT, 3);
	dicts_charge_shared_keys(&w.worker, type, w.type);
	worker_flush(&w.worker);
	assert_int_equal(world_tally(&w, type)->parts[TALLY_DICT_KEYS], 784);
	assert_int_equal(world_tally(&w, w.type)->sizeof_bytes, 768);
	dicts_charge_shared_keys(&w.worker, type, w.type);
	worker_flush(&w.worker);
	assert_int_equal(world_tally(&w, type)->parts[TALLY_DICT_KEYS], 784);
}

static void nonsense_is_torn(void **state)
{
	uint64_t block = make_dict(2);

	fake_u64(&w.fake, block + 16 + w.layout->ma_used, 6); /* more than fits */
	visit(block);
	fake_u64(&w.fake, block + 16 + w.layout->ma_keys, 0xdead0000);
	visit(block);
	dicts_adopt(&w.worker, w.object, WORLD_STATIC + 0x8000, TALLY_OWNER_INSTANCE); /* no dict */
	dicts_adopt(&w.worker, w.object, 0xdead0000, TALLY_OWNER_INSTANCE);
	worker_flush(&w.worker);
	assert_int_equal(w.worker.torn, 4);
	assert_int_equal(w.worker.by_owner[TALLY_OWNER_PLAIN].count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_have_the_sizes_of_cpython),
		cmocka_unit_test(all_versions_fit_what_is_fetched),
		cmocka_unit_test(the_empty_table_holds_nothing),
		cmocka_unit_test(headers_that_make_no_sense_are_refused),
		cmocka_unit_test_setup_teardown(a_plain_dict_has_its_keys, setup_311, teardown),
		cmocka_unit_test_setup_teardown(the_dict_of_an_instance_goes_to_its_class,
						setup_311, teardown),
		cmocka_unit_test_setup_teardown(a_shared_dict_moves_once, setup_311, teardown),
		{ "the_empty_dict_is_empty_38", the_empty_dict_is_empty, setup_38, teardown, NULL },
		{ "the_empty_dict_is_empty_311", the_empty_dict_is_empty, setup_311, teardown,
		  NULL },
		{ "split_values_are_found_38", split_values_are_found, setup_38, teardown, NULL },
		{ "split_values_are_found_311", split_values_are_found, setup_311, teardown, NULL },
		{ "split_values_are_found_313", split_values_are_found, setup_313, teardown, NULL },
		cmocka_unit_test_setup_teardown(embedded_values_are_their_instances, setup_313,
						teardown),
		cmocka_unit_test_setup_teardown(values_without_a_dict_are_inline, setup_311,
						teardown),
		cmocka_unit_test_setup_teardown(shared_keys_are_charged_once, setup_311, teardown),
		cmocka_unit_test_setup_teardown(nonsense_is_torn, setup_311, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
