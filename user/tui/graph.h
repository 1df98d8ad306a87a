/* SPDX-License-Identifier: BSD-2-Clause */
/* Small pictures of numbers on a canvas: sparklines, bars, plots. In ASCII they are coarser. */
#pragma once

#include "tui/canvas.h"

#include <stddef.h>
#include <stdint.h>

/* One line of @count values, oldest first, in the place's width; each column is the last of its
 * share. Negative values are unknown and stay blank. */
void graph_spark(struct canvas *canvas, struct canvas_place at, const int64_t *values,
		 size_t count);

/* A bar that fills @part of @whole of the place. */
void graph_bar(struct canvas *canvas, struct canvas_place at, int64_t part, int64_t whole);

struct graph_segment {
	int64_t bytes;
	enum canvas_glyph glyph;
	enum canvas_style style;
};

/* One stacked bar: each segment its share of the sum. What is not empty gets a column if it can. */
void graph_stack(struct canvas *canvas, struct canvas_place at, const struct graph_segment *list,
		 size_t count);

/* A plot of @height rows from row at.y down. It spans what a sparkline does: least to most, and a
 * tenth of the most at least. */
void graph_plot(struct canvas *canvas, struct canvas_place at, size_t height, const int64_t *values,
		size_t count);
