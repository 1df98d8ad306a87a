/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys and signs, from the table that the keys themselves go by. */
#include "base/util.h"
#include "tui/keys.h"
#include "tui/screen.h"

void screen_help_write(struct page *page)
{
	const struct canvas *canvas = &page->canvas;
	size_t count;
	const struct keys_row *rows = keys_all(&count);

	page_heading(page, "pymemtop: where the memory of a Python is, live");
	for (size_t i = 0; i < count; i++) {
		if (rows[i].shown)
			page_line(page, CANVAS_PLAIN, "  %-12s %s", rows[i].shown, rows[i].help);
	}
	page_line(page, CANVAS_PLAIN,
		  "  %s in front of a name: it keeps growing since the baseline.",
		  canvas_glyph(canvas, CANVAS_GLYPH_UP));
	page_line(page, CANVAS_PLAIN,
		  "  TREND: the last two minutes.  STORAGE: where most attributes are.");
}
