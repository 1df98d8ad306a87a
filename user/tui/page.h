/* SPDX-License-Identifier: BSD-2-Clause */
/* A screen that is written from top to bottom and scrolled: as long as it needs to be. */
#pragma once

#include "tui/canvas.h"
#include "tui/state.h"

#define PAGE_BAR_WIDTH 60

struct page {
	struct canvas canvas;
	size_t y; /* the next row */
	const struct state *state;
};

/* 0 or -ENOMEM. page_fini() releases it. */
int page_init(struct page *ret, size_t width, bool utf8, const struct state *state);
void page_fini(struct page *page);
#define _cleanup_page_ cleanup(page_fini)

/* A line that stands out, with a blank one in front unless it is the first. */
void page_heading(struct page *page, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

void page_line(struct page *page, enum canvas_style style, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Words, broken into lines, @indent columns from the left. */
void page_text(struct page *page, size_t indent, const char *text);

/* A line of a table: label, number, and a bar of @part in @whole where there is room. */
struct page_bar {
	const char *label, *number;
	int64_t part, whole;
	enum canvas_style style;
};

void page_bar(struct page *page, const struct page_bar *bar);

/* The current row from column @x on, at most @most columns of it. */
struct canvas_place page_room(const struct page *page, size_t x, size_t most,
			      enum canvas_style style);
