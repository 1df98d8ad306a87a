/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "census/glibc.h"
#include "fake.h"

#include <errno.h>

#define HEAP 0x20000000ull
#define HEAP_SIZE (8 * MiB)
#define KEY 0x1122334455667788ull
#define SEEN_MAX 300000

static struct fake fake;
static struct glibc glibc;
static struct glibc_region region;
static struct glibc_stats stats;
static uint64_t seen[SEEN_MAX], seen_size[SEEN_MAX];
static size_t seen_count;
static uint64_t top; /* where the next chunk goes */

static int setup(void **state)
{
	fake = (struct fake){};
	fake_map(&fake, HEAP, HEAP_SIZE);
	region = (struct glibc_region){ GLIBC_MAIN, HEAP, HEAP + HEAP_SIZE };
	glibc = (struct glibc){ .tcache_key = KEY, .present = true };
	top = HEAP;
	return 0;
}

static int teardown(void **state)
{
	fake_fini(&fake);
	return 0;
}

/* A chunk of @size; the one before it is in use unless said otherwise. Returns its header. */
static uint64_t put(uint64_t size, bool previous_inuse)
{
	uint64_t at = top;

	if (!previous_inuse)
		fake_u64(&fake, at, size); /* overwritten by put_free() */
	fake_u64(&fake, at + 8, size | previous_inuse);
	top += size;
	return at;
}

/* A free chunk: the next one repeats its size and has the flag clear. */
static uint64_t put_free(uint64_t size, uint64_t next_size)
{
	uint64_t at = put(size, true);

	fake_u64(&fake, top, size);
	fake_u64(&fake, top + 8, next_size);
	top += next_size;
	return at;
}

static void put_top(void)
{
	fake_u64(&fake, top + 8, (region.end - top) | 1);
}

static void see(void *ctx, const struct glibc_chunk *chunk)
{
	volatile uint8_t sum = 0;

	/* All of data_len can be touched: the sanitizer watches. */
	for (uint32_t i = 0; i < chunk->data_len; i++)
		sum = (uint8_t)(sum + chunk->data[i]);
	assert_true(seen_count < SEEN_MAX);
	assert_true(chunk->data_len <= chunk->size - 8);
	seen[seen_count] = chunk->addr;
	seen_size[seen_count++] = chunk->size;
}

static void walk(void)
{
	seen_count = 0;
	stats = (struct glibc_stats){};
	assert_int_equal(glibc_walk(&glibc, &region, fake.mem, see, NULL, &stats), 0);
	assert_int_equal(stats.heap_bytes,
			 stats.inuse_bytes + stats.free_bytes + stats.skipped_bytes);
	assert_int_equal(stats.heap_bytes, region.end - region.start);
}

static void chunks_in_use_and_free(void **state)
{
	uint64_t a = put(32, true), b = put(48, true), c;

	put_free(1280, 64); /* and a chunk of 64 behind it */
	c = put(4096, true);
	put_top();
	walk();
	assert_int_equal(stats.torn, 0);
	assert_int_equal(seen_count, 4);
	assert_int_equal(seen[0], a + 16);
	assert_int_equal(seen[1], b + 16);
	assert_int_equal(seen[2], b + 48 + 1280 + 16);
	assert_int_equal(seen[3], c + 16);
	assert_int_equal(seen_size[3], 4096);
	assert_int_equal(stats.inuse_bytes, 32 + 48 + 64 + 4096);
}

static void cached_chunks_are_free(void **state)
{
	uint64_t tcache = put(64, true), fast, large, other;
	uint64_t bin[2];

	fake_u64(&fake, tcache + 24, KEY);
	fast = put(48, true);
	other = put(48, true);
	large = put(2048, true); /* no tcache keeps such: the key is its owner's data */
	fake_u64(&fake, large + 24, KEY);
	put_top();
	bin[0] = fast;
	bin[1] = fast + 4096;
	glibc.fastbin_chunks = bin;
	glibc.fastbins_count = 2;
	walk();
	assert_int_equal(seen_count, 2);
	assert_int_equal(seen[0], other + 16);
	assert_int_equal(seen[1], large + 16);
	glibc.tcache_key = 0; /* unknown: a cached chunk counts as in use */
	walk();
	assert_int_equal(seen_count, 3);
}

/* More than a window (1 MiB) of small chunks, one that spans windows, and more behind. */
static void windows_do_not_show(void **state)
{
	uint64_t big;

	for (int i = 0; i < 40000; i++)
		put(48 + 16 * (uint64_t)(i % 3), true);
	big = put(3 * MiB + 32, true);
	for (int i = 0; i < 100; i++)
		put(80, true);
	put_top();
	walk();
	assert_int_equal(stats.torn, 0);
	assert_int_equal(seen_count, 40101);
	assert_int_equal(seen[40000], big + 16);
	assert_int_equal(seen_size[40000], 3 * MiB + 32);
	assert_int_equal(seen_size[40100], 80);
}

static void a_fence_post_ends_a_heap(void **state)
{
	uint64_t end = region.end;

	put(64, true);
	put(HEAP_SIZE - 64 - 32, true);
	fake_u64(&fake, end - 32 + 8, 16 | 1);
	fake_u64(&fake, end - 16 + 8, 0 | 1);
	walk();
	assert_int_equal(seen_count, 2);
	assert_int_equal(stats.torn, 0);
	assert_int_equal(stats.free_bytes, 32);
	region.end -= 16;
	fake_u64(&fake, end - 32 + 8, 0 | 1);
	walk();
	assert_int_equal(seen_count, 2);
	assert_int_equal(stats.torn, 0);
}

/* Somebody else called sbrk(): the main heap goes on behind that. */
static void a_fence_post_in_the_middle_is_stepped_over(void **state)
{
	put(64, true);
	put(64, true);
	fake_u64(&fake, top + 8, 16 | 1);
	fake_u64(&fake, top + 24, 16 | 1);
	top += 32;
	memset(fake_at(&fake, top, 8192), 0x77, 8192);
	top += 8192;
	for (int i = 0; i < 50; i++)
		put(64, true);
	put_top();
	walk();
	assert_int_equal(seen_count, 52);
	assert_int_equal(stats.skipped_bytes, 8192 + 32);
}

/* One size word overwritten among many chunks: only what cannot be told is left out. */
static void a_broken_chain_is_found_again(void **state)
{
	static const uint64_t bad[] = { 24 | 1, UINT64_MAX, 0, HEAP_SIZE | 1,
					0x8000000000000031ull };
	uint64_t broken = 0;

	for (int i = 0; i < 30000; i++) {
		uint64_t at = put(64, true);

		if (i == 20000)
			broken = at;
	}
	put_top();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		fake_u64(&fake, broken + 8, bad[i]);
		walk();
		assert_int_equal(stats.torn, 1);
		assert_int_equal(stats.skipped_bytes, 128); /* it and the one that led to it */
		assert_int_equal(seen_count, 30000 - 2);
	}
}

static void a_size_that_leads_astray_is_found_again(void **state)
{
	uint64_t wrong = 0;

	for (int i = 0; i < 1000; i++) {
		uint64_t at = put(96, true);

		memset(fake_at(&fake, at + 16, 80), 'x', 80);
		if (i == 500)
			wrong = at;
	}
	put_top();
	fake_u64(&fake, wrong + 8, 96 * 3 + 16 + 1); /* into the middle of another */
	walk();
	assert_int_equal(stats.torn, 1);
	assert_int_equal(seen_count, 999);
}

/* Chunks so large that no sixteen are in a window. */
static void large_chunks_are_found_again(void **state)
{
	uint64_t broken, large;

	put(64, true);
	broken = put(64, true);
	large = put(512 * KiB, true);
	put(512 * KiB, true);
	put(512 * KiB, true);
	put_top();
	fake_u64(&fake, broken + 8, 3);
	memset(fake_at(&fake, large + 16, 512 * KiB - 16), 0x5a, 512 * KiB - 16);
	walk();
	assert_int_equal(stats.torn, 1);
	assert_int_equal(stats.skipped_bytes, 128);
	assert_int_equal(seen_count, 3);
	assert_int_equal(seen[0], large + 16);
	assert_int_equal(seen[2], large + 16 + MiB);
}

/* An array of small numbers looks like a chain of sizes, but for its flags. */
static void numbers_are_no_chain(void **state)
{
	uint64_t broken, data;

	put(64, true);
	broken = put(64, true);
	data = put(64 * KiB, true);
	for (int i = 0; i < 100; i++)
		put(128, true);
	put_top();
	fake_u64(&fake, broken + 8, 3);
	fake_u64(&fake, data + 8, 5);
	for (uint64_t at = data + 16; at < data + 64 * KiB; at += 8)
		fake_u64(&fake, at, 48 - (at / 8 % 2) * 16);
	walk();
	assert_int_equal(seen_count, 100);
	assert_int_equal(seen[0], data + 64 * KiB + 16);
}

static void a_chunk_past_the_end_is_not_believed(void **state)
{
	put(64, true);
	put(64, true);
	fake_u64(&fake, top + 8, (region.end - top + 16) | 1);
	walk();
	assert_int_equal(stats.torn, 1);
	assert_int_equal(seen_count, 1);
	assert_int_equal(stats.skipped_bytes, HEAP_SIZE - 64);
}

static void a_heap_that_has_grown_is_whole(void **state)
{
	put(64, true);
	put(64, true);
	fake_u64(&fake, top + 8, (region.end - top + 0x21000) | 1);
	walk();
	assert_int_equal(stats.torn, 0);
	assert_int_equal(seen_count, 2);
	assert_int_equal(stats.free_bytes, HEAP_SIZE - 128);

	/* and the new top begins behind it */
	region.end = HEAP + 4096;
	fake_u64(&fake, HEAP + 128 + 8, 8192 + 48 + 1);
	fake_u64(&fake, HEAP + 128 + 8192 + 48 + 8, 0x8001);
	walk();
	assert_int_equal(stats.torn, 0);
	assert_int_equal(seen_count, 2);
	fake_u64(&fake, HEAP + 128 + 8192 + 48 + 8, 0x8008);
	walk();
	assert_int_equal(stats.torn, 1);
}

/* Broken everywhere: the walk comes to its end, and soon. */
static void a_heap_of_breaks_ends(void **state)
{
	while (top < HEAP + HEAP_SIZE - 2048) {
		for (int i = 0; i < 20; i++)
			put(32, true);
		put(48, true);
		fake_u64(&fake, top - 48 + 8, 7);
	}
	put_top();
	walk();
	assert_true(stats.torn > 10000);
}

static void memory_that_went_away(void **state)
{
	put(64, true);
	put(HEAP_SIZE, true);
	region.end += MiB; /* was there when the mappings were read */
	walk();
	assert_int_equal(seen_count, 1);
	region = (struct glibc_region){ GLIBC_MAIN, 0xdead0000, 0xdead8000 };
	walk();
	assert_int_equal(stats.torn, 1);
	assert_int_equal(stats.skipped_bytes, 0x8000);
}

static void a_mapping_of_its_own_is_one_chunk(void **state)
{
	/* What its size word says, up to 2.42 and from 2.43 on, and what makes no sense. */
	static const uint64_t said[] = { MiB, MiB - 16, 4096, 2 * MiB };

	region = (struct glibc_region){ GLIBC_MMAPPED, HEAP, HEAP + MiB };
	for (size_t i = 0; i < ARRAY_SIZE(said); i++) {
		fake_u64(&fake, HEAP + 8, said[i] | 2);
		walk();
		assert_int_equal(seen_count, 1);
		assert_int_equal(seen[0], HEAP + 16);
		assert_int_equal(seen_size[0], i < 2 ? said[i] : MiB);
	}
	region.start = 0xdead0000;
	region.end = 0xdeae0000;
	seen_count = 0;
	stats = (struct glibc_stats){};
	assert_int_equal(glibc_walk(&glibc, &region, fake.mem, see, NULL, &stats), 0);
	assert_int_equal(seen_count, 0);
	assert_int_equal(stats.heap_bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(chunks_in_use_and_free, setup, teardown),
		cmocka_unit_test_setup_teardown(cached_chunks_are_free, setup, teardown),
		cmocka_unit_test_setup_teardown(windows_do_not_show, setup, teardown),
		cmocka_unit_test_setup_teardown(a_fence_post_ends_a_heap, setup, teardown),
		cmocka_unit_test_setup_teardown(a_fence_post_in_the_middle_is_stepped_over, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_broken_chain_is_found_again, setup, teardown),
		cmocka_unit_test_setup_teardown(a_size_that_leads_astray_is_found_again, setup,
						teardown),
		cmocka_unit_test_setup_teardown(large_chunks_are_found_again, setup, teardown),
		cmocka_unit_test_setup_teardown(numbers_are_no_chain, setup, teardown),
		cmocka_unit_test_setup_teardown(a_chunk_past_the_end_is_not_believed, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_heap_that_has_grown_is_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(a_heap_of_breaks_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(memory_that_went_away, setup, teardown),
		cmocka_unit_test_setup_teardown(a_mapping_of_its_own_is_one_chunk, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
