/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "attribute/builtins.h"
#include "fake_python.h"

#define TYPE (WORLD_STATIC + 0x5000)

static struct world w;
static struct type *type;
static uint64_t block;

static void build(const char *version, const char *name, uint64_t flags, int64_t basicsize,
		  int64_t itemsize)
{
	world_init(&w, version);
	world_put_type(&w, TYPE, name, flags, basicsize);
	fake_u64(&w.fake, TYPE + w.layout->tp_itemsize, (uint64_t)itemsize);
	type = world_type(&w, TYPE);
	block = world_pool(&w, 0, 15); /* 256 bytes */
	fake_u64(&w.fake, block + 8, TYPE);
}

static int teardown(void **state)
{
	world_fini(&w);
	return 0;
}

static void put(uint32_t offset, uint64_t value)
{
	fake_u64(&w.fake, block + offset, value);
}

static void visit(void)
{
	struct object obj = world_object(&w, block, 0, 256);

	*world_tally(&w, type) = (struct tally){};
	w.worker.torn = 0;
	type->builtin->visit(&w.worker, type, &obj);
	worker_flush(&w.worker);
}

static void lists_own_their_items(void **state)
{
	uint64_t items;

	build("3.11", "list", TPFLAGS_LIST_SUBCLASS, 40, 0);
	items = world_chunk(&w, 0x100, 96);
	put(w.layout->ob_size, 7);
	put(w.layout->list_allocated, 10);
	put(w.layout->list_items, items);
	visit();
	assert_int_equal(world_tally(&w, type)->sizeof_bytes, 40 + 80);
	assert_int_equal(world_tally(&w, type)->capacity_used, 7);
	assert_int_equal(world_tally(&w, type)->capacity_owned, 10);
	assert_int_equal(world_tally(&w, type)->parts[TALLY_BUFFER], 96);
	put(w.layout->ob_size, 11); /* more than there is room for */
	visit();
	assert_int_equal(w.worker.torn, 1);
	put(w.layout->ob_size, 1ull << 62);
	put(w.layout->list_allocated, 1ull << 62);
	visit();
	assert_int_equal(w.worker.torn, 1);
	assert_int_equal(world_tally(&w, type)->sizeof_bytes, 0);
}

static void small_sets_have_no_table_of_their_own(void **state)
{
	build("3.11", "set", 0, fake_layout("3.11")->sizeof_set, 0);
	put(w.layout->set_used, 3);
	put(w.layout->set_mask, 7);
	put(w.layout->set_table, block + w.layout->set_smalltable);
	visit();
	assert_int_equal(world_tally(&w, type)->sizeof_bytes, w.layout->sizeof_set);
	assert_int_equal(world_tally(&w, type)->parts[TALLY_BUFFER], 0);
	put(w.layout->set_mask, 31);
	put(w.layout->set_table, world_chunk(&w, 0x100, 528));
	visit();
	assert_int_equal(world_tally(&w, type)->sizeof_bytes, w.layout->sizeof_set + 512);
	assert_int_equal(world_tally(&w, type)->parts[TALLY_BUFFER], 528);
	put(w.layout->set_mask, 30); /* no power of two */
	visit();
	assert_int_equal(w.worker.torn, 1);
	put(w.layout->set_mask, UINT64_MAX);
	visit();
	assert_int_equal(w.worker.torn, 1);
}

static void ascii_strs_are_compact(void **state)
{
	build("3.12", "str", TPFLAGS_UNICODE_SUBCLASS, fake_layout("3.12")->sizeof_unicode, 0);
	world_put_str(&w, block, "hello");
	fake_u64(&w.fake, block + 8, TYPE);
	visit();
	assert_int_equal(world_tally(&w, type)->sizeof_bytes, w.layout->sizeof_ascii + 6);
	put(w.layout->str_length, UINT64_MAX);
	visit();
	assert_int_equal(w.worker.torn, 1);
}

static void bytearrays_count_what_they_own(void **state)
{
	build("3.11", "bytearray", 0, fake_layout("3.11")->sizeof_bytearray, 0);
	put(w.layout->ob_size, 60);
	put(w.layout->bytearray_alloc, 100);
	put(w.layout->bytearray_data, world_chunk(&w, 0x100, 112));
	visit();
	assert_int_equal(world_tally(&w, type)->sizeof_bytes, w.layout->sizeof_bytearray + 100);
	assert_int_equal(world_tally(&w, type)->parts[TALLY_BUFFER], 112);
	put(w.layout->ob_size, (uint64_t)INT64_MIN);
	visit();
	assert_int_equal(w.worker.torn, 1);
}

static void items_that_do_not_fit_are_torn(void **state)
{
	struct object obj;

	build("3.11", "lib.Var", 0, 24, 8);
	obj = world_object(&w, block, 0, 256);
	put(w.layout->ob_size, 4);
	assert_int_equal(builtins_items(&w.worker, type, &obj), 4);
	put(w.layout->ob_size, (uint64_t)-4);
	assert_int_equal(builtins_items(&w.worker, type, &obj), 0);
	assert_int_equal(w.worker.torn, 0);
	put(w.layout->ob_size, INT64_MAX);
	assert_int_equal(builtins_items(&w.worker, type, &obj), 0);
	assert_int_equal(w.worker.torn, 1);
}

/* A row is for its name, flag and size together. */
static void a_name_alone_does_not_make_a_builtin(void **state)
{
	build("3.11", "list", 0, 40, 0);
	assert_null(type->builtin); /* object's fields are not all that it has */
	world_put_type(&w, TYPE + 0x400, "list", TPFLAGS_LIST_SUBCLASS, 48);
	assert_null(world_type(&w, TYPE + 0x400)->builtin);
	world_put_type(&w, TYPE + 0x800, "list", TPFLAGS_LIST_SUBCLASS, 40);
	assert_string_equal(world_type(&w, TYPE + 0x800)->builtin->name, "list");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(lists_own_their_items, teardown),
		cmocka_unit_test_teardown(small_sets_have_no_table_of_their_own, teardown),
		cmocka_unit_test_teardown(ascii_strs_are_compact, teardown),
		cmocka_unit_test_teardown(bytearrays_count_what_they_own, teardown),
		cmocka_unit_test_teardown(items_that_do_not_fit_are_torn, teardown),
		cmocka_unit_test_teardown(a_name_alone_does_not_make_a_builtin, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
