/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <string.h>
#include <unistd.h>

#include "probe/pools.h"

/* The test process plays the target: a pool in its own memory. */
static uint8_t pool[16384] __attribute__((aligned(16384)));

static const struct layout layout = { .pool_size = 16384,
				      .pool_overhead = 48,
				      .pool_size_index = 36,
				      .pool_max_next_offset = 44,
				      .alignment = 16,
				      .small_request_max = 512 };

static void header(uint32_t size_class)
{
	uint32_t max = 16384 - (size_class + 1) * 16;

	memcpy(pool + layout.pool_size_index, &size_class, 4);
	memcpy(pool + layout.pool_max_next_offset, &max, 4);
}

struct fixture {
	struct memory *mem;
	struct pools *pools;
};

static int setup(void **state)
{
	static struct fixture f;

	memset(pool, 0, sizeof(pool));
	assert_int_equal(memory_live_new(getpid(), &f.mem), 0);
	assert_int_equal(pools_new(&layout, f.mem, &f.pools), 0);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	pools_freep(&f->pools);
	memory_freep(&f->mem);
	return 0;
}

static uint64_t address(size_t offset)
{
	return (uint64_t)(uintptr_t)pool + offset;
}

static void the_header_is_read_once(void **state)
{
	struct fixture *f = *state;

	header(2);
	assert_int_equal(pools_block_size(f->pools, address(480)), 48);
	header(5);
	assert_int_equal(pools_block_size(f->pools, address(48)), 48);
	pools_clear(f->pools);
	assert_int_equal(pools_block_size(f->pools, address(48)), 96);
}

static void an_opening_is_believed(void **state)
{
	struct fixture *f = *state;

	header(2);
	assert_int_equal(pools_block_size(f->pools, address(48)), 48);
	pools_opened(f->pools, address(0), 31);
	assert_int_equal(pools_block_size(f->pools, address(48)), 512);
	pools_opened(f->pools, address(0), 32);
	assert_int_equal(pools_block_size(f->pools, address(48)), 0);
	pools_opened(f->pools, address(0), UINT32_MAX);
	assert_int_equal(pools_block_size(f->pools, address(48)), 0);
}

static void what_is_no_pool_has_no_size(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(pools_block_size(f->pools, address(48)), 0);
	assert_int_equal(pools_block_size(f->pools, 0x10), 0);
	header(UINT32_MAX);
	pools_clear(f->pools);
	assert_int_equal(pools_block_size(f->pools, address(48)), 0);
}

/* A segment of four slices in our own memory; the page of the third begins in the second. */
#define SLICE 4096
static uint8_t segment[4 * SLICE] __attribute__((aligned(4 * SLICE)));

static const struct layout mimalloc = { .obmalloc = LAYOUT_OBMALLOC_MIMALLOC,
					.mi_page_block_size = 28,
					.mi_page_start = LAYOUT_NONE,
					.mi_segment_slices = 64,
					.mi_segment_shift = 14,
					.mi_slice_shift = 12,
					.sizeof_mi_page = 96 };

static void slices_are_of_pages(void **state)
{
	struct fixture *f = *state;
	uint64_t at = (uint64_t)(uintptr_t)segment;
	_cleanup_pools_ struct pools *pools = NULL;
	uint32_t size = 640, back = 96;

	assert_int_equal(pools_new(&mimalloc, f->mem, &pools), 0);
	memcpy(segment + 64 + 96 + 28, &size, 4);
	memcpy(segment + 64 + 2 * 96 + 4, &back, 4);
	assert_int_equal(pools_block_size(pools, at + SLICE + 77), 640);
	assert_int_equal(pools_block_size(pools, at + 2 * SLICE), 640);
	/* What an allocation says is newer. */
	pools_allocated(pools, at + 2 * SLICE + 48, 48);
	assert_int_equal(pools_block_size(pools, at + 2 * SLICE), 48);
	assert_int_equal(pools_block_size(pools, at + SLICE), 640);
	pools_watch(pools);
	assert_int_equal(pools_block_size(pools, at + 2 * SLICE), 640);
	pools_clear(pools);
	back = 4096; /* in front of the segment */
	memcpy(segment + 64 + 2 * 96 + 4, &back, 4);
	assert_int_equal(pools_block_size(pools, at + 2 * SLICE), 0);
	assert_int_equal(pools_block_size(pools, 0x10), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_header_is_read_once, setup, teardown),
		cmocka_unit_test_setup_teardown(an_opening_is_believed, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_pool_has_no_size, setup, teardown),
		cmocka_unit_test_setup_teardown(slices_are_of_pages, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
