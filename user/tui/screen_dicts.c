/* SPDX-License-Identifier: BSD-2-Clause */
/* Dicts by how they store and by whom they serve, and what they hold without use. */
#include "base/util.h"
#include "tui/graph.h"
#include "tui/screen.h"
#include "view/cells.h"

static void write_row(struct page *page, const char *name, const struct picture_dicts *dicts)
{
	int64_t empty = PICTURE_UNKNOWN, waste = PICTURE_UNKNOWN;
	char count[CELLS_MAX], bytes[CELLS_MAX], load[CELLS_MAX], slots[CELLS_MAX],
		wasted[CELLS_MAX];
	struct canvas_place at = { 0, page->y, page->canvas.width, CANVAS_PLAIN };

	if (dicts->owned != PICTURE_UNKNOWN && dicts->used != PICTURE_UNKNOWN)
		empty = dicts->owned - dicts->used;
	if (empty >= 0 && dicts->owned > 0 && dicts->bytes >= 0)
		waste = (int64_t)((double)dicts->bytes * (double)empty / (double)dicts->owned);
	at.x = canvas_printf(&page->canvas, at, "  %-9s %9s %10s %5s %9s %10s  ", name,
			     cells_count(count, dicts->count), cells_size(bytes, dicts->bytes),
			     cells_share(load, dicts->used, dicts->owned),
			     cells_count(slots, empty), cells_size(wasted, waste));
	graph_bar(&page->canvas, page_room(page, at.x, PAGE_BAR_WIDTH, CANVAS_LIVE), dicts->used,
		  dicts->owned);
	page->y++;
}

static void write_table(struct page *page, const char *title, const char *const *names,
			const struct picture_dicts *dicts, size_t count)
{
	page_heading(page, "  %-9s %9s %10s %5s %9s %10s", title, "DICTS", "BYTES", "LOAD", "EMPTY",
		     "WASTE");
	for (size_t i = 0; i < count; i++)
		write_row(page, names[i], &dicts[i]);
}

/* While we watched: these pay for their keys one by one now. */
static void write_changes(struct page *page)
{
	const struct picture *pic = page->state->shown;
	char text[CELLS_CHANGE_MAX];

	if (!pic->events.layout_changes_count)
		return;
	page_heading(page, "  LAYOUT CHANGES");
	for (size_t i = 0; i < pic->events.layout_changes_count; i++)
		page_text(page, 2, cells_layout_change(text, &pic->events.layout_changes[i]));
}

void screen_dicts_write(struct page *page)
{
	const struct picture *pic = page->state->shown;

	write_table(page, "LAYOUT", picture_dict_layout_names, pic->dicts_by_layout,
		    PICTURE_DICT_LAYOUTS_COUNT);
	write_table(page, "OWNER", picture_dict_owner_names, pic->dicts_by_owner,
		    PICTURE_DICT_OWNERS_COUNT);
	write_changes(page);
	page->y++;
	page_text(page, 2,
		  "Load: slots used of those paid for. Waste: the bytes of the empty ones, in "
		  "proportion. "
		  "Instances that store inline or in slots have no dict and are not in here.");
}
