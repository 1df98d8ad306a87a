/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/util.h"
#include "census/poolmap.h"

#include <errno.h>

#define LO 0x7f0000003000ull
#define HI 0x7f0000105000ull

static void a_pool_has_its_block_size(void **state)
{
	struct poolmap map;

	assert_int_equal(poolmap_init(&map, LO, HI, 16384), 0);
	assert_int_equal(map.lo, 0x7f0000000000);
	assert_int_equal(map.hi, 0x7f0000108000);
	poolmap_set(&map, 0x7f0000004000, 0);
	poolmap_set(&map, 0x7f0000104000, 31);
	assert_int_equal(poolmap_block_size(&map, 0x7f0000003fff), 0);
	assert_int_equal(poolmap_block_size(&map, 0x7f0000004000), 16);
	assert_int_equal(poolmap_block_size(&map, 0x7f0000007fff), 16);
	assert_int_equal(poolmap_block_size(&map, 0x7f0000008000), 0);
	assert_int_equal(poolmap_block_size(&map, 0x7f0000104fff), 512);
	poolmap_set(&map, 0x7f0000004000, -1);
	assert_int_equal(poolmap_block_size(&map, 0x7f0000004000), 0);
	poolmap_fini(&map);
	poolmap_fini(&map);
}

static void addresses_outside_are_ignored(void **state)
{
	static const uint64_t outside[] = { 0, LO - 0x4000, HI + 0x4000, UINT64_MAX, 1ull << 63 };
	struct poolmap map;

	assert_int_equal(poolmap_init(&map, LO, HI, 4096), 0);
	for (size_t i = 0; i < ARRAY_SIZE(outside); i++) {
		poolmap_set(&map, outside[i], 5);
		assert_int_equal(poolmap_block_size(&map, outside[i]), 0);
	}
	poolmap_fini(&map);
}

static void nothing_to_cover_is_fine(void **state)
{
	struct poolmap map;

	assert_int_equal(poolmap_init(&map, 0, 0, 16384), 0);
	poolmap_set(&map, 0, 1);
	assert_int_equal(poolmap_block_size(&map, 0), 0);
	poolmap_fini(&map);
}

/* A heap below 4 GiB and arenas near the top: reserved, not used. */
static void the_whole_address_space_can_be_covered(void **state)
{
	struct poolmap map;

	assert_int_equal(poolmap_init(&map, 0x400000, 0x7ffffffff000, 4096), 0);
	poolmap_set(&map, 0x7fffffffe000, 3);
	assert_int_equal(poolmap_block_size(&map, 0x7fffffffefff), 64);
	assert_int_equal(poolmap_block_size(&map, 0x400000), 0);
	poolmap_fini(&map);
}

static void nonsense_is_refused(void **state)
{
	struct poolmap map;

	assert_int_equal(poolmap_init(&map, LO, HI, 0), -EINVAL);
	assert_int_equal(poolmap_init(&map, LO, HI, 5000), -EINVAL);
	assert_int_equal(poolmap_init(&map, HI, LO, 4096), -EINVAL);
	assert_int_equal(poolmap_init(&map, 0, UINT64_MAX, 4096), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pool_has_its_block_size),
		cmocka_unit_test(addresses_outside_are_ignored),
		cmocka_unit_test(nothing_to_cover_is_fine),
		cmocka_unit_test(the_whole_address_space_can_be_covered),
		cmocka_unit_test(nonsense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
