/* SPDX-License-Identifier: BSD-2-Clause */
/* The lines at the top and at the bottom, which every screen has. */
#pragma once

#include "tui/canvas.h"
#include "tui/graph.h"
#include "tui/state.h"

/*
 * Target, RSS bar, state of the events, age of the picture; then what is out of the ordinary: the
 * target's end, a pause, why the picture is partial, why there are no rates. The rows used.
 */
size_t header_draw(struct canvas *canvas, const struct state *state, uint64_t now_ns);

/* The last row: a message, the filter, or the keys. */
void header_draw_keys(struct canvas *canvas, const struct state *state, uint64_t now_ns);

enum { HEADER_LIVE, HEADER_FREE, HEADER_NATIVE, HEADER_OTHER, HEADER_RSS_PARTS };

/* What the RSS is made of, HEADER_RSS_PARTS of them. Native: with what malloc holds free; other:
 * mapped files, stacks, what is not known. */
void header_split_rss(const struct picture *pic, struct graph_segment *ret);

/* The stacked bar with its legend below: two rows. */
void header_draw_rss(struct canvas *canvas, size_t y, const struct picture *pic);
