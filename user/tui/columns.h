/* SPDX-License-Identifier: BSD-2-Clause */
/* The columns of the table of types: which fit, how wide they are, what stands in them. */
#pragma once

#include "tui/canvas.h"
#include "tui/state.h"

enum columns_id {
	COLUMNS_TYPE,
	COLUMNS_OBJECTS,
	COLUMNS_BYTES,
	COLUMNS_DELTA,
	COLUMNS_ALLOC,
	COLUMNS_FREE,
	COLUMNS_STORAGE,
	COLUMNS_TREND,
	COLUMNS_HINT,
	COLUMNS_COUNT,
};

struct columns {
	size_t width[COLUMNS_COUNT]; /* 0: not shown */
};

/* What fits into @width. @rates: are there any? Without, no room is spent on them. */
void columns_choose(struct columns *ret, size_t width, bool rates);

/* The line of titles; that of the order is marked. */
void columns_draw_titles(struct canvas *canvas, size_t y, const struct columns *columns,
			 const struct state *state);

void columns_draw_row(struct canvas *canvas, size_t y, const struct columns *columns,
		      const struct state *state, const struct picture_type *type);
