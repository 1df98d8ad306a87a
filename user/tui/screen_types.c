/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/util.h"
#include "tui/columns.h"
#include "tui/screen.h"

static void draw_nothing(struct canvas *canvas, const struct state *state, size_t y)
{
	struct canvas_place at = { 2, y, canvas->width, CANVAS_PLAIN };

	canvas_put(canvas, at,
		   *state->filter ? "no type matches the filter; c clears it"
				  : "no object was found");
}

void screen_types_draw(struct canvas *canvas, struct state *state, size_t first, size_t last)
{
	const char *mode = state->shown->events.mode;
	struct columns columns;

	columns_choose(&columns, canvas->width, mode && !streq(mode, "off"));
	columns_draw_titles(canvas, first, &columns, state);
	first++;
	state_fit(state, last - first);
	if (!state->rows.count)
		draw_nothing(canvas, state, first);
	for (size_t i = state->top; i < state->rows.count && first + i - state->top < last; i++) {
		size_t y = first + i - state->top;

		columns_draw_row(canvas, y, &columns, state, state->rows.list[i]);
		if (i == state->cursor)
			canvas_restyle(canvas,
				       (struct canvas_place){ 0, y, canvas->width, CANVAS_CURSOR });
	}
}
