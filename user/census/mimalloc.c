/* SPDX-License-Identifier: BSD-2-Clause */
#include "census/mimalloc.h"

#include "base/cleanup.h"
#include "base/util.h"
#include "census/interpreters.h"

#include <errno.h>

#define THREADS_MAX 65536
#define SEGMENTS_MAX (1u << 20)
#define PAGES_MAX (1u << 24)
#define DELAYED_MAX (1u << 18)
/* A page of at most this size is read as a whole, else block by block, as far as an object's head
 * may reach. */
#define WHOLE_MAX (1ull << 20)
#define PEEK 1024u
#define PAGE_RETRIES 8
/* The low bits of mi_thread_free_t say how the page is to be freed (mi_delayed_t). */
#define THREAD_FREE_FLAGS 3ull
#define HEADER_MAX 256

struct segments {
	uint64_t *list;
	size_t count;
};

static int fatal(int r)
{
	return r == -ESRCH || r == -EPERM || r == -ENOMEM ? r : 0;
}

static uint64_t segment_of(const struct layout *l, uint64_t addr)
{
	return addr & ~((1ull << l->mi_segment_shift) - 1);
}

static int segments_add(struct segments *segments, uint64_t addr)
{
	uint64_t *list;

	if (!addr || addr >> 47 || segments->count >= SEGMENTS_MAX)
		return 0;
	/* Pages of one segment mostly follow each other. */
	if (segments->count && segments->list[segments->count - 1] == addr)
		return 0;
	if (!(segments->count & (segments->count - 1))) {
		list = reallocarray(segments->list, segments->count ? 2 * segments->count : 1,
				    sizeof(*list));
		if (!list)
			return -ENOMEM;
		segments->list = list;
	}
	segments->list[segments->count++] = addr;
	return 0;
}

static int segments_of_queue(const struct layout *l, struct memory *mem, uint64_t page,
			     struct segments *segments)
{
	int r = 0;

	for (size_t i = 0; !r && page && i < PAGES_MAX; i++) {
		r = segments_add(segments, segment_of(l, page));
		if (!r)
			r = memory_read_u64(mem, page + l->mi_page_next, &page);
	}
	return fatal(r);
}

/*
 * What another thread frees of a full page is put on the list of the heap, for its thread to take
 * it from there (_mi_free_block_mt). @delayed grows by whole powers of two.
 */
static int delayed_of_heap(const struct layout *l, struct memory *mem, uint64_t heap,
			   struct mimalloc *m)
{
	uint64_t block = 0;
	int r = memory_read_u64(mem, heap + l->mi_heap_delayed, &block);

	while (!r && block && m->delayed_count < DELAYED_MAX) {
		size_t n = m->delayed_count;

		if (!(n & (n - 1))) {
			uint64_t *list = reallocarray(m->delayed, n ? 2 * n : 1, sizeof(*list));

			if (!list)
				return -ENOMEM;
			m->delayed = list;
		}
		m->delayed[m->delayed_count++] = block;
		r = memory_read_u64(mem, block, &block);
	}
	return fatal(r);
}

static int segments_of_heap(const struct layout *l, struct memory *mem, uint64_t heap,
			    struct segments *segments)
{
	for (uint32_t i = 0; i < l->mi_page_queues; i++) {
		uint64_t first;
		int r = memory_read_u64(
			mem, heap + l->mi_heap_pages + (uint64_t)i * l->sizeof_mi_page_queue,
			&first);

		if (!r && first)
			r = segments_of_queue(l, mem, first, segments);
		if (r < 0)
			return fatal(r);
	}
	return 0;
}

static int segments_of_threads(const struct layout *l, struct memory *mem, uint64_t interp,
			       struct mimalloc *m, struct segments *segments)
{
	uint64_t thread = 0;
	int r = memory_read_u64(mem, interp + l->interp_threads_head, &thread);

	for (size_t i = 0; !r && thread && i < THREADS_MAX; i++) {
		uint64_t heap = thread + l->tstate_mimalloc + l->mi_heaps;

		for (uint32_t k = 0; !r && k < l->mi_heaps_count; k++, heap += l->mi_heap_size) {
			r = segments_of_heap(l, mem, heap, segments);
			if (!r)
				r = delayed_of_heap(l, mem, heap, m);
		}
		if (!r)
			r = memory_read_u64(mem, thread + l->tstate_next, &thread);
	}
	return fatal(r);
}

/* Two lists; the heads of one carry a count in the bits below the segment's alignment
 * (mi_tagged_segment_t). */
static int segments_abandoned(const struct layout *l, struct memory *mem, uint64_t interp,
			      struct segments *segments)
{
	const uint32_t heads[] = { 0, l->mi_abandoned_list };

	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		uint64_t segment = 0;
		int r = memory_read_u64(mem, interp + l->interp_mimalloc_abandoned + heads[i],
					&segment);

		for (size_t n = 0; !r && segment && n < SEGMENTS_MAX; n++) {
			segment = segment_of(l, segment);
			r = segments_add(segments, segment);
			if (!r)
				r = memory_read_u64(mem, segment + l->mi_segment_abandoned_next,
						    &segment);
		}
		if (fatal(r))
			return r;
	}
	return 0;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int segments_find(const struct python *py, const struct layout *l, struct memory *mem,
			 struct mimalloc *m, struct segments *segments)
{
	uint64_t interps[INTERPRETERS_MAX];
	int count = interpreters_list(py, l, mem, interps), r = 0;
	size_t n = 0;

	if (count < 0)
		return fatal(count);
	for (int i = 0; !r && i < count; i++) {
		r = segments_of_threads(l, mem, interps[i], m, segments);
		if (!r && l->interp_mimalloc_abandoned != LAYOUT_NONE)
			r = segments_abandoned(l, mem, interps[i], segments);
	}
	if (m->delayed_count)
		qsort(m->delayed, m->delayed_count, sizeof(uint64_t), compare_u64);
	m->incomplete = l->interp_mimalloc_abandoned == LAYOUT_NONE;
	if (r < 0 || !segments->count)
		return r;
	qsort(segments->list, segments->count, sizeof(uint64_t), compare_u64);
	for (size_t i = 0; i < segments->count; i++)
		if (!n || segments->list[n - 1] != segments->list[i])
			segments->list[n++] = segments->list[i];
	segments->count = n;
	return 0;
}

/* Blocks do not begin where the page does, lest they all fall on the same cache lines
 * (_mi_segment_page_start). */
static uint64_t page_start(const struct layout *l, const uint8_t *header, uint64_t slice,
			   uint64_t block_size)
{
	if (l->mi_page_start != LAYOUT_NONE)
		return load_u64(header + l->mi_page_start);
	if (block_size <= 64)
		return slice + 3 * block_size;
	return block_size <= 512 ? slice + block_size : slice;
}

static uint64_t page_block_size(const struct layout *l, const uint8_t *header)
{
	/* uint32_t xblock_size, from mimalloc 2.2 on size_t block_size. */
	return l->mi_page_start == LAYOUT_NONE ? load_u32(header + l->mi_page_block_size)
					       : load_u64(header + l->mi_page_block_size);
}

static int mimalloc_add_page(struct mimalloc *m, const struct mimalloc_page *page)
{
	struct mimalloc_page *pages;

	if (m->count >= PAGES_MAX)
		return 0;
	if (!(m->count & (m->count - 1))) {
		pages = reallocarray(m->pages, m->count ? 2 * m->count : 1, sizeof(*pages));
		if (!pages)
			return -ENOMEM;
		m->pages = pages;
	}
	m->pages[m->count++] = *page;
	return 0;
}

/* A segment's header, as read. */
struct segment {
	uint64_t addr;
	const uint8_t *bytes;
	uint64_t slices;
};

/*
 * The span of slices that begins with @index: a page in use, or free. *ret_count: its length in
 * slices, 0: nonsense. 0 or -ENOMEM.
 */
static int segment_span(struct mimalloc *m, const struct layout *l, const struct segment *segment,
			uint64_t index, uint64_t *ret_count)
{
	uint64_t offset = l->mi_segment_slices + index * l->sizeof_mi_page;
	const uint8_t *header = segment->bytes + offset;
	uint64_t count = load_u32(header + l->mi_page_slice_count),
		 size = page_block_size(l, header);
	uint64_t slice = segment->addr + (index << l->mi_slice_shift),
		 end = slice + (count << l->mi_slice_shift);
	uint32_t heap = header[l->mi_page_tag] >> l->mi_page_tag_shift & 0xf;
	struct mimalloc_page page = { segment->addr + offset, 0, end, size, heap };

	*ret_count = index + count <= segment->slices ? count : 0;
	if (!*ret_count || !size || !load_u16(header + l->mi_page_capacity))
		return 0;
	page.start = page_start(l, header, slice, size);
	if (size % 8 || heap >= MIMALLOC_HEAPS || page.start < slice || page.start >= end ||
	    size > end - page.start) {
		*ret_count = 0;
		return 0;
	}
	m->books.overhead_bytes += page.start - slice;
	return mimalloc_add_page(m, &page);
}

/* All spans of one segment, from behind its own header on. */
static int mimalloc_add_segment(struct mimalloc *m, const struct layout *l, struct memory *mem,
				uint64_t segment, uint8_t *bytes)
{
	uint64_t info, entries, slices;
	int r = memory_read(mem, segment, bytes, l->sizeof_mi_segment);

	if (r < 0) {
		m->bad += !fatal(r);
		return fatal(r);
	}
	info = load_u64(bytes + l->mi_segment_info_slices);
	entries = load_u64(bytes + l->mi_segment_slice_entries);
	slices = load_u64(bytes + l->mi_segment_segment_slices);
	if (!info || info >= entries || entries > slices || slices >> 32 ||
	    l->mi_segment_slices + entries * l->sizeof_mi_page > l->sizeof_mi_segment) {
		m->bad++;
		return 0;
	}
	m->books.segments_count++;
	m->books.segment_bytes += slices << l->mi_slice_shift;
	m->books.overhead_bytes += info << l->mi_slice_shift;
	for (uint64_t i = info; !r && i < entries;) {
		const struct segment s = { segment, bytes, slices };
		uint64_t count;

		r = segment_span(m, l, &s, i, &count);
		if (!count) { /* changed while it was read, or damaged */
			m->bad++;
			return r;
		}
		i += count;
	}
	return r;
}

int mimalloc_find(const struct python *py, const struct layout *layout, struct memory *mem,
		  struct mimalloc *ret)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	struct segments segments = {};
	struct mimalloc m = {};
	int r;

	if (layout->obmalloc != LAYOUT_OBMALLOC_MIMALLOC) {
		*ret = m;
		return 0;
	}
	bytes = malloc(layout->sizeof_mi_segment);
	r = bytes ? segments_find(py, layout, mem, &m, &segments) : -ENOMEM;
	for (size_t i = 0; !r && i < segments.count; i++)
		r = mimalloc_add_segment(&m, layout, mem, segments.list[i], bytes);
	free(segments.list);
	if (r < 0) {
		mimalloc_fini(&m);
		return r;
	}
	*ret = m; /* sorted: segments are, and pages in them */
	return 0;
}

void mimalloc_fini(struct mimalloc *mimalloc)
{
	free(mimalloc->pages);
	free(mimalloc->delayed);
	*mimalloc = (struct mimalloc){};
}

const struct mimalloc_page *mimalloc_page_of(const struct mimalloc *mimalloc, uint64_t addr)
{
	size_t lo = 0, hi = mimalloc->count;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (mimalloc->pages[mid].start <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && addr < mimalloc->pages[lo - 1].end ? &mimalloc->pages[lo - 1] : NULL;
}

/* One reading of a page: its counters, its blocks as far as they are read whole, and which of them
 * are free. */
struct reading {
	const struct mimalloc_page *page;
	const struct layout *layout;
	struct memory *mem;
	uint8_t header[HEADER_MAX];
	uint8_t *data; /* NULL: the page is too large to be read whole */
	uint64_t *free_bits;
	uint64_t capacity, free_count;
};

static bool is_free(const struct reading *r, uint64_t i)
{
	return r->free_bits[i / 64] >> (i % 64) & 1;
}

/* False where the list leaves the page or runs in a circle. */
static bool mark_list(struct reading *r, uint64_t block, uint64_t *ret_count)
{
	uint64_t size = r->page->block_size, count = 0;

	for (; block; count++) {
		uint64_t offset = block - r->page->start, i = offset / size;

		if (block < r->page->start || offset % size || i >= r->capacity || is_free(r, i))
			return false;
		r->free_bits[i / 64] |= 1ull << (i % 64);
		if (r->data)
			block = load_u64(r->data + offset);
		else if (memory_read_u64(r->mem, block, &block) < 0)
			return false;
	}
	r->free_count += count;
	*ret_count = count;
	return true;
}

static uint64_t page_used(const struct layout *l, const uint8_t *header)
{
	return l->mi_page_used_size == 2 ? load_u16(header + l->mi_page_used)
					 : load_u32(header + l->mi_page_used);
}

/* 0; 1 where header and lists do not agree: the page changed meanwhile. */
static int page_read(struct reading *r)
{
	const struct layout *l = r->layout;
	uint64_t free_list, local, other, size = r->page->block_size;
	int err = memory_read(r->mem, r->page->header, r->header, l->sizeof_mi_page);

	r->capacity = r->free_count = 0;
	if (err < 0)
		return err;
	r->capacity = load_u16(r->header + l->mi_page_capacity);
	if (page_block_size(l, r->header) != size ||
	    r->capacity > (r->page->end - r->page->start) / size) {
		r->capacity = 0;
		return 1;
	}
	memset(r->free_bits, 0, (UINT16_MAX + 1) / 8);
	err = r->data ? memory_read(r->mem, r->page->start, r->data, r->capacity * size) : 0;
	if (err < 0)
		return err;
	if (!mark_list(r, load_u64(r->header + l->mi_page_free), &free_list) ||
	    !mark_list(r, load_u64(r->header + l->mi_page_local_free), &local) ||
	    !mark_list(r, load_u64(r->header + l->mi_page_thread_free) & ~THREAD_FREE_FLAGS,
		       &other))
		return 1;
	/* What other threads have freed counts as used until its owner collects it. */
	return page_used(l, r->header) + free_list + local != r->capacity;
}

/* Those that wait on the list of the heap: still used by the count of their page. */
static void mark_delayed(struct reading *r, const struct mimalloc *m)
{
	uint64_t size = r->page->block_size, start = r->page->start;
	size_t lo = 0, hi = m->delayed_count;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (m->delayed[mid] < start)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < m->delayed_count && m->delayed[lo] < r->page->end; lo++) {
		uint64_t offset = m->delayed[lo] - start, i = offset / size;

		if (offset % size || i >= r->capacity || is_free(r, i))
			continue;
		r->free_bits[i / 64] |= 1ull << (i % 64);
		r->free_count++;
	}
}

static void page_emit(struct reading *r, const struct mimalloc_walk *walk)
{
	uint64_t size = r->page->block_size;
	uint8_t head[PEEK];

	if (r->data)
		walk->window(walk->ctx, r->page->start, r->data, r->capacity * size);
	for (uint64_t i = 0; i < r->capacity; i++) {
		struct mimalloc_block block = {
			.addr = r->page->start + i * size,
			.size = size,
			.data = r->data ? r->data + i * size : head,
			.len = (uint32_t)(r->data ? size : MIN(size, (uint64_t)PEEK)),
			.heap = r->page->heap,
		};

		if (is_free(r, i) ||
		    (!r->data && memory_read(r->mem, block.addr, head, block.len) < 0))
			continue;
		walk->books->inuse_bytes += size;
		walk->block(walk->ctx, &block);
	}
	walk->window(walk->ctx, 0, NULL, 0);
	walk->books->free_block_bytes += r->free_count * size;
}

int mimalloc_walk_page(const struct mimalloc_page *page, const struct layout *layout,
		       struct memory *mem, const struct mimalloc_walk *walk)
{
	uint64_t bytes = page->end - page->start;
	_cleanup_free_ uint64_t *free_bits = malloc((UINT16_MAX + 1) / 8);
	_cleanup_free_ uint8_t *data = bytes <= WHOLE_MAX ? malloc(bytes) : NULL;
	struct reading r = {
		.page = page, .layout = layout, .mem = mem, .data = data, .free_bits = free_bits
	};
	int err = 1;

	if (!free_bits || (bytes <= WHOLE_MAX && !data) || layout->sizeof_mi_page > HEADER_MAX)
		return -ENOMEM;
	for (int i = 0; err == 1 && i <= PAGE_RETRIES; i++)
		err = page_read(&r);
	*walk->torn += err != 0;
	if (err < 0) /* given back since */
		return fatal(err);
	mark_delayed(&r, walk->mimalloc);
	page_emit(&r, walk);
	return 0;
}
