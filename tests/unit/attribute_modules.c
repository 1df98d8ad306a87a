/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "attribute/classify.h"
#include "attribute/modules.h"
#include "fake_python.h"

#define TYPE (WORLD_STATIC + 0x5000)

static struct world w;
static struct type *type;
static uint64_t block, chunk;

static void build(const char *name, int64_t basicsize)
{
	world_init(&w, "3.11");
	world_put_type(&w, TYPE, name, 0, basicsize);
	type = world_type(&w, TYPE);
	block = world_pool(&w, 0, 15); /* 256 bytes */
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
	struct object obj = world_object(&w, block, 0, 256);

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

static void decimals_own_their_digits_unless_these_are_inside(void **state)
{
	build("decimal.Decimal", 104);
	put(24, 1 | 32); /* negative, digits inside */
	put(56, 4);
	put(64, block + 72);
	assert_books(104, 0, 0);
	put(24, 1);
	put(56, 500);
	put(64, chunk);
	assert_books(104 + 4000, 4016, 0);
	put(56, 1ull << 50);
	assert_books(104, 0, 1);
}

static void streams_own_their_buffers(void **state)
{
	build("_io.StringIO", 120);
	put(16, chunk);
	put(40, 1000);
	assert_books(120, 4016, 0);
	put(40, 1ull << 50);
	assert_books(120, 0, 1);
	world_fini(&w);
	build("_io.BufferedReader", 152);
	assert_books(152, 0, 0); /* closed */
	put(56, chunk);
	put(120, 4000);
	assert_books(152 + 4000, 4016, 0);
	put(120, 1ull << 50);
	assert_books(152, 0, 1);
}

static void elements_own_attributes_and_children(void **state)
{
	uint64_t extra;

	build("xml.etree.ElementTree.Element", 56);
	assert_books(56, 0, 0);
	extra = world_chunk(&w, 0x2000, 80);
	put(40, extra);
	fake_u64(&w.fake, extra + 16, 4);
	fake_u64(&w.fake, extra + 24, extra + 32); /* four children have room inside */
	assert_books(56 + 64, 80, 0);
	fake_u64(&w.fake, extra + 16, 500);
	fake_u64(&w.fake, extra + 24, chunk);
	assert_books(56 + 64 + 4000, 80 + 4016, 0);
	fake_u64(&w.fake, extra + 16, 1ull << 50);
	assert_books(56, 0, 1);
}

static void a_type_of_another_size_is_another(void **state)
{
	build("decimal.Decimal", 112);
	assert_null(type->builtin);
}

/* Without a time zone a time has 32 bytes, which its type calls 40. */
static void times_may_be_shorter_than_their_type_says(void **state)
{
	struct type *found = NULL;
	uint8_t data[32];

	build("datetime.time", 40);
	assert_int_equal(memory_read(w.fake.mem, block, data, sizeof(data)), 0);
	assert_int_equal(classify_block(&w.worker, data, 32, 32, &found), BLOCK_OBJECT);
	assert_ptr_equal(found, type);
	assert_int_equal(builtins_sizeof(&type->size, data, 32), 40);
	world_fini(&w);
	build("datetime.delta", 40);
	assert_int_equal(classify_block(&w.worker, data, 32, 32, &found), BLOCK_RAW);
}

static void scalars_of_numpy_are_counted_with_their_value(void **state)
{
	build("numpy.float32", 24);
	assert_int_equal(type->size.base, 28);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(decimals_own_their_digits_unless_these_are_inside,
					  teardown),
		cmocka_unit_test_teardown(streams_own_their_buffers, teardown),
		cmocka_unit_test_teardown(elements_own_attributes_and_children, teardown),
		cmocka_unit_test_teardown(a_type_of_another_size_is_another, teardown),
		cmocka_unit_test_teardown(times_may_be_shorter_than_their_type_says, teardown),
		cmocka_unit_test_teardown(scalars_of_numpy_are_counted_with_their_value, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
