/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/util.h"
#include "census/mimalloc.h"

#include <stdlib.h>
#include <string.h>

#define RUNTIME 0x10000ull
#define INTERP 0x100000ull
#define THREAD 0x200000ull
#define SEGMENT 0x4000000ull /* a multiple of 32 MiB */
#define SLICE 0x10000ull
#define BLOCK 96ull

/* One thread, one segment, one page of 96-byte objects in its first slice behind the header. */
struct world {
	const struct layout *l;
	uint8_t *runtime, *interp, *thread, *segment, *page;
	uint64_t page_header, start;
	struct memory *mem;
	struct python py;
};

static void put(uint8_t *at, uint64_t value, size_t len)
{
	memcpy(at, &value, len);
}

static const struct layout *find_layout(void)
{
	size_t count;
	const struct layout *const *all = layout_all(&count);

	for (size_t i = 0; i < count; i++)
		if (all[i]->obmalloc == LAYOUT_OBMALLOC_MIMALLOC && all[i]->minor == 13)
			return all[i];
	return NULL;
}

static uint8_t *header_of(const struct world *w)
{
	return w->segment + (w->page_header - SEGMENT);
}

static void set_link(const struct world *w, uint64_t block, uint64_t next)
{
	put(w->page + (w->start - SEGMENT - SLICE) + block * BLOCK,
	    next ? w->start + (next - 1) * BLOCK : 0, 8);
}

static void world_init(struct world *w)
{
	const struct layout *l = w->l = find_layout();
	uint8_t *header;

	assert_non_null(l);
	w->runtime = calloc(1, 0x1000);
	w->interp = calloc(1, 0x8000);
	w->thread = calloc(1, 0x8000);
	w->segment = calloc(1, SLICE);
	w->page = calloc(1, SLICE);
	w->py = (struct python){ .runtime = RUNTIME };
	w->page_header = SEGMENT + l->mi_segment_slices + l->sizeof_mi_page;
	w->start = SEGMENT + SLICE + BLOCK; /* blocks of 65 to 512 bytes begin one block in */

	put(w->runtime + l->runtime_interpreters_head, INTERP, 8);
	put(w->runtime + l->runtime_interpreters_main, INTERP, 8);
	put(w->interp + l->interp_threads_head, THREAD, 8);
	put(w->thread + l->tstate_mimalloc + l->mi_heaps + l->mi_heap_pages, w->page_header, 8);
	put(w->segment + l->mi_segment_info_slices, 1, 8);
	put(w->segment + l->mi_segment_slice_entries, 4, 8);
	put(w->segment + l->mi_segment_segment_slices, 4, 8);

	header = header_of(w);
	put(header + l->mi_page_slice_count, 1, 4);
	put(header + l->mi_page_tag, MIMALLOC_GC << l->mi_page_tag_shift, 1);
	put(header + l->mi_page_capacity, 10, 2);
	put(header + l->mi_page_block_size, BLOCK, 4);
	/* Free: 2 -> 3; freed by the owner: 5; by another thread: 7. Its last still counts as used.
	 */
	put(header + l->mi_page_free, w->start + 2 * BLOCK, 8);
	put(header + l->mi_page_local_free, w->start + 5 * BLOCK, 8);
	put(header + l->mi_page_thread_free, (w->start + 7 * BLOCK) | 1, 8);
	put(header + l->mi_page_used, 7, l->mi_page_used_size);
	set_link(w, 2, 4);
	put(header + l->sizeof_mi_page + l->mi_page_slice_count, 2,
	    4); /* two slices that are free */

	assert_int_equal(memory_buffer_new(RUNTIME, w->runtime, 0x1000, &w->mem), 0);
	assert_int_equal(memory_buffer_add(w->mem, INTERP, w->interp, 0x8000), 0);
	assert_int_equal(memory_buffer_add(w->mem, THREAD, w->thread, 0x8000), 0);
	assert_int_equal(memory_buffer_add(w->mem, SEGMENT, w->segment, SLICE), 0);
	assert_int_equal(memory_buffer_add(w->mem, SEGMENT + SLICE, w->page, SLICE), 0);
}

static void world_fini(struct world *w)
{
	memory_freep(&w->mem);
	free(w->runtime);
	free(w->interp);
	free(w->thread);
	free(w->segment);
	free(w->page);
}

struct seen {
	uint64_t start;
	unsigned int blocks; /* bit i: block i was handed out */
};

static void see_block(void *ctx, const struct mimalloc_block *block)
{
	struct seen *seen = ctx;

	assert_int_equal(block->size, BLOCK);
	assert_int_equal(block->len, BLOCK);
	assert_int_equal(block->heap, MIMALLOC_GC);
	seen->blocks |= 1u << (block->addr - seen->start) / BLOCK;
}

static void see_window(void *ctx, uint64_t addr, const uint8_t *data, size_t len)
{
	struct seen *seen = ctx;

	assert_true(!len || (addr == seen->start && data));
}

/* Blocks in use, as bits; *torn says whether the page agreed with itself. */
static unsigned int walk(struct world *w, size_t *torn, struct mimalloc_books *books)
{
	struct seen seen = { .start = w->start };
	struct mimalloc m;
	struct mimalloc_walk walk = { see_block, see_window, &seen, &m, books, torn };

	assert_int_equal(mimalloc_find(&w->py, w->l, w->mem, &m), 0);
	*books = m.books;
	for (size_t i = 0; i < m.count; i++)
		assert_int_equal(mimalloc_walk_page(&m.pages[i], w->l, w->mem, &walk), 0);
	mimalloc_fini(&m);
	return seen.blocks;
}

static void blocks_in_use_are_handed_out(void **state)
{
	struct mimalloc_books books;
	size_t torn = 0;
	struct world w;

	world_init(&w);
	/* All of 0 to 9 but 2, 3, 5 and 7. */
	assert_int_equal(walk(&w, &torn, &books), 0x3ff & ~(1u << 2 | 1u << 3 | 1u << 5 | 1u << 7));
	assert_int_equal(torn, 0);
	assert_int_equal(books.segments_count, 1);
	assert_int_equal(books.segment_bytes, 4 * SLICE);
	assert_int_equal(books.overhead_bytes, SLICE + BLOCK);
	assert_int_equal(books.inuse_bytes, 6 * BLOCK);
	assert_int_equal(books.free_block_bytes, 4 * BLOCK);
	world_fini(&w);
}

/* What another thread has freed of a full page waits on the list of the heap. */
static void blocks_that_wait_for_their_thread_are_free(void **state)
{
	struct mimalloc_books books;
	size_t torn = 0;
	struct world w;

	world_init(&w);
	put(w.thread + w.l->tstate_mimalloc + w.l->mi_heaps + w.l->mi_heap_delayed,
	    w.start + 8 * BLOCK, 8);
	set_link(&w, 8, 1); /* 8 -> 0 */
	assert_int_equal(walk(&w, &torn, &books), 1u << 1 | 1u << 4 | 1u << 6 | 1u << 9);
	assert_int_equal(torn, 0);
	assert_int_equal(books.free_block_bytes, 6 * BLOCK);
	set_link(&w, 0, 9); /* a circle: 8 -> 0 -> 8 */
	assert_int_equal(walk(&w, &torn, &books), 1u << 1 | 1u << 4 | 1u << 6 | 1u << 9);
	set_link(&w, 0, 3); /* one that is free already, and goes on to 4 */
	assert_int_equal(walk(&w, &torn, &books), 1u << 1 | 1u << 4 | 1u << 6 | 1u << 9);
	world_fini(&w);
}

static void a_page_that_lies_is_torn(void **state)
{
	struct mimalloc_books books;
	size_t torn = 0;
	struct world w;

	world_init(&w);
	set_link(&w, 3, 3); /* a circle: 2 -> 3 -> 2 */
	walk(&w, &torn, &books);
	assert_int_equal(torn, 1);
	set_link(&w, 3, 0);
	put(header_of(&w) + w.l->mi_page_used, 6, w.l->mi_page_used_size);
	walk(&w, &torn, &books);
	assert_int_equal(torn, 2);
	put(header_of(&w) + w.l->mi_page_free, 0x1234567890, 8); /* out of the page */
	walk(&w, &torn, &books);
	assert_int_equal(torn, 3);
	world_fini(&w);
}

static void abandoned_segments_are_found(void **state)
{
	struct mimalloc_books books;
	size_t torn = 0;
	struct world w;

	world_init(&w);
	put(w.thread + w.l->tstate_mimalloc + w.l->mi_heaps + w.l->mi_heap_pages, 0, 8);
	assert_int_equal(walk(&w, &torn, &books), 0);
	/* The head's low bits are a counter. */
	put(w.interp + w.l->interp_mimalloc_abandoned + w.l->mi_abandoned_list, SEGMENT | 77, 8);
	assert_int_not_equal(walk(&w, &torn, &books), 0);
	assert_int_equal(books.segments_count, 1);
	world_fini(&w);
}

static void addresses_are_looked_up(void **state)
{
	struct mimalloc m;
	struct world w;

	world_init(&w);
	assert_int_equal(mimalloc_find(&w.py, w.l, w.mem, &m), 0);
	assert_int_equal(m.count, 1);
	assert_ptr_equal(mimalloc_page_of(&m, w.start), &m.pages[0]);
	assert_ptr_equal(mimalloc_page_of(&m, SEGMENT + 2 * SLICE - 1), &m.pages[0]);
	assert_null(mimalloc_page_of(&m, w.start - 1));
	assert_null(mimalloc_page_of(&m, SEGMENT + 2 * SLICE));
	mimalloc_fini(&m);
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_in_use_are_handed_out),
		cmocka_unit_test(blocks_that_wait_for_their_thread_are_free),
		cmocka_unit_test(a_page_that_lies_is_torn),
		cmocka_unit_test(abandoned_segments_are_found),
		cmocka_unit_test(addresses_are_looked_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
