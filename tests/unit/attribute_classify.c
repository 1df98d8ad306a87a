/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "attribute/builtins.h"
#include "attribute/classify.h"
#include "fake_python.h"

#define THING (WORLD_STATIC + 0x5000)
#define PLAIN (WORLD_STATIC + 0x6000)
#define LOW_HEAP 0x2499f000ull

static struct world w;
static struct type *thing, *plain;

static int setup(void **state)
{
	world_init(&w, "3.11");
	world_put_type(&w, THING, "lib.Thing", TPFLAGS_HAVE_GC, 32);
	world_put_type(&w, PLAIN, "float", 0, 24);
	thing = world_type(&w, THING);
	plain = world_type(&w, PLAIN);
	return 0;
}

static int teardown(void **state)
{
	world_fini(&w);
	return 0;
}

static void put_object(uint8_t *block, uint32_t front, uint64_t count, uint64_t type)
{
	memcpy(block + front + w.layout->ob_refcnt, &count, 8);
	memcpy(block + front + w.layout->ob_type, &type, 8);
}

static enum block_kind classify(const uint8_t *block, uint32_t len, struct type **type)
{
	return classify_block(&w.worker, block, len, len, type);
}

static void objects_are_told_by_their_type(void **state)
{
	uint8_t block[64] = {};
	struct type *type = NULL;

	assert_int_equal(classify(block, 64, &type), BLOCK_RAW);
	put_object(block, 16, 3, THING);
	assert_int_equal(classify(block, 64, &type), BLOCK_OBJECT);
	assert_ptr_equal(type, thing);
	put_object(block, 16, 0, THING);
	assert_int_equal(classify(block, 64, &type), BLOCK_DEAD);
	put_object(block, 16, 0x7f0012345678, THING);
	assert_int_equal(classify(block, 64, &type), BLOCK_RAW);
	memset(block, 0, 64);
	put_object(block, 0, 1, THING); /* no GC head in front of it */
	assert_int_equal(classify(block, 64, &type), BLOCK_RAW);
	put_object(block, 0, 1, PLAIN);
	assert_int_equal(classify(block, 64, &type), BLOCK_OBJECT);
	assert_ptr_equal(type, plain);
	put_object(block, 0, WORLD_STATIC + 8,
		   PLAIN); /* a pointer to a static object is no count */
	assert_int_equal(classify(block, 64, &type), BLOCK_RAW);
}

static void a_block_too_small_for_the_type_is_none(void **state)
{
	uint8_t block[64] = {};
	struct type *type;

	put_object(block, 16, 1, THING); /* 16 in front and 32 */
	assert_int_equal(classify(block, 48, &type), BLOCK_OBJECT);
	assert_int_equal(classify(block, 32, &type), BLOCK_RAW);
	assert_int_equal(classify(block, 16, &type), BLOCK_RAW);
	assert_int_equal(classify(block, 8, &type), BLOCK_RAW);
}

/* Objects, dead ones, raw blocks and free ones in one pool. */
static void a_pool_is_booked_block_by_block(void **state)
{
	const struct layout *l = w.layout;
	uint64_t first = world_pool(&w, 0, 2), addr = first - l->pool_overhead;
	struct pool pool;

	fake_pool(&w.fake, l, addr, 2, 0, 40);
	for (uint32_t i = 0; i < 40; i++) {
		uint8_t *block = fake_at(&w.fake, first + 48 * i, 48);

		if (i < 20)
			put_object(block, i % 2 ? 16 : 0, 1,
				   i % 2 ? THING : PLAIN); /* they alternate */
		else if (i < 25)
			put_object(block, 16, 0, THING);
	}
	fake_pool_free(&w.fake, l, addr, 4);
	fake_pool_free(&w.fake, l, addr, 39);
	assert_int_equal(pool_parse(&pool, l, addr, fake_at(&w.fake, addr, l->pool_size)),
			 POOL_WHOLE);
	classify_pool(&w.visitor, &pool);
	classify_done(&w.visitor);
	assert_int_equal(world_tally(&w, thing)->objects, 10);
	assert_int_equal(world_tally(&w, thing)->parts[TALLY_OBJECT], 480);
	assert_int_equal(world_tally(&w, thing)->sizeof_bytes, 480);
	assert_int_equal(world_tally(&w, plain)->objects, 9);
	assert_int_equal(world_tally(&w, plain)->sizeof_bytes, 9 * 24);
	assert_int_equal(w.worker.object_blocks[2], 19);
	assert_int_equal(w.worker.dead_blocks[2], 5);
	assert_int_equal(w.worker.raw_blocks[2], 14);
}

#define LIST (WORLD_STATIC + 0x7000)

/* Whatever is said of the usual ones in short is what is said of them one by one: seen both ways,
 * everything is there twice. */
static void assert_twice(uint64_t addr, struct type *type, uint32_t class)
{
	struct tally once = *world_tally(&w, type);
	uint64_t claimed = w.worker.claimed_blocks[2];
	const struct tally *now = world_tally(&w, type);
	struct pool pool;

	pool_parse(&pool, w.layout, addr, fake_at(&w.fake, addr, w.layout->pool_size));
	for (uint32_t i = 0; i < pool.blocks_count; i++) {
		uint64_t block = pool_block_addr(&pool, w.layout, i);
		struct object obj =
			world_object(&w, block + type->pre, type->pre, (class + 1) * 16ull);

		if (load_u64(obj.data + w.layout->ob_type) == type->addr)
			type->builtin->visit(&w.worker, type, &obj);
	}
	assert_int_equal(now->sizeof_bytes, 2 * once.sizeof_bytes);
	assert_int_equal(now->capacity_used, 2 * once.capacity_used);
	assert_int_equal(now->capacity_owned, 2 * once.capacity_owned);
	assert_int_equal(now->parts[TALLY_BUFFER], 2 * once.parts[TALLY_BUFFER]);
	assert_int_equal(now->facts.spare_bytes, 2 * once.facts.spare_bytes);
	assert_int_equal(w.worker.claimed_blocks[2], 2 * claimed);
}

static void usual_lists_are_like_the_others(void **state)
{
	const struct layout *l = w.layout;
	uint64_t buffers = world_pool(&w, 1, 2), first = world_pool(&w, 0, 3);
	/* used, allocated, where: a block, none, in the midst of a block, where no pool is */
	const uint64_t lists[][3] = {
		{ 6, 6, buffers },
		{ 1, 1, buffers + 48 },
		{ 2, 4, buffers + 96 },
		{ 0, 0, 0 },
		{ 7, 7, buffers },
		{ 3, 3, buffers + 8 },
		{ 3, 3, WORLD_STATIC + 0x800 },
		{ 9, 3, buffers },
		{ 1ull << 61, 1ull << 61, buffers },
		{ 4, 4, buffers + 144 },
	};
	struct type *list;
	struct pool pool;

	world_put_type(&w, LIST, "list", TPFLAGS_LIST_SUBCLASS | TPFLAGS_HAVE_GC, l->sizeof_list);
	list = world_type(&w, LIST);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		uint8_t *obj = fake_at(&w.fake, first + 64 * i, 64);

		put_object(obj, 16, 1, LIST);
		memcpy(obj + 16 + l->ob_size, &lists[i][0], 8);
		memcpy(obj + 16 + l->list_allocated, &lists[i][1], 8);
		memcpy(obj + 16 + l->list_items, &lists[i][2], 8);
	}
	pool_parse(&pool, l, first - l->pool_overhead,
		   fake_at(&w.fake, first - l->pool_overhead, l->pool_size));
	classify_pool(&w.visitor, &pool);
	assert_int_equal(world_tally(&w, list)->objects, ARRAY_SIZE(lists));
	assert_int_equal(world_tally(&w, list)->parts[TALLY_BUFFER], 4 * 48);
	assert_int_equal(world_tally(&w, list)->capacity_owned, 6 + 1 + 4 + 7 + 3 + 3 + 4);
	assert_int_equal(w.worker.claimed_blocks[2], 4);
	assert_twice(first - l->pool_overhead, list, 3);
}

static void usual_strs_are_like_the_others(void **state)
{
	const struct layout *l = w.layout;
	uint64_t first = world_pool(&w, 0, 5), buffers = world_pool(&w, 1, 2);
	const uint32_t kind = 1u << l->str_kind_shift, ascii = l->str_ascii_mask,
		       compact = l->str_compact_mask;
	/* length, state, another representation of it */
	const uint64_t strs[][3] = {
		{ 5, kind | ascii | compact, 0 },
		{ 0, kind | ascii | compact, 0 },
		{ 9, kind | ascii | compact, buffers },
		{ 5, kind | compact, 0 },
		{ 5, 2 * kind | compact, 0 },
		{ 5, kind | ascii, 0 },
		{ 1ull << 60, kind | ascii | compact, 0 },
	};
	struct type *str;
	struct pool pool;

	world_put_type(&w, LIST, "str", TPFLAGS_UNICODE_SUBCLASS, l->sizeof_unicode);
	str = world_type(&w, LIST);
	for (size_t i = 0; i < ARRAY_SIZE(strs); i++) {
		uint8_t *obj = fake_at(&w.fake, first + 96 * i, 96);

		put_object(obj, 0, 1, LIST);
		memcpy(obj + l->str_length, &strs[i][0], 8);
		memcpy(obj + l->str_state, &strs[i][1], 4);
		memcpy(obj + l->str_wstr, &strs[i][2], 8);
	}
	pool_parse(&pool, l, first - l->pool_overhead,
		   fake_at(&w.fake, first - l->pool_overhead, l->pool_size));
	classify_pool(&w.visitor, &pool);
	assert_int_equal(world_tally(&w, str)->objects, ARRAY_SIZE(strs));
	assert_true(world_tally(&w, str)->sizeof_bytes > 0);
	assert_twice(first - l->pool_overhead, str, 5);
}

static void free_lists_make_raw_blocks_dead(void **state)
{
	const struct layout *l = w.layout;
	uint64_t first = world_pool(&w, 0, 1), addr = first - l->pool_overhead,
		 dead[] = { first, first + 32 + 16 };
	struct pool pool;

	fake_pool(&w.fake, l, addr, 1, 0, 3);
	w.census.dead = (struct freelists){ dead, 2 }; /* one behind its GC head */
	assert_int_equal(pool_parse(&pool, l, addr, fake_at(&w.fake, addr, l->pool_size)),
			 POOL_WHOLE);
	classify_pool(&w.visitor, &pool);
	assert_int_equal(w.worker.dead_blocks[1], 2);
	assert_int_equal(w.worker.raw_blocks[1], 1);
}

static struct {
	size_t count;
	uint64_t bytes;
	bool sure;
} handed;

static void hand(void *ctx, uint64_t addr, uint64_t size, bool sure)
{
	handed.count++;
	handed.bytes += size;
	handed.sure = sure;
}

static void chunks_are_objects_or_somebodys_buffer(void **state)
{
	uint8_t data[1024] = {};
	struct glibc_chunk chunk = {
		.addr = WORLD_HEAP + 16, .size = 2048, .data = data, .data_len = 1024
	};

	w.shared.block = hand;
	classify_chunk(&w.visitor, &chunk);
	assert_int_equal(w.worker.malloc_bytes, 0);
	assert_false(handed.sure);
	put_object(data, 16, 1, THING);
	classify_chunk(&w.visitor, &chunk);
	assert_int_equal(w.worker.malloc_bytes, 2048);
	assert_int_equal(world_tally(&w, thing)->parts[TALLY_OBJECT], 2048);
	assert_true(handed.sure);
	assert_int_equal(handed.count, 2);
	chunk.size = 48; /* a word of it is malloc's: 40 are too few for 16 + 32 */
	chunk.data_len = 40;
	classify_chunk(&w.visitor, &chunk);
	assert_int_equal(world_tally(&w, thing)->objects, 1);
}

/* Freed through a fast bin and handed out again, but not yet written by its new owner. */
static void the_link_of_a_fast_bin_is_no_count(void **state)
{
	static const uint64_t next[] = { 0, LOW_HEAP, LOW_HEAP + 0x30, LOW_HEAP + 0x8ff0 };
	uint64_t addr = LOW_HEAP + 0x1230;
	uint8_t data[56] = {};
	struct glibc_chunk chunk = { .addr = addr, .size = 64, .data = data, .data_len = 56 };

	w.worker.heap_lo = LOW_HEAP;
	w.worker.heap_hi = LOW_HEAP + 0x9000;
	w.shared.block = hand;
	for (size_t i = 0; i < ARRAY_SIZE(next); i++) {
		put_object(data, 0, next[i] ^ (addr >> 12), PLAIN);
		classify_chunk(&w.visitor, &chunk);
		assert_false(handed.sure);
	}
	assert_int_equal(world_tally(&w, plain)->objects, 0);
	put_object(data, 0, (LOW_HEAP + 0x9000) ^ (addr >> 12), PLAIN); /* not of this heap */
	classify_chunk(&w.visitor, &chunk);
	assert_true(handed.sure);
	put_object(data, 0, 3, PLAIN);
	classify_chunk(&w.visitor, &chunk);
	assert_int_equal(world_tally(&w, plain)->objects, 2);

	memset(data, 0, sizeof(data)); /* the first word is a GC head's, not a count */
	put_object(data, 16, 1, THING);
	memcpy(data, &(uint64_t){ LOW_HEAP ^ (addr >> 12) }, 8);
	classify_chunk(&w.visitor, &chunk);
	assert_true(handed.sure);
	assert_int_equal(world_tally(&w, thing)->objects, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(objects_are_told_by_their_type, setup, teardown),
		cmocka_unit_test_setup_teardown(a_block_too_small_for_the_type_is_none, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_pool_is_booked_block_by_block, setup, teardown),
		cmocka_unit_test_setup_teardown(usual_lists_are_like_the_others, setup, teardown),
		cmocka_unit_test_setup_teardown(usual_strs_are_like_the_others, setup, teardown),
		cmocka_unit_test_setup_teardown(free_lists_make_raw_blocks_dead, setup, teardown),
		cmocka_unit_test_setup_teardown(chunks_are_objects_or_somebodys_buffer, setup,
						teardown),
		cmocka_unit_test_setup_teardown(the_link_of_a_fast_bin_is_no_count, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
