/* SPDX-License-Identifier: BSD-2-Clause */
#include "tui/canvas.h"

#include "base/utf8.h"
#include "base/util.h"

#include <errno.h>
#include <stdarg.h>

/* More than any terminal has; a size that came from outside is not believed beyond. */
#define SIZE_LIMIT 4096

static const struct {
	const char *utf8, *ascii;
} glyphs[CANVAS_GLYPHS_COUNT] = {
	[CANVAS_GLYPH_UP] = { "▲", "+" },    [CANVAS_GLYPH_DOWN] = { "▼", "-" },
	[CANVAS_GLYPH_CUT] = { "…", "~" },   [CANVAS_GLYPH_LIVE] = { "█", "#" },
	[CANVAS_GLYPH_FREE] = { "░", "." },  [CANVAS_GLYPH_NATIVE] = { "▓", "=" },
	[CANVAS_GLYPH_OTHER] = { "▒", ":" }, [CANVAS_GLYPH_AXIS] = { "│", "|" },
};

static const struct canvas_cell blank = { .text = " ", .width = 1 };

int canvas_init(struct canvas *ret, size_t width, size_t height, bool utf8)
{
	struct canvas canvas = {
		.width = MIN(width, (size_t)SIZE_LIMIT),
		.height = MIN(height, (size_t)SIZE_LIMIT),
		.utf8 = utf8,
	};

	canvas.cells = calloc(canvas.width * canvas.height + 1, sizeof(*canvas.cells));
	if (!canvas.cells)
		return -ENOMEM;
	canvas_clear(&canvas);
	*ret = canvas;
	return 0;
}

void canvas_fini(struct canvas *canvas)
{
	free(canvas->cells);
	*canvas = (struct canvas){ 0 };
}

void canvas_clear(struct canvas *canvas)
{
	for (size_t i = 0; i < canvas->width * canvas->height; i++)
		canvas->cells[i] = blank;
}

static struct canvas_cell *cell_at(const struct canvas *canvas, size_t x, size_t y)
{
	return &canvas->cells[y * canvas->width + x];
}

const struct canvas_cell *canvas_cell(const struct canvas *canvas, size_t x, size_t y)
{
	return x < canvas->width && y < canvas->height ? cell_at(canvas, x, y) : &blank;
}

/* Bytes of the character that valid UTF-8 has at @s. */
static size_t char_bytes(const char *s)
{
	unsigned char lead = (unsigned char)*s;
	size_t want = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;

	return MIN(want, strlen(s));
}

/* The character at @s on its own; its bytes. */
static size_t take_char(const char *s, char ret[5], size_t *width)
{
	size_t len = char_bytes(s);

	memcpy(ret, s, len);
	ret[len] = '\0';
	*width = utf8_width(ret);
	return len;
}

/* U+0300 to U+036F, the marks of letters; other characters without width are left out. */
static bool is_mark(const char *c)
{
	unsigned char lead = (unsigned char)c[0], next = (unsigned char)c[1];

	return lead == 0xCC || (lead == 0xCD && next < 0xB0);
}

static void add_mark(struct canvas_cell *cell, const char *mark)
{
	size_t used = strlen(cell->text), len = strlen(mark);

	if (used + len < CANVAS_CELL_MAX)
		memcpy(cell->text + used, mark, len + 1);
}

/* A wide character that loses a half leaves a blank. */
static void split_wide(struct canvas *canvas, size_t x, size_t y)
{
	struct canvas_cell *cell = cell_at(canvas, x, y);

	if (cell->width == 0 && x)
		*cell_at(canvas, x - 1, y) = blank;
	if (cell->width == 2 && x + 1 < canvas->width)
		*cell_at(canvas, x + 1, y) = blank;
}

static void set_cell(struct canvas *canvas, const struct canvas_place *at, const char *c,
		     size_t width)
{
	struct canvas_cell *cell = cell_at(canvas, at->x, at->y);

	for (size_t i = 0; i < width; i++)
		split_wide(canvas, at->x + i, at->y);
	*cell = (struct canvas_cell){ .style = (uint8_t)at->style, .width = (uint8_t)width };
	memcpy(cell->text, c, strlen(c) + 1);
	if (width == 2)
		cell[1] = (struct canvas_cell){ .style = (uint8_t)at->style };
}

/* One character; in ASCII a '?' for each of its columns. */
static void put_char(struct canvas *canvas, const struct canvas_place *at, const char *c,
		     size_t width)
{
	struct canvas_place one = *at;

	if (canvas->utf8 || (unsigned char)*c < 0x80) {
		set_cell(canvas, at, c, width);
		return;
	}
	for (size_t i = 0; i < width; i++, one.x++)
		set_cell(canvas, &one, "?", 1);
}

size_t canvas_put(struct canvas *canvas, struct canvas_place at, const char *text)
{
	char printable[1024];
	size_t used = 0;

	if (at.y >= canvas->height || at.x >= canvas->width)
		return 0;
	at.width = MIN(at.width, canvas->width - at.x);
	utf8_printable(printable, sizeof(printable), text, strlen(text));
	for (const char *s = printable; *s;) {
		struct canvas_place here = at;
		size_t width;
		char c[5];

		s += take_char(s, c, &width);
		if (!width && used && is_mark(c) && canvas->utf8)
			add_mark(cell_at(canvas, at.x + used - 1, at.y), c);
		if (!width)
			continue;
		if (used + width > at.width)
			break;
		here.x += used;
		put_char(canvas, &here, c, width);
		used += width;
	}
	return used;
}

void canvas_put_right(struct canvas *canvas, struct canvas_place at, const char *text)
{
	size_t width = utf8_width(text);

	if (width < at.width) {
		at.x += at.width - width;
		at.width = width;
	}
	canvas_put(canvas, at, text);
}

size_t canvas_put_tail(struct canvas *canvas, struct canvas_place at, const char *text)
{
	char printable[1024];
	const char *s = printable;
	size_t total, mark;

	utf8_printable(printable, sizeof(printable), text, strlen(text));
	total = utf8_width(printable);
	if (total <= at.width || !at.width)
		return canvas_put(canvas, at, printable);
	while (*s && total > at.width - 1) {
		size_t width;
		char c[5];

		s += take_char(s, c, &width);
		total -= MIN(width, total);
	}
	mark = canvas_put(canvas, at, canvas_glyph(canvas, CANVAS_GLYPH_CUT));
	at.x += mark;
	at.width -= mark;
	return mark + canvas_put(canvas, at, s);
}

size_t canvas_printf(struct canvas *canvas, struct canvas_place at, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (!at.width)
		at.width = canvas->width;
	return at.x + canvas_put(canvas, at, text);
}

void canvas_restyle(struct canvas *canvas, struct canvas_place at)
{
	if (at.y >= canvas->height)
		return;
	for (size_t x = at.x; x < canvas->width && x - at.x < at.width; x++)
		cell_at(canvas, x, at.y)->style = (uint8_t)at.style;
}

const char *canvas_glyph(const struct canvas *canvas, enum canvas_glyph glyph)
{
	return canvas->utf8 ? glyphs[glyph].utf8 : glyphs[glyph].ascii;
}

void canvas_copy_rows(struct canvas *to, size_t at, const struct canvas *from, size_t first,
		      size_t rows)
{
	for (size_t i = 0; i < rows && at + i < to->height && first + i < from->height; i++)
		memcpy(cell_at(to, 0, at + i), cell_at(from, 0, first + i),
		       MIN(to->width, from->width) * sizeof(*to->cells));
}

char *canvas_row_text(const struct canvas *canvas, size_t y, char *buf, size_t cap)
{
	size_t used = 0, end = 0;

	for (size_t x = 0; x < canvas->width && used + CANVAS_CELL_MAX < cap; x++) {
		const struct canvas_cell *cell = canvas_cell(canvas, x, y);
		size_t len = strlen(cell->text);

		memcpy(buf + used, cell->text, len);
		used += len;
		if (len && !streq(cell->text, " "))
			end = used;
	}
	buf[end] = '\0';
	return buf;
}
