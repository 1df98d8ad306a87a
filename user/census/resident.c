/* SPDX-License-Identifier: BSD-2-Clause */
#include "census/resident.h"

#include "base/util.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#define PAGE 4096ull
#define HUGE_PAGE (2 * MiB)
#define ENTRIES 32768
/* Documentation/admin-guide/mm/pagemap.rst */
#define PM_PRESENT (1ull << 63)
#define PM_FRAME_MASK ((1ull << 55) - 1)

/* Frames that the kernel maps where memory was only read; 0 where there is none or it is not shown.
 */
struct zero_frames {
	uint64_t page;
	uint64_t huge; /* the first of as many as a huge page has */
};

static uint64_t read_frame(int fd, const volatile uint8_t *at)
{
	uint64_t entry = 0;

	(void)at[0];
	if (pread(fd, &entry, 8, (off_t)((uint64_t)(uintptr_t)at / PAGE * 8)) != 8)
		return 0;
	return entry & PM_PRESENT ? entry & PM_FRAME_MASK : 0;
}

/* Read off memory of our own that is read and never written: two pages, and two huge ones where
 * those are to be had (mm/huge_memory.c). A frame that both have is the zero page's. */
static struct zero_frames resident_zero_frames(void)
{
	_cleanup_close_ int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint8_t *map = mmap(NULL, 4 * HUGE_PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *huge = (uint8_t *)round_up((uint64_t)(uintptr_t)map, HUGE_PAGE);
	struct zero_frames zero = {};
	uint64_t frame;

	if (map == MAP_FAILED)
		return zero;
	if (fd >= 0) {
		madvise(huge, 2 * HUGE_PAGE, MADV_HUGEPAGE);
		madvise(huge + 2 * HUGE_PAGE, PAGE, MADV_NOHUGEPAGE);
		zero.page = read_frame(fd, huge + 2 * HUGE_PAGE);
		frame = read_frame(fd, huge);
		if (frame != zero.page && frame == read_frame(fd, huge + HUGE_PAGE))
			zero.huge = frame;
	}
	munmap(map, 4 * HUGE_PAGE);
	return zero;
}

struct counter {
	int fd;
	struct zero_frames zero;
	uint64_t *entries;
	const struct smaps *shares; /* NULL: whole pages count */
};

/* @bytes of the mapping that @addr lies in, as far as they are this process's share. */
static uint64_t resident_share(const struct counter *c, uint64_t addr, uint64_t bytes)
{
	size_t low = 0, high = c->shares ? c->shares->count : 0;
	const struct smaps_entry *entry;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (c->shares->list[middle].end <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	if (!c->shares || low == c->shares->count)
		return bytes;
	entry = &c->shares->list[low];
	if (addr < entry->start || entry->pss_bytes >= entry->rss_bytes)
		return bytes;
	return (uint64_t)((double)bytes * (double)entry->pss_bytes / (double)entry->rss_bytes);
}

static bool is_zero(const struct zero_frames *zero, uint64_t frame)
{
	return (zero->page && frame == zero->page) ||
	       (zero->huge && frame - zero->huge < HUGE_PAGE / PAGE);
}

/* Resident bytes of the pages that begin in [start, end). */
static uint64_t resident_count(const struct counter *c, uint64_t start, uint64_t end)
{
	uint64_t pages = 0, at = start / PAGE, stop = (end + PAGE - 1) / PAGE;

	while (at < stop) {
		uint64_t want = MIN(stop - at, (uint64_t)ENTRIES);
		ssize_t n = pread(c->fd, c->entries, want * 8, (off_t)(at * 8));

		if (n <= 0)
			break;
		for (ssize_t i = 0; i < n / 8; i++)
			pages += (c->entries[i] & PM_PRESENT) &&
				 !is_zero(&c->zero, c->entries[i] & PM_FRAME_MASK);
		at += (uint64_t)n / 8;
	}
	return pages * PAGE;
}

static double part_of(uint64_t part, uint64_t whole)
{
	return whole ? (double)part / (double)whole : 1;
}

static void resident_allocators(const struct census *census, const struct counter *c,
				struct resident *r)
{
	uint64_t arenas = 0, heaps = 0;

	for (size_t i = 0; i < census->arenas.count; i++) {
		uint64_t at = census->arenas.list[i].address;
		uint64_t bytes = resident_count(c, at, at + census->layout->arena_size);

		r->arena_bytes += bytes;
		arenas += resident_share(c, at, bytes);
	}
	for (size_t i = 0; i < census->glibc.count; i++) {
		const struct glibc_region *region = &census->glibc.regions[i];
		uint64_t bytes = resident_count(c, region->start & ~(PAGE - 1), region->end);

		heaps += resident_share(c, region->start, bytes);
		if (region->kind == GLIBC_MMAPPED) {
			r->mmapped_bytes += bytes;
			r->mmapped_size += region->end - region->start;
		} else {
			r->heap_bytes += bytes;
		}
	}
	r->arena_share = part_of(arenas, r->arena_bytes);
	r->malloc_share = part_of(heaps, r->heap_bytes + r->mmapped_bytes);
}

static bool resident_holds_malloc(const struct census *census, const struct mapping *map)
{
	for (size_t i = 0; i < census->glibc.count; i++)
		if (census->glibc.regions[i].start >= map->start &&
		    census->glibc.regions[i].start < map->end)
			return true;
	return poolmap_block_size(&census->pools, map->start) != 0;
}

/* pthread_create maps a stack with an inaccessible guard page below it (glibc nptl/allocatestack.c,
 * musl too). */
static bool resident_is_stack(const struct census *census, const struct maps *maps,
			      const struct mapping *map)
{
	const struct mapping *below = map - 1;

	if (map->kind == MAPPING_STACK)
		return true;
	return map->kind == MAPPING_ANON && map->write && map > maps->list &&
	       below->end == map->start && !below->read && !below->write && !below->exec &&
	       below->end - below->start <= 64 * PAGE && !resident_holds_malloc(census, map);
}

static void resident_mappings(const struct census *census, const struct maps *maps,
			      const struct smaps *smaps, bool by_shares, struct resident *r)
{
	for (size_t i = 0; i < smaps->count; i++) {
		const struct smaps_entry *entry = &smaps->list[i];
		const struct mapping *map = maps_find(maps, entry->start);
		uint64_t bytes = by_shares ? entry->pss_bytes : entry->rss_bytes;

		r->private_bytes += entry->private_bytes;
		r->swap_bytes += entry->swap_bytes;
		if (map && map->kind == MAPPING_FILE)
			r->file_bytes += bytes;
		else if (map && resident_is_stack(census, maps, map))
			r->stack_bytes += bytes;
	}
}

int resident_measure(const struct census *census, const struct maps *maps,
		     const struct smaps *smaps, int fd, bool by_shares, struct resident *ret)
{
	_cleanup_free_ uint64_t *entries = calloc(ENTRIES, sizeof(*entries));
	struct counter c = { .fd = fd,
			     .zero = resident_zero_frames(),
			     .entries = entries,
			     .shares = by_shares ? smaps : NULL };
	struct resident r = { .whole_rss_bytes = smaps->rss_bytes,
			      .rss_bytes = by_shares ? smaps->pss_bytes : smaps->rss_bytes };
	uint64_t known;

	if (!entries)
		return -ENOMEM;
	if (fd < 0)
		return -EBADF;
	resident_allocators(census, &c, &r);
	resident_mappings(census, maps, smaps, by_shares, &r);
	known = (uint64_t)((double)r.arena_bytes * r.arena_share) +
		(uint64_t)((double)(r.heap_bytes + r.mmapped_bytes) * r.malloc_share) +
		r.file_bytes + r.stack_bytes;
	r.other_bytes = r.rss_bytes - MIN(known, r.rss_bytes);
	*ret = r;
	return 0;
}
