/* SPDX-License-Identifier: BSD-2-Clause */
#include "tui/page.h"

#include "base/utf8.h"
#include "base/util.h"
#include "tui/graph.h"
#include "view/cells.h"

#include <stdarg.h>

/* No screen has more to say. */
#define ROWS 600
#define TEXT_MAX 1024

#define LABEL_WIDTH 14
#define NUMBER_WIDTH 12
#define SHARE_WIDTH 6

int page_init(struct page *ret, size_t width, bool utf8, const struct state *state)
{
	*ret = (struct page){ .state = state };
	return canvas_init(&ret->canvas, width, ROWS, utf8);
}

void page_fini(struct page *page)
{
	canvas_fini(&page->canvas);
}

static void put_line(struct page *page, enum canvas_style style, const char *text)
{
	struct canvas_place at = { 0, page->y, page->canvas.width, style };

	if (page->y < ROWS)
		canvas_put(&page->canvas, at, text);
	page->y = MIN(page->y + 1, (size_t)ROWS);
}

void page_heading(struct page *page, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (page->y)
		put_line(page, CANVAS_PLAIN, "");
	put_line(page, CANVAS_TITLE, text);
	canvas_restyle(&page->canvas,
		       (struct canvas_place){ 0, page->y - 1, page->canvas.width, CANVAS_TITLE });
}

void page_line(struct page *page, enum canvas_style style, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	put_line(page, style, text);
}

void page_text(struct page *page, size_t indent, const char *text)
{
	char printable[4 * TEXT_MAX], *save = NULL;
	size_t x = indent, width = page->canvas.width;

	utf8_printable(printable, sizeof(printable), text, strlen(text));
	for (char *word = strtok_r(printable, " \n", &save); word && page->y < ROWS;
	     word = strtok_r(NULL, " \n", &save)) {
		size_t len = utf8_width(word);

		if (x > indent && x + len > width) {
			page->y++;
			x = indent;
		}
		canvas_put(&page->canvas, (struct canvas_place){ x, page->y, width, CANVAS_PLAIN },
			   word);
		x += len + 1;
	}
	if (x > indent)
		page->y = MIN(page->y + 1, (size_t)ROWS);
}

struct canvas_place page_room(const struct page *page, size_t x, size_t most,
			      enum canvas_style style)
{
	size_t width = page->canvas.width;

	return (struct canvas_place){ x, page->y, x < width ? MIN(width - x, most) : 0, style };
}

void page_bar(struct page *page, const struct page_bar *bar)
{
	struct canvas_place at = { 2, page->y, LABEL_WIDTH, CANVAS_PLAIN };
	char share[CELLS_MAX];

	canvas_put(&page->canvas, at, bar->label);
	at.x += LABEL_WIDTH;
	at.width = NUMBER_WIDTH;
	canvas_put_right(&page->canvas, at, bar->number);
	at.x += NUMBER_WIDTH;
	at.width = SHARE_WIDTH;
	canvas_put_right(&page->canvas, at, cells_share(share, bar->part, bar->whole));
	at = page_room(page, at.x + SHARE_WIDTH + 2, PAGE_BAR_WIDTH, bar->style);
	graph_bar(&page->canvas, at, bar->part, bar->whole);
	page->y = MIN(page->y + 1, (size_t)ROWS);
}
