/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "census/scan.h"
#include "fake.h"
#include "target/elf.h"

#include <errno.h>

#define BIAS 0x10000000ull
#define ARRAY 0x20000000ull
#define ARENA 0x30000000ull
#define ROOM (128 * 1024)

/* Makes this program's own writable segment large enough to stand in for an interpreter's. */
static volatile uint8_t room[2 * ROOM];

static struct elf *elf;
static struct fake fake;
static const struct layout *layout;
static struct python py;
static uint64_t data, usedpools, arenas, maxarenas;
static uint64_t found[3];

static int open_self(void **state)
{
	room[0] = 1;
	return elf_open_path("/proc/self/exe", &elf);
}

static int close_self(void **state)
{
	elf_freep(&elf);
	return 0;
}

/* Three pools of two classes in two arenas, and the variables in the middle of the data. */
static int setup(void **state)
{
	size_t count, len = 0;
	const struct elf_segment *segs = elf_segments(elf, &count);

	fake = (struct fake){};
	layout = fake_layout("3.11");
	py = (struct python){ .version = "3.11.2", .image = elf, .bias = BIAS };
	for (size_t i = 0; i < count; i++) {
		if (segs[i].write) {
			data = round_up(segs[i].vaddr + BIAS, 8);
			len = segs[i].memsz & ~7ull;
		}
	}
	assert_true(len > ROOM);
	fake_map(&fake, data, len);
	usedpools = data + 0x3000;
	arenas = data + 0x9010;
	maxarenas = data + 0x9020;
	fake_map(&fake, ARRAY, 0x1000);
	fake_map(&fake, ARENA, 3 << 20);
	fake_usedpools(&fake, layout, usedpools);
	fake_u64(&fake, arenas, ARRAY);
	fake_u32(&fake, maxarenas, 16);
	fake_arena(&fake, layout, ARRAY, 0, ARENA, 2);
	fake_arena(&fake, layout, ARRAY, 5, ARENA + (2 << 20), 1);
	fake_pool(&fake, layout, ARENA, 4, 0, 10);
	fake_pool(&fake, layout, ARENA + 0x4000, 9, 0, 10);
	fake_pool(&fake, layout, ARENA + (2 << 20), 4, 5, 10);
	fake_link_pool(&fake, layout, usedpools, ARENA);
	fake_link_pool(&fake, layout, usedpools, ARENA + 0x4000);
	fake_link_pool(&fake, layout, usedpools, ARENA + (2 << 20));
	memset(found, 0, sizeof(found));
	return 0;
}

static int teardown(void **state)
{
	fake_fini(&fake);
	return 0;
}

static int scan(void)
{
	return scan_obmalloc(&py, layout, fake.mem, &found[0], &found[1], &found[2]);
}

static void assert_found(void)
{
	assert_int_equal(found[0], usedpools);
	assert_int_equal(found[1], arenas);
	assert_int_equal(found[2], maxarenas);
}

static void the_variables_are_found(void **state)
{
	assert_int_equal(scan(), 0);
	assert_found();
}

static void rings_give_their_pools(void **state)
{
	struct scan_pool pools[8];

	assert_int_equal(scan_rings(usedpools, layout, fake.mem, pools, 8), 3);
	assert_int_equal(pools[0].addr, ARENA + (2 << 20));
	assert_int_equal(pools[0].arena_index, 5);
	assert_int_equal(pools[1].addr, ARENA);
	assert_int_equal(pools[2].addr, ARENA + 0x4000);
	assert_int_equal(scan_rings(usedpools, layout, fake.mem, pools, 2), 2);
}

/* Of a ring that changes while it is walked, what was met before stands. */
static void rings_end_where_they_break(void **state)
{
	struct scan_pool pools[8];

	fake_u64(&fake, ARENA + layout->pool_next, ARENA + 0x4000); /* into another class */
	assert_int_equal(scan_rings(usedpools, layout, fake.mem, pools, 8), 3);
	fake_u64(&fake, ARENA + layout->pool_next, 0xdead4000);
	assert_int_equal(scan_rings(usedpools, layout, fake.mem, pools, 8), 3);
	fake_u64(&fake, ARENA + layout->pool_next, ARENA + 8);
	assert_int_equal(scan_rings(usedpools, layout, fake.mem, pools, 8), 3);
	fake_u64(&fake, ARENA + layout->pool_next, ARENA); /* a circle: ends with the room */
	assert_int_equal(scan_rings(usedpools, layout, fake.mem, pools, 8), 8);
}

static void rings_without_a_first_pool_are_refused(void **state)
{
	struct scan_pool pools[8];
	uint32_t none = 0;

	memcpy(fake_at(&fake, ARENA + (2 << 20) + layout->pool_count, 4), &none, 4);
	assert_int_equal(scan_rings(usedpools, layout, fake.mem, pools, 8), -EINVAL);
}

/* Empty rings in front (another allocator's state), a copy of the words at another address, a page
 * pointer. */
static void decoys_are_passed_over(void **state)
{
	fake_usedpools(&fake, layout, data + 0x1000);
	fake_bytes(&fake, data + 0x2000, fake_at(&fake, usedpools, 512), 512);
	fake_u64(&fake, data + 0x8000, ARENA);
	fake_u64(&fake, data + 0x8008, ARRAY + 48);
	fake_u64(&fake, data + 0x8010, 0xdead0000);
	assert_int_equal(scan(), 0);
	assert_found();
}

static uint64_t reads_of_a_scan(void)
{
	uint64_t before = memory_get_stats(fake.mem).calls;

	assert_int_equal(scan(), 0);
	return memory_get_stats(fake.mem).calls - before;
}

static void words_that_repeat_are_looked_at_once(void **state)
{
	uint64_t reads = reads_of_a_scan();

	for (uint64_t at = 0; at < 0x2000; at += 16) {
		fake_u64(&fake, data + at, 0xdead0000);
		fake_u64(&fake, data + at + 8, 0xbeef0010);
	}
	assert_in_range(reads_of_a_scan(), reads, reads + 4);
	assert_found();
}

static void two_candidates_for_maxarenas_prove_nothing(void **state)
{
	fake_u32(&fake, maxarenas + 8, 64);
	assert_int_equal(scan(), 0);
	assert_int_equal(found[2], 0);
	fake_u32(&fake, maxarenas + 8, 4); /* less than an index seen: none */
	assert_int_equal(scan(), 0);
	assert_int_equal(found[2], maxarenas);
}

static void nothing_there_is_nothing_found(void **state)
{
	fake_usedpools(&fake, layout, usedpools); /* all rings empty */
	assert_int_equal(scan(), -ENOENT);
	py.image = NULL;
	assert_int_equal(scan(), -ENOENT);
}

static void an_array_that_explains_one_pool_only_is_not_it(void **state)
{
	fake_u64(&fake, ARRAY + 5 * 48 + layout->arena_address, ARENA);
	fake_u64(&fake, ARRAY + 5 * 48 + layout->arena_pool_address, ARENA);
	assert_int_equal(scan(), -ENOENT);
	assert_int_equal(found[0], 0);
}

/* Words that all look like rings of pools cost a bounded number of reads. */
static void hostile_data_ends(void **state)
{
	for (uint64_t at = 0; at < ROOM; at += 8)
		fake_u64(&fake, data + at, ARENA);
	assert_int_equal(scan(), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_variables_are_found, setup, teardown),
		cmocka_unit_test_setup_teardown(rings_give_their_pools, setup, teardown),
		cmocka_unit_test_setup_teardown(rings_without_a_first_pool_are_refused, setup,
						teardown),
		cmocka_unit_test_setup_teardown(rings_end_where_they_break, setup, teardown),
		cmocka_unit_test_setup_teardown(decoys_are_passed_over, setup, teardown),
		cmocka_unit_test_setup_teardown(words_that_repeat_are_looked_at_once, setup,
						teardown),
		cmocka_unit_test_setup_teardown(two_candidates_for_maxarenas_prove_nothing, setup,
						teardown),
		cmocka_unit_test_setup_teardown(nothing_there_is_nothing_found, setup, teardown),
		cmocka_unit_test_setup_teardown(an_array_that_explains_one_pool_only_is_not_it,
						setup, teardown),
		cmocka_unit_test_setup_teardown(hostile_data_ends, setup, teardown),
	};

	return cmocka_run_group_tests(tests, open_self, close_self);
}
