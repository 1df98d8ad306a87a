/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is to be on the screen, as a grid of cells: everything draws here, and only display.c knows
 * a terminal. Text is made printable and clipped at the edges, so that nothing the target chose can
 * break the screen. Without UTF-8 every glyph and letter has an ASCII stand-in.
 */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A letter and the marks that combine with it. */
#define CANVAS_CELL_MAX 13

enum canvas_style {
	CANVAS_PLAIN,
	CANVAS_DIM,
	CANVAS_BOLD,
	CANVAS_TITLE,  /* column titles, headings of a screen */
	CANVAS_CURSOR, /* the line that is chosen */
	CANVAS_GROWTH,
	CANVAS_SHRINK,
	CANVAS_WARNING,
	CANVAS_KEY, /* in the line of keys */
	CANVAS_LIVE,
	CANVAS_FREE,
	CANVAS_NATIVE,
	CANVAS_OTHER,
	CANVAS_STYLES_COUNT,
};

enum canvas_glyph {
	CANVAS_GLYPH_UP,
	CANVAS_GLYPH_DOWN,
	CANVAS_GLYPH_CUT,
	CANVAS_GLYPH_LIVE,
	CANVAS_GLYPH_FREE,
	CANVAS_GLYPH_NATIVE,
	CANVAS_GLYPH_OTHER,
	CANVAS_GLYPH_AXIS,
	CANVAS_GLYPHS_COUNT,
};

struct canvas_cell {
	char text[CANVAS_CELL_MAX];
	uint8_t style;
	uint8_t width; /* columns: 1 or 2; 0: right half of the cell before it */
};

struct canvas {
	size_t width, height;
	bool utf8;
	struct canvas_cell *cells; /* row by row */
};

/* All cells blank. 0 or -ENOMEM. */
int canvas_init(struct canvas *ret, size_t width, size_t height, bool utf8);
void canvas_fini(struct canvas *canvas);
#define _cleanup_canvas_ cleanup(canvas_fini)

void canvas_clear(struct canvas *canvas);
const struct canvas_cell *canvas_cell(const struct canvas *canvas, size_t x, size_t y);

/* Where text goes: from column x of row y on, at most `width` columns. */
struct canvas_place {
	size_t x, y, width;
	enum canvas_style style;
};

/* Writes @text; what does not fit is cut. Columns that were used. */
size_t canvas_put(struct canvas *canvas, struct canvas_place at, const char *text);

/* The same at the right end of the place. */
void canvas_put_right(struct canvas *canvas, struct canvas_place at, const char *text);

/* The same; where it does not fit its end is shown, after a mark: of names the end tells most. */
size_t canvas_put_tail(struct canvas *canvas, struct canvas_place at, const char *text);

/* printf to the end of the row. The column behind it. */
size_t canvas_printf(struct canvas *canvas, struct canvas_place at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Gives the cells of the place its style; their text stays. */
void canvas_restyle(struct canvas *canvas, struct canvas_place at);

/* The glyph as text of one column. */
const char *canvas_glyph(const struct canvas *canvas, enum canvas_glyph glyph);

/* Copies @rows rows of @from, from row @first on, to row @at of @to. Same width. */
void canvas_copy_rows(struct canvas *to, size_t at, const struct canvas *from, size_t first,
		      size_t rows);

/* Row @y as text, without blanks at its end: for tests. @buf is always terminated. */
char *canvas_row_text(const struct canvas *canvas, size_t y, char *buf, size_t cap);
