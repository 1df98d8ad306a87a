/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys and signs, from the table that the keys themselves go by; always on one screen. */
#include "base/util.h"
#include "tui/keys.h"
#include "tui/screen.h"

#define KEYS_WIDTH 12
/* Where sentences have room, each key has a row of its own. */
#define WIDE 80
#define LEGEND_ROWS 2

/* Rows of the table that are told, in its order. How many. */
static size_t told(const struct keys_row **ret)
{
	size_t count, n = 0;
	const struct keys_row *rows = keys_all(&count);

	for (size_t i = 0; i < count; i++) {
		if (rows[i].shown)
			ret[n++] = &rows[i];
	}
	return n;
}

static void put_key(struct page *page, struct canvas_place at, const struct keys_row *row,
		    const char *what)
{
	size_t width = at.width;

	at.width = KEYS_WIDTH;
	at.style = CANVAS_BOLD;
	canvas_put(&page->canvas, at, row->shown);
	at.x += KEYS_WIDTH + 1;
	at.width = width - KEYS_WIDTH - 1;
	at.style = CANVAS_PLAIN;
	canvas_put(&page->canvas, at, what);
}

void screen_help_write(struct page *page)
{
	const struct keys_row *rows[KEYS_ROWS_MAX];
	const char *up = canvas_glyph(&page->canvas, CANVAS_GLYPH_UP);
	size_t count = told(rows), width = page->canvas.width;
	bool wide = width >= WIDE && page->state->visible > count + LEGEND_ROWS;
	size_t columns = wide ? 1 : 2, lines = (count + columns - 1) / columns;

	page_heading(page, "pymemtop: where the memory of a Python is, live");
	for (size_t i = 0; i < count; i++) {
		const struct canvas_place at = { 2 + i / lines * (width / columns),
						 page->y + i % lines, width / columns - 2, 0 };

		put_key(page, at, rows[i], wide ? rows[i]->help : rows[i]->brief);
	}
	page->y += lines;
	if (!wide) {
		page_line(page, CANVAS_PLAIN, "  %s keeps growing   TREND: the last two minutes",
			  up);
		return;
	}
	page_line(page, CANVAS_PLAIN,
		  "  %s in front of a name: it keeps growing since the baseline.", up);
	page_line(page, CANVAS_PLAIN,
		  "  TREND: the last two minutes.  STORAGE: where most attributes are.");
}
