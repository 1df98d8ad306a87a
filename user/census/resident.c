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
};

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

static void resident_allocators(const struct census *census, const struct counter *c,
				struct resident *r)
{
	for (size_t i = 0; i < census->arenas.count; i++) {
		uint64_t at = census->arenas.list[i].address;

		r->arena_bytes += resident_count(c, at, at + census->layout->arena_size);
	}
	for (size_t i = 0; i < census->glibc.count; i++) {
		const struct glibc_region *region = &census->glibc.regions[i];
		uint64_t bytes = resident_count(c, region->start & ~(PAGE - 1), region->end);

		if (region->kind == GLIBC_MMAPPED) {
			r->mmapped_bytes += bytes;
			r->mmapped_size += region->end - region->start;
		} else {
			r->heap_bytes += bytes;
		}
	}
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
			      const struct smaps *smaps, struct resident *r)
{
	for (size_t i = 0; i < smaps->count; i++) {
		const struct smaps_entry *entry = &smaps->list[i];
		const struct mapping *map = maps_find(maps, entry->start);

		r->private_bytes += entry->private_bytes;
		r->swap_bytes += entry->swap_bytes;
		if (map && map->kind == MAPPING_FILE)
			r->file_bytes += entry->rss_bytes;
		else if (map && resident_is_stack(census, maps, map))
			r->stack_bytes += entry->rss_bytes;
	}
}

int resident_measure(const struct census *census, const struct maps *maps,
		     const struct smaps *smaps, int fd, struct resident *ret)
{
	_cleanup_free_ uint64_t *entries = calloc(ENTRIES, sizeof(*entries));
	struct counter c = { .fd = fd, .zero_frame = resident_zero_frame(), .entries = entries };
	struct resident r = { .rss_bytes = smaps->rss_bytes };
	uint64_t known;

	if (!entries)
		return -ENOMEM;
	if (fd < 0)
		return -EBADF;
	resident_allocators(census, &c, &r);
	resident_mappings(census, maps, smaps, &r);
	known = r.arena_bytes + r.heap_bytes + r.mmapped_bytes + r.file_bytes + r.stack_bytes;
	r.other_bytes = r.rss_bytes - MIN(known, r.rss_bytes);
	*ret = r;
	return 0;
}
