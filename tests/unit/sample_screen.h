/* SPDX-License-Identifier: BSD-2-Clause */
/* A state with sample_picture() in it, and screens of it as text. */
#pragma once

#include <stdio.h>

#include "sample_picture.h"
#include "tui/screen.h"

#define SAMPLE_NOW (1000 * 1000000000ull)

/* Text of a screen, a line a row. */
struct sample_screen {
	char text[65536];
};

static inline void sample_state(struct state *state)
{
	assert_int_equal(state_init(state), 0);
	assert_int_equal(state_feed(state, sample_picture(), SAMPLE_NOW), 0);
}

/* Another picture, with app.Foo at @bytes, @seconds later. */
static inline void sample_feed(struct state *state, int64_t bytes, unsigned int seconds)
{
	struct picture *pic = sample_picture();

	pic->types[0].inuse_bytes = pic->types[0].parts[PICTURE_PART_OBJECT] = bytes;
	picture_sort_types(pic);
	assert_int_equal(state_feed(state, pic, SAMPLE_NOW + seconds * 1000000000ull), 0);
}

static inline void sample_text(const struct canvas *canvas, struct sample_screen *ret)
{
	size_t used = 0;

	for (size_t y = 0; y < canvas->height && used + 4096 < sizeof(ret->text); y++) {
		canvas_row_text(canvas, y, ret->text + used, 4096);
		used += strlen(ret->text + used);
		ret->text[used++] = '\n';
	}
	ret->text[used] = '\0';
}

static inline void sample_draw(struct state *state, size_t width, size_t height, bool utf8,
			       struct sample_screen *ret)
{
	_cleanup_canvas_ struct canvas canvas = { 0 };

	assert_int_equal(canvas_init(&canvas, width, height, utf8), 0);
	assert_int_equal(screen_draw(&canvas, state, SAMPLE_NOW + 3 * 1000000000ull), 0);
	sample_text(&canvas, ret);
}

/* Fails with the whole screen where @wanted is not on it. */
static inline void sample_has(const struct sample_screen *screen, const char *wanted)
{
	if (!strstr(screen->text, wanted))
		fail_msg("'%s' is not in:\n%s", wanted, screen->text);
}

static inline void sample_lacks(const struct sample_screen *screen, const char *unwanted)
{
	if (strstr(screen->text, unwanted))
		fail_msg("'%s' is in:\n%s", unwanted, screen->text);
}
