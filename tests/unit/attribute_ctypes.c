/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "attribute/ctypes.h"
#include "fake_python.h"

#define TYPE (WORLD_STATIC + 0x5000)

static struct world w;
static struct type *type;
static uint64_t block, chunk;

static void build(const char *version, const char *name, uint64_t flags, int64_t basicsize)
{
	world_init(&w, version);
	world_put_type(&w, TYPE, name, flags, basicsize);
	type = world_type(&w, TYPE);
	block = world_pool(&w, 0, 31); /* 512 bytes */
	chunk = world_chunk(&w, 0x100, 4016);
	fake_u64(&w.fake, block, 1);
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
	struct object obj = world_object(&w, block, 0, 512);

	*world_tally(&w, type) = (struct tally){};
	w.worker.torn = 0;
	type->builtin->visit(&w.worker, type, &obj);
	worker_flush(&w.worker);
}

static void assert_books(int64_t size, int64_t buffer, uint64_t torn)
{
	visit();
	assert_int_equal(world_tally(&w, type)->sizeof_bytes, size);
	assert_int_equal(world_tally(&w, type)->parts[TALLY_BUFFER], buffer);
	assert_int_equal(w.worker.torn, torn);
}

static void c_data_owns_what_does_not_fit(void **state)
{
	build("3.11", "_ctypes._CData", 0, 96);
	put(24, 1);
	put(40, 16);
	put(16, block + 80);
	assert_books(96, 0, 0);
	put(16, chunk);
	put(40, 4000);
	assert_books(96, 4016, 0);
	put(24, 0); /* another's memory */
	assert_books(96, 0, 0);
}

/* What ctypes knows of a class, from its size on, up to @end: two elements, a format, two
 * dimensions.
 */
static void put_info(uint64_t from, uint64_t end)
{
	fake_u64(&w.fake, from + 16, 2);
	fake_u64(&w.fake, from + 40, world_chunk(&w, 0x2000, 32));
	fake_u64(&w.fake, end - 24, world_chunk(&w, 0x3000, 48));
	fake_text(&w.fake, world_chunk(&w, 0x3000, 48), "T{<i:a:<i:b:}");
	fake_u32(&w.fake, end - 16, 2);
	fake_u64(&w.fake, end - 8, world_chunk(&w, 0x4000, 32));
}

#define INFO_BYTES (3 * 8 + 14 + 2 * 8)

static void a_dict_of_a_class_knows_more(void **state)
{
	const struct layout *l;
	int64_t size;

	build("3.11", "StgDict", TPFLAGS_DICT_SUBCLASS, 192);
	l = w.layout;
	put_info(block + l->sizeof_dict, block + 192);
	/* As _PyDict_SizeOf() and what is added to it say: its own fields twice. */
	size = 192 + 192 - l->sizeof_dict + INFO_BYTES;
	assert_books(size, 32 + 48 + 32, 1); /* that it has no keys is torn */
	world_fini(&w);
	build("3.11", "StgDict", TPFLAGS_DICT_SUBCLASS, 64);
	assert_books(64 + 64 - w.layout->sizeof_dict, 0, 2);
}

static void a_class_knows_more_behind_its_type_object(void **state)
{
	const struct layout *l;
	uint64_t info;

	build("3.13", "_ctypes.CType_Type", TPFLAGS_TYPE_SUBCLASS, 16);
	l = w.layout;
	type->basicsize = (int32_t)round_up((uint64_t)l->sizeof_heap_type, 16) + 160;
	info = block + round_up((uint64_t)l->sizeof_heap_type, 16);
	put_info(info + 8, block + (uint64_t)type->basicsize);
	/* The block holds no class: that is torn. */
	assert_books(type->basicsize + INFO_BYTES, 32 + 48 + 32, 1);
	type->basicsize += 100;
	assert_books(type->basicsize, 0, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(c_data_owns_what_does_not_fit, teardown),
		cmocka_unit_test_teardown(a_dict_of_a_class_knows_more, teardown),
		cmocka_unit_test_teardown(a_class_knows_more_behind_its_type_object, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
