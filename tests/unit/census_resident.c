/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/util.h"
#include "census/resident.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#define MAPPED (1u << 20)

/* This process is the target: an "arena" of which we know what was written. */
static void written_pages_count_and_read_ones_do_not(void **state)
{
	static const struct layout layout = { .arena_size = MAPPED };
	uint8_t *at =
		mmap(NULL, MAPPED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct arena arena = { .address = (uint64_t)(uintptr_t)at };
	struct census census = { .layout = &layout, .arenas = { &arena, 1 } };
	_cleanup_close_ int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	struct maps maps = {};
	struct smaps smaps = { .rss_bytes = 100 * MiB };
	struct resident resident;
	volatile uint8_t sum = 0;

	assert_true(at != MAP_FAILED && fd >= 0);
	madvise(at, MAPPED, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < 10; i++)
		at[i * 4096] = 1;
	for (size_t i = 100; i < 120; i++)
		sum = (uint8_t)(sum + at[i * 4096]);
	assert_int_equal(resident_measure(&census, &maps, &smaps, fd, false, &resident), 0);
	/* Frame numbers, by which the zero page is told, are shown to root alone. */
	if (geteuid())
		assert_in_range(resident.arena_bytes, 10 * 4096, 30 * 4096);
	else
		assert_int_equal(resident.arena_bytes, 10 * 4096);
	assert_int_equal(resident.other_bytes, 100 * MiB - resident.arena_bytes);
	munmap(at, MAPPED);
}

/* Huge pages that were only read are the kernel's huge zero page, of which no frame is the small
 * one's. */
static void huge_pages_that_were_read_do_not_count(void **state)
{
	static const struct layout layout = { .arena_size = 8 * MiB };
	uint8_t *map =
		mmap(NULL, 12 * MiB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *at = (uint8_t *)round_up((uint64_t)(uintptr_t)map, 2 * MiB);
	struct arena arena = { .address = (uint64_t)(uintptr_t)at };
	struct census census = { .layout = &layout, .arenas = { &arena, 1 } };
	_cleanup_close_ int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	struct maps maps = {};
	struct smaps smaps = { .rss_bytes = 100 * MiB };
	struct resident resident;
	volatile uint8_t sum = 0;

	assert_true(map != MAP_FAILED && fd >= 0);
	if (geteuid() || madvise(at, 8 * MiB, MADV_HUGEPAGE))
		skip();
	for (size_t i = 1; i < 4; i++)
		sum = (uint8_t)(sum + at[i * 2 * MiB]);
	at[0] = 1; /* a huge page of its own, or a small one where none is to be had */
	assert_int_equal(resident_measure(&census, &maps, &smaps, fd, false, &resident), 0);
	assert_in_range(resident.arena_bytes, 4096, 2 * MiB);
	munmap(map, 12 * MiB);
}

static void kinds_of_mappings_are_told_apart(void **state)
{
	static const char maps_text[] = "1000-2000 r-xp 00000000 fe:01 12 /usr/bin/python3\n"
					"3000-4000 ---p 00000000 00:00 0 \n"
					"4000-8000 rw-p 00000000 00:00 0 \n"
					"9000-a000 rw-p 00000000 00:00 0 \n"
					"b000-c000 rw-p 00000000 00:00 0 [stack]\n";
	static const char smaps_text[] =
		"1000-2000 r-xp 0 fe:01 12 /usr/bin/python3\nRss: 4 kB\n"
		"3000-4000 ---p 0 00:00 0 \nRss: 0 kB\n"
		"4000-8000 rw-p 0 00:00 0 \nRss: 12 kB\nPrivate_Dirty: 12 kB\n"
		"9000-a000 rw-p 0 00:00 0 \nRss: 4 kB\nSwap: 8 kB\n"
		"b000-c000 rw-p 0 00:00 0 [stack]\nRss: 8 kB\n";
	static const struct layout layout = { .arena_size = MAPPED };
	struct census census = { .layout = &layout };
	_cleanup_close_ int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	_cleanup_maps_ struct maps *maps = NULL;
	cleanup(smaps_freep) struct smaps *smaps = NULL;
	struct resident resident;

	assert_int_equal(maps_parse(maps_text, sizeof(maps_text) - 1, &maps), 0);
	assert_int_equal(smaps_parse(smaps_text, sizeof(smaps_text) - 1, &smaps), 0);
	assert_int_equal(resident_measure(&census, maps, smaps, fd, false, &resident), 0);
	assert_int_equal(resident.file_bytes, 4096);
	assert_int_equal(resident.stack_bytes,
			 20 * KiB); /* the main one, and one behind a guard page */
	assert_int_equal(resident.other_bytes, 4096);
	assert_int_equal(resident.private_bytes, 12 * KiB);
	assert_int_equal(resident.swap_bytes, 8 * KiB);
	assert_int_equal(resident.rss_bytes, 28 * KiB);
}

/* Half of each page is somebody else's. */
static void shares_are_counted_where_asked(void **state)
{
	static const struct layout layout = { .arena_size = MAPPED };
	uint8_t *at =
		mmap(NULL, MAPPED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct arena arena = { .address = (uint64_t)(uintptr_t)at };
	struct census census = { .layout = &layout, .arenas = { &arena, 1 } };
	struct smaps_entry entry = { .start = arena.address,
				     .end = arena.address + MAPPED,
				     .rss_bytes = MAPPED,
				     .pss_bytes = MAPPED / 2 };
	struct smaps smaps = { &entry, 1, .rss_bytes = 3 * MiB, .pss_bytes = 2 * MiB };
	_cleanup_close_ int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	struct maps maps = {};
	struct resident r;

	assert_true(at != MAP_FAILED);
	memset(at, 1, MAPPED);
	assert_int_equal(resident_measure(&census, &maps, &smaps, fd, true, &r), 0);
	assert_int_equal(r.rss_bytes, 2 * MiB);
	assert_int_equal(r.arena_bytes, MAPPED);
	assert_true(r.arena_share == 0.5 && r.malloc_share == 1);
	assert_int_equal(r.other_bytes, 2 * MiB - MAPPED / 2);
	assert_int_equal(resident_measure(&census, &maps, &smaps, fd, false, &r), 0);
	assert_int_equal(r.rss_bytes, 3 * MiB);
	assert_true(r.arena_share == 1);
	munmap(at, MAPPED);
}

static void without_a_page_map_nothing_is_said(void **state)
{
	static const struct layout layout = { .arena_size = MAPPED };
	struct census census = { .layout = &layout };
	struct maps maps = {};
	struct smaps smaps = {};
	struct resident resident;

	assert_int_equal(resident_measure(&census, &maps, &smaps, -1, false, &resident), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(written_pages_count_and_read_ones_do_not),
		cmocka_unit_test(huge_pages_that_were_read_do_not_count),
		cmocka_unit_test(kinds_of_mappings_are_told_apart),
		cmocka_unit_test(shares_are_counted_where_asked),
		cmocka_unit_test(without_a_page_map_nothing_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
