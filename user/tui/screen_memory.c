/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the RSS is, how full the allocator's pools are, and what that means. */
#include "base/util.h"
#include "tui/header.h"
#include "tui/screen.h"
#include "view/cells.h"

static int64_t known(int64_t n)
{
	return n == PICTURE_UNKNOWN ? 0 : n;
}

struct line {
	const char *label;
	int64_t bytes, whole;
	enum canvas_style style;
};

static void write_lines(struct page *page, const struct line *lines, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char size[CELLS_MAX];
		const struct page_bar bar = { lines[i].label, cells_size(size, lines[i].bytes),
					      lines[i].bytes, lines[i].whole, lines[i].style };

		page_bar(page, &bar);
	}
}

/* What of the process is resident: the parts add up to the RSS. */
static void write_resident(struct page *page)
{
	const struct picture *pic = page->state->shown;
	int64_t rss = pic->memory.rss_bytes;
	const struct line lines[] = {
		{ "Python live", pic->memory.resident_python_live_bytes, rss, CANVAS_LIVE },
		{ "Python free", pic->memory.resident_python_free_bytes, rss, CANVAS_FREE },
		{ "native live", pic->memory.resident_native_live_bytes, rss, CANVAS_NATIVE },
		{ "malloc free", pic->memory.resident_malloc_free_bytes, rss, CANVAS_FREE },
		{ "mapped files", pic->memory.mapped_file_bytes, rss, CANVAS_OTHER },
		{ "stacks", pic->memory.stack_bytes, rss, CANVAS_OTHER },
		{ "other", pic->memory.other_bytes, rss, CANVAS_OTHER },
	};
	char size[CELLS_MAX], private[CELLS_MAX], swap[CELLS_MAX];

	page_heading(page, "Memory map: %s resident%s, %s private, %s swapped",
		     cells_size(size, rss), pic->members_count > 1 ? " (PSS)" : "",
		     cells_size(private, pic->memory.private_bytes),
		     cells_size(swap, pic->memory.swap_bytes));
	write_lines(page, lines, ARRAY_SIZE(lines));
}

static void write_verdict(struct page *page)
{
	const char *verdict = page->state->shown->memory.verdict;

	page->y++;
	page_text(page, 2, verdict ? verdict : "No verdict: too little is known.");
}

/* What the allocators hold, resident or not. */
static void write_allocators(struct page *page)
{
	const struct picture *pic = page->state->shown;
	int64_t arenas = pic->memory.arena_bytes, heap = pic->memory.malloc_heap_bytes;
	const struct line lines[] = {
		{ "arenas", arenas, arenas, CANVAS_LIVE },
		{ "  in use", pic->memory.inuse_bytes, arenas, CANVAS_LIVE },
		{ "  free blocks", pic->memory.free_block_bytes, arenas, CANVAS_FREE },
		{ "  free pools", pic->memory.free_pool_bytes, arenas, CANVAS_FREE },
		{ "  overhead", pic->memory.overhead_bytes, arenas, CANVAS_OTHER },
		{ "  unattributed", pic->unattributed_bytes, arenas, CANVAS_OTHER },
		{ "malloc", heap, heap, CANVAS_NATIVE },
		{ "  Python", pic->memory.malloc_python_bytes, heap, CANVAS_LIVE },
		{ "  other", pic->memory.malloc_other_bytes, heap, CANVAS_NATIVE },
		{ "  free", pic->memory.malloc_free_bytes, heap, CANVAS_FREE },
	};

	page_heading(page, "Allocators (pymalloc's arenas, malloc %s)",
		     pic->memory.malloc_name ? pic->memory.malloc_name : "of unknown make");
	write_lines(page, lines, ARRAY_SIZE(lines));
}

static void write_classes(struct page *page)
{
	const struct picture *pic = page->state->shown;

	page_heading(page, "  %5s %9s %12s %12s %6s  %s", "SIZE", "POOLS", "IN USE", "FREE", "FULL",
		     "");
	for (size_t i = 0; i < pic->memory.size_classes_count; i++) {
		const struct picture_size_class *c = &pic->memory.size_classes[i];
		int64_t blocks = known(c->inuse_blocks) + known(c->free_blocks);
		char pools[CELLS_MAX], inuse[CELLS_MAX], unused[CELLS_MAX], full[CELLS_MAX];
		struct canvas_place at = { 0, page->y, page->canvas.width, CANVAS_PLAIN };

		at.x = canvas_printf(&page->canvas, at, "  %5u %9s %12s %12s %6s  ", c->size_bytes,
				     cells_count(pools, c->pools_count),
				     cells_count(inuse, c->inuse_blocks),
				     cells_count(unused, c->free_blocks),
				     cells_share(full, c->inuse_blocks, blocks));
		graph_bar(&page->canvas, page_room(page, at.x, PAGE_BAR_WIDTH, CANVAS_LIVE),
			  c->inuse_blocks, blocks);
		page->y++;
	}
}

void screen_memory_write(struct page *page)
{
	write_resident(page);
	write_verdict(page);
	write_allocators(page);
	write_classes(page);
}
