/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "fake_python.h"

static struct world w;
static uint64_t seen[20000];
static size_t seen_count;

static int setup(void **state)
{
	world_init(&w, "3.11");
	seen_count = 0;
	return 0;
}

static int teardown(void **state)
{
	world_fini(&w);
	return 0;
}

static void see(struct worker *worker, const struct fetch *fetch, const uint8_t *data)
{
	seen[seen_count++] = load_u64(data);
}

/* Asks for the next word too, up to the end of the heap. */
static void see_on(struct worker *worker, const struct fetch *fetch, const uint8_t *data)
{
	struct fetch next = *fetch;

	see(worker, fetch, data);
	next.addr += 8;
	if (next.a-- > 1)
		worker_fetch(worker, &next);
}

static void what_is_at_hand_is_given_at_once(void **state)
{
	static const uint8_t window[64] = { 7 };
	struct fetch f = { .addr = 0x50000000, .run = see, .len = 8 };

	w.visitor.window = (struct census_window){ 0x50000000, window, 64 };
	worker_fetch(&w.worker, &f);
	assert_int_equal(seen_count, 1);
	assert_int_equal(seen[0], 7);
	f.addr = 0x50000000 + 60; /* its end is not at hand, and nowhere else */
	worker_fetch(&w.worker, &f);
	assert_int_equal(seen_count, 1);
	w.visitor.window.len = 0;
	worker_flush(&w.worker);
	assert_int_equal(seen_count, 1);
	assert_int_equal(w.worker.torn, 1);
}

static void the_rest_is_put_off(void **state)
{
	for (uint64_t i = 0; i < 5000; i++) {
		struct fetch f = { .addr = WORLD_HEAP + 8 * i, .run = see, .len = 8 };

		fake_u64(&w.fake, f.addr, i + 1);
		worker_fetch(&w.worker, &f);
	}
	worker_flush(&w.worker);
	assert_int_equal(seen_count, 5000);
	assert_int_equal(w.worker.queue_count, 0);
	assert_int_equal(w.worker.torn, 0);
}

static void look_up(uint64_t addr)
{
	struct fetch f = { .addr = addr, .run = see, .len = 8 };

	worker_fetch(&w.worker, &f);
}

/* In any order, with one that goes over the page's end. */
static void a_page_is_read_once(void **state)
{
	const uint64_t at[] = { WORLD_HEAP + 512, WORLD_HEAP + 8, WORLD_HEAP + 4092,
				WORLD_HEAP + 4088 };
	uint64_t calls = memory_get_stats(w.worker.mem).calls;

	for (size_t i = 0; i < 4; i++)
		fake_u64(&w.fake, at[i], i + 1);
	fake_u64(&w.fake, at[2], 3);
	for (size_t i = 0; i < 4; i++)
		look_up(at[i]);
	worker_flush(&w.worker);
	assert_int_equal(memory_get_stats(w.worker.mem).calls - calls, 2);
	assert_int_equal(seen_count, 4);
	assert_int_equal(seen[0], 1);
	assert_int_equal(seen[1], 2);
	assert_int_equal(seen[2], 3);
	assert_int_equal(seen[3], 3ull << 32 | 4); /* the two share four bytes */
	assert_int_equal(w.worker.torn, 0);
}

/* What is there of it is read all the same. */
static void half_a_page_is_no_whole_one(void **state)
{
	fake_map(&w.fake, 0x60000800, 0x100);
	fake_u64(&w.fake, 0x60000880, 5);
	memory_free(w.worker.mem);
	assert_int_equal(memory_clone(w.fake.mem, &w.worker.mem), 0);
	look_up(0x60000880);
	look_up(0x60000a00);
	look_up(UINT64_MAX - 4);
	worker_flush(&w.worker);
	assert_int_equal(seen_count, 1);
	assert_int_equal(seen[0], 5);
	assert_int_equal(w.worker.torn, 2);
}

static void what_comes_of_a_flush_is_done_in_it(void **state)
{
	struct fetch f = { .addr = WORLD_HEAP, .run = see_on, .a = 3000, .len = 8 };

	worker_fetch(&w.worker, &f);
	worker_flush(&w.worker);
	assert_int_equal(seen_count, 3000);
}

static const struct charge *to(struct type *type)
{
	static struct charge charge;

	charge = (struct charge){ type, NULL, TALLY_BUFFER, 0, CHARGE_NO_DICT, CHARGE_NO_DICT };
	return &charge;
}

static int64_t charge(uint64_t addr, uint64_t expected)
{
	world_tally(&w, w.object)->parts[TALLY_BUFFER] = 0;
	w.worker.torn = 0;
	worker_charge(&w.worker, to(w.object), addr, expected);
	worker_flush(&w.worker);
	return world_tally(&w, w.object)->parts[TALLY_BUFFER];
}

static void a_block_counts_whole(void **state)
{
	uint64_t block = world_pool(&w, 0, 5);

	assert_int_equal(charge(block + 96, 90), 96);
	assert_int_equal(w.worker.claimed_blocks[5], 1);
	assert_int_equal(charge(block + 8, 8), 0); /* inside a block */
	assert_int_equal(w.worker.torn, 1);
	assert_int_equal(charge(block, 97), 0); /* more than a block holds */
	assert_int_equal(w.worker.torn, 1);
	assert_int_equal(charge(block - 48, 8), 0); /* the pool's header */
	assert_int_equal(w.worker.torn, 1);
}

static void a_chunk_counts_with_its_header(void **state)
{
	uint64_t chunk = world_chunk(&w, 0x100, 1024);

	assert_int_equal(charge(chunk, 1000), 1024);
	assert_int_equal(w.worker.malloc_bytes, 1024);
	assert_int_equal(charge(chunk, 0), 1024);
	assert_int_equal(w.worker.torn, 0);
}

/* The size word in front is checked; what was asked for stands in, where it is known. */
static void a_size_that_makes_no_sense_is_torn(void **state)
{
	static const uint64_t sizes[] = { 0, 16, 24, 1000, 1 << 20, UINT64_MAX - 15, 1ull << 62 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint64_t chunk = world_chunk(&w, 0x100, sizes[i]);

		assert_int_equal(charge(chunk, 1000), 1008);
		assert_int_equal(w.worker.torn, 1);
	}
	assert_int_equal(charge(world_chunk(&w, 0x100, 1 << 20), 0), 0); /* larger than the heap */
	assert_int_equal(w.worker.torn, 1);
	assert_int_equal(charge(world_chunk(&w, 0x100, 1024), 1ull << 45), 0);
	assert_int_equal(w.worker.torn, 1);
}

static void what_is_in_no_heap_is_left_alone(void **state)
{
	static const uint64_t addrs[] = {
		0, 8, 4096, WORLD_STATIC + 64, WORLD_HEAP + 4, UINT64_MAX - 7
	};

	for (size_t i = 0; i < ARRAY_SIZE(addrs); i++) {
		assert_int_equal(charge(addrs[i], 64), 0);
		assert_int_equal(w.worker.torn, 0);
	}
	assert_int_equal(charge(0x60000000, 64), 0); /* new since: cannot be read */
	assert_int_equal(w.worker.torn, 1);
}

static void another_malloc_has_no_headers(void **state)
{
	w.census.glibc.present = false;
	assert_int_equal(charge(WORLD_HEAP + 0x100, 100), 112);
	assert_int_equal(w.worker.malloc_bytes, 112);
}

static void what_moves_leaves_its_row(void **state)
{
	uint64_t block = world_pool(&w, 0, 3);
	struct charge c = {
		w.object, w.dict, TALLY_DICT, TALLY_OBJECT, TALLY_OWNER_INSTANCE, TALLY_DICT_UNICODE
	};

	worker_charge(&w.worker, &c, block, 0);
	assert_int_equal(world_tally(&w, w.object)->parts[TALLY_DICT], 64);
	assert_int_equal(world_tally(&w, w.dict)->parts[TALLY_OBJECT], -64);
	assert_int_equal(w.worker.by_owner[TALLY_OWNER_INSTANCE].bytes, 64);
	assert_int_equal(w.worker.by_owner[TALLY_OWNER_PLAIN].bytes, -64);
	assert_int_equal(w.worker.by_layout[TALLY_DICT_UNICODE].bytes, 0);
	assert_int_equal(w.worker.claimed_blocks[3], 0);
}

/* The header of a pool that the walk has not come to is read when it is asked for. */
static void unknown_pools_are_looked_up(void **state)
{
	uint64_t block = world_pool(&w, 3, 6);
	uint64_t pool = block - w.layout->pool_overhead;

	poolmap_set_unknown(&w.census.pools, pool, 2);
	assert_int_equal(worker_block_size(&w.worker, block + 50), 112);
	assert_int_equal(poolmap_block_size(&w.census.pools, block), 112);
	assert_int_equal(worker_block_size(&w.worker, pool + w.layout->pool_size + 100),
			 0); /* empty */
	fake_u32(&w.fake, pool + w.layout->pool_size_index, 32);
	poolmap_set_unknown(&w.census.pools, pool, 1);
	assert_int_equal(worker_block_size(&w.worker, block), 0);
}

/* More types than rows: each settles what the other had counted. */
static void types_share_rows(void **state)
{
	struct type_samples samples;

	w.object->index = w.dict->index + WORKER_ROWS;
	for (int i = 0; i < 5; i++) {
		worker_tally(&w.worker, w.dict)->objects += 2;
		type_sample_keys(worker_samples(&w.worker, w.dict), 0x1000 + 16 * (uint64_t)i);
		worker_tally(&w.worker, w.object)->objects--;
	}
	worker_samples(&w.worker, w.object)->orphan = 0x2000;
	assert_int_equal(tally_unpack(&w.dict->settled).objects, 10);
	assert_int_equal(tally_unpack(&w.object->settled).objects, -4);
	assert_int_equal(worker_settle(&w.worker), 0);
	assert_int_equal(tally_unpack(&w.object->settled).objects, -5);
	samples = types_samples(w.dict);
	assert_int_equal(samples.met, 5);
	assert_int_equal(samples.keys[4], 0x1040);
	samples = types_samples(w.object);
	assert_int_equal(samples.met, 0);
	assert_int_equal(samples.orphan, 0x2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_at_hand_is_given_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(the_rest_is_put_off, setup, teardown),
		cmocka_unit_test_setup_teardown(a_page_is_read_once, setup, teardown),
		cmocka_unit_test_setup_teardown(half_a_page_is_no_whole_one, setup, teardown),
		cmocka_unit_test_setup_teardown(what_comes_of_a_flush_is_done_in_it, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_block_counts_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(a_chunk_counts_with_its_header, setup, teardown),
		cmocka_unit_test_setup_teardown(a_size_that_makes_no_sense_is_torn, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_is_in_no_heap_is_left_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(another_malloc_has_no_headers, setup, teardown),
		cmocka_unit_test_setup_teardown(what_moves_leaves_its_row, setup, teardown),
		cmocka_unit_test_setup_teardown(unknown_pools_are_looked_up, setup, teardown),
		cmocka_unit_test_setup_teardown(types_share_rows, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
