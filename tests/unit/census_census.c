/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/clock.h"
#include "base/util.h"
#include "census/census.h"
#include "fake.h"

#include <errno.h>
#include <sched.h>

#define DATA 0x10000000ull
#define USEDPOOLS (DATA + 0x1000)
#define ARENAS (DATA + 0x2000)
#define MAXARENAS (DATA + 0x2008)
#define ARRAY (DATA + 0x4000)
#define HEAP 0x20000000ull
#define ARENA 0x30000000ull
#define ARENAS_COUNT 4
#define POOLS 5
#define CLASS 3

static const char text[] = "10000000-10010000 rw-p 00000000 08:01 42 /usr/bin/python3\n"
			   "20000000-20010000 rw-p 00000000 00:00 0 [heap]\n"
			   "30000000-30400000 rw-p 00000000 00:00 0 \n";

static struct fake fake;
static const struct layout *layout;
static struct python py;
static struct maps *maps;
static const struct arenas_root root = { .states = { { USEDPOOLS, ARENAS, MAXARENAS } },
					 .states_count = 1 };
static struct census census;

struct count {
	uint64_t pools, inuse, chunks, done;
};
static struct count counts[CENSUS_THREADS_MAX];
static struct census_visitor visitors[CENSUS_THREADS_MAX];

static void on_pool(struct census_visitor *visitor, const struct pool *pool)
{
	struct count *c = visitor->ctx;

	/* What the visitor may look at holds the pool. */
	assert_true(pool->addr >= visitor->window.base);
	assert_true(pool->addr + layout->pool_size <= visitor->window.base + visitor->window.len);
	assert_ptr_equal(pool->data, visitor->window.data + (pool->addr - visitor->window.base));
	assert_non_null(visitor->mem);
	c->pools++;
	c->inuse += pool->inuse_count;
}

static void on_chunk(struct census_visitor *visitor, const struct glibc_chunk *chunk)
{
	((struct count *)visitor->ctx)->chunks++;
}

static void on_done(struct census_visitor *visitor)
{
	((struct count *)visitor->ctx)->done++;
}

/* Arenas of five carved pools: pool 4 is empty, the rest have 100 blocks, one of them free. */
static int setup(void **state)
{
	fake = (struct fake){};
	layout = fake_layout("3.11");
	maps = fake_maps(text);
	py = (struct python){ .runtime = DATA };
	fake_map(&fake, DATA, 0x10000);
	fake_map(&fake, HEAP, 0x10000);
	fake_map(&fake, ARENA, ARENAS_COUNT * (size_t)layout->arena_size);
	fake_usedpools(&fake, layout, USEDPOOLS);
	fake_u64(&fake, ARENAS, ARRAY);
	fake_u32(&fake, MAXARENAS, 16);
	for (uint32_t a = 0; a < ARENAS_COUNT; a++) {
		uint64_t addr = ARENA + (uint64_t)a * layout->arena_size;

		fake_arena(&fake, layout, ARRAY, a, addr, POOLS);
		for (uint32_t p = 0; p < POOLS - 1; p++) {
			uint64_t pool = addr + (uint64_t)p * layout->pool_size;

			fake_pool(&fake, layout, pool, CLASS, a, 100);
			fake_pool_free(&fake, layout, pool, 50);
		}
	}
	fake_u64(&fake, HEAP + 8, 0x291);
	fake_u64(&fake, HEAP + 0x290 + 8, 0x101);
	fake_u64(&fake, HEAP + 0x390 + 8, 0xfc71);
	memset(counts, 0, sizeof(counts));
	for (size_t i = 0; i < ARRAY_SIZE(visitors); i++)
		visitors[i] = (struct census_visitor){
			.ctx = &counts[i], .pool = on_pool, .chunk = on_chunk, .done = on_done
		};
	return 0;
}

static int teardown(void **state)
{
	census_fini(&census);
	maps_freep(&maps);
	fake_fini(&fake);
	return 0;
}

static void prepare(const struct arenas_root *from)
{
	assert_int_equal(census_prepare(&census, &py, layout, from, maps, fake.mem, -1), 0);
}

static void assert_balance(void)
{
	const struct census_books *b = &census.books;

	assert_int_equal(b->arena_bytes, b->inuse_bytes + b->free_block_bytes + b->free_pool_bytes +
						 b->overhead_bytes);
}

static struct count sum(void)
{
	struct count s = {};

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		s.pools += counts[i].pools;
		s.inuse += counts[i].inuse;
		s.chunks += counts[i].chunks;
		s.done += counts[i].done;
	}
	return s;
}

static void any_number_of_threads_sees_it_all_once(void **state)
{
	for (size_t threads = 1; threads <= CENSUS_THREADS_MAX; threads++) {
		struct census_books *b = &census.books;
		struct count s;

		memset(counts, 0, sizeof(counts));
		prepare(&root);
		assert_int_equal(poolmap_block_size(&census.pools, ARENA + 100),
				 POOLMAP_SIZE_UNKNOWN);
		assert_int_equal(poolmap_block_size(&census.pools, ARENA + POOLS * 16384), 0);
		assert_int_equal(census_walk(&census, fake.mem, visitors, threads, NULL), 0);
		assert_int_equal(poolmap_block_size(&census.pools, ARENA + 100), 64);
		s = sum();
		assert_int_equal(s.pools, ARENAS_COUNT * (POOLS - 1));
		assert_int_equal(s.inuse, s.pools * 99);
		assert_int_equal(s.chunks, 2);
		assert_int_equal(s.done, threads);
		assert_int_equal(b->arenas_count, ARENAS_COUNT);
		assert_int_equal(b->arena_bytes, ARENAS_COUNT << 20);
		assert_int_equal(b->inuse_bytes, s.inuse * 64);
		assert_int_equal(b->class_inuse[CLASS], s.inuse);
		assert_int_equal(b->class_pools[CLASS], s.pools);
		assert_int_equal(b->free_pool_bytes, ARENAS_COUNT * (64 - (POOLS - 1)) * 16384ull);
		assert_int_equal(b->torn_pools, 0);
		assert_int_equal(b->glibc.inuse_bytes, 0x290 + 0x100);
		assert_true(b->bytes_read >= s.pools * 16384);
		assert_balance();
		census_fini(&census);
	}
}

static void torn_and_bad_pools_are_counted(void **state)
{
	fake_u32(&fake, ARENA + layout->pool_count, 98); /* torn: handed out all the same */
	fake_u32(&fake, ARENA + 0x4000 + layout->pool_size_index, 77); /* bad */
	fake_u32(&fake, ARENA + 0x8000 + layout->pool_arena_index, 2); /* another arena's: bad */
	prepare(&root);
	assert_int_equal(census_walk(&census, fake.mem, visitors, 2, NULL), 0);
	assert_int_equal(census.books.torn_pools, 3);
	assert_int_equal(sum().pools, ARENAS_COUNT * (POOLS - 1) - 2);
	assert_int_equal(poolmap_block_size(&census.pools, ARENA + 0x4000), 0);
	assert_balance();
}

static void an_arena_that_is_gone_is_counted(void **state)
{
	fake_arena(&fake, layout, ARRAY, 7, 0x50000000, 3);
	prepare(&root);
	assert_int_equal(census_walk(&census, fake.mem, visitors, 2, NULL), 0);
	assert_int_equal(census.books.gone_arenas, 1);
	assert_int_equal(census.books.arenas_count, ARENAS_COUNT);
	assert_balance();
}

static void bad_arenas_are_counted(void **state)
{
	fake_u64(&fake, ARRAY + 9 * layout->sizeof_arena, 24);
	prepare(&root);
	assert_int_equal(census_walk(&census, fake.mem, visitors, 1, NULL), 0);
	assert_int_equal(census.books.bad_arenas, 1);
}

static void without_pymalloc_malloc_is_walked(void **state)
{
	prepare(NULL);
	assert_int_equal(census_walk(&census, fake.mem, visitors, 2, NULL), 0);
	assert_int_equal(census.books.arenas_count, 0);
	assert_int_equal(sum().chunks, 2);
}

static void it_can_be_stopped(void **state)
{
	const volatile bool stop = true;

	prepare(&root);
	assert_int_equal(census_walk(&census, fake.mem, visitors, 2, &stop), -EINTR);
	assert_int_equal(sum().pools, 0);
	assert_int_equal(sum().done, 2);
}

static void compute(struct census_visitor *visitor, const struct pool *pool)
{
	uint64_t end = clock_read(CLOCK_THREAD_CPUTIME_ID) + 10 * NSEC_PER_MSEC;

	on_pool(visitor, pool);
	while (clock_read(CLOCK_THREAD_CPUTIME_ID) < end)
		;
}

/* Both on one core, so that the helper has to wait during its first arena: it takes no other. */
static void a_helper_gets_out_of_the_way(void **state)
{
	cpu_set_t before, one;

	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	CPU_ZERO(&one);
	for (int i = 0; i < CPU_SETSIZE && !CPU_COUNT(&one); i++)
		if (CPU_ISSET(i, &before))
			CPU_SET(i, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	visitors[0].pool = visitors[1].pool = compute;
	prepare(&root);
	assert_int_equal(census_walk(&census, fake.mem, visitors, 2, NULL), 0);
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
	assert_true(counts[1].pools <= POOLS - 1);
	assert_int_equal(sum().pools, ARENAS_COUNT * (POOLS - 1));
	assert_int_equal(sum().done, 2);
	assert_balance();
}

static void what_cannot_be_read_fails_whole(void **state)
{
	struct arenas_root wild = root;

	wild.states[0].arenas = 0xdead0000;
	assert_int_equal(census_prepare(&census, &py, layout, &wild, maps, fake.mem, -1), -EFAULT);
	assert_null(census.arenas.list);
	assert_null(census.pools.cells);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(any_number_of_threads_sees_it_all_once, setup,
						teardown),
		cmocka_unit_test_setup_teardown(torn_and_bad_pools_are_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(an_arena_that_is_gone_is_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_arenas_are_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(without_pymalloc_malloc_is_walked, setup, teardown),
		cmocka_unit_test_setup_teardown(it_can_be_stopped, setup, teardown),
		cmocka_unit_test_setup_teardown(a_helper_gets_out_of_the_way, setup, teardown),
		cmocka_unit_test_setup_teardown(what_cannot_be_read_fails_whole, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
