/* SPDX-License-Identifier: BSD-2-Clause */
#include "census/resident.h"

#include "base/util.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#define PAGE 4096ull
#define ENTRIES 32768
/* Documentation/admin-guide/mm/pagemap.rst */
#define PM_PRESENT (1ull << 63)
#define PM_FRAME_MASK ((1ull << 55) - 1)

/* The zero page's frame number, read off a page of our own that was only read; 0 where it is not
 * shown. */
static uint64_t resident_zero_frame(void)
{
	_cleanup_close_ int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	volatile uint8_t *page = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t entry = 0;

	if (page == MAP_FAILED)
		return 0;
	(void)page[0];
	if (fd < 0 || pread(fd, &entry, 8, (off_t)((uint64_t)(uintptr_t)page / PAGE * 8)) != 8)
		entry = 0;
	munmap((void *)(uintptr_t)page, PAGE);
	return entry & PM_PRESENT ? entry & PM_FRAME_MASK : 0;
}

struct counter {
	int fd;
	uint64_t zero_frame;
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
				 !(c->zero_frame &&
				   (c->entries[i] & PM_FRAME_MASK) == c->zero_frame);
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
			     .zero_frame = resident_zero_frame(),
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
