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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_header_is_read_once, setup, teardown),
		cmocka_unit_test_setup_teardown(an_opening_is_believed, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_pool_has_no_size, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
