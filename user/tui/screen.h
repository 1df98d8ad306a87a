/* SPDX-License-Identifier: BSD-2-Clause */
/* Every screen, drawn whole on a canvas: pure, from the state to cells. */
#pragma once

#include "tui/canvas.h"
#include "tui/page.h"
#include "tui/state.h"

/* Least size at which all that matters has room; below it the user is asked for more. */
#define SCREEN_WIDTH_MIN 60
#define SCREEN_HEIGHT_MIN 12

/* Draws what @state says. It scrolls, so the state learns how much had room. 0 or -ENOMEM. */
int screen_draw(struct canvas *canvas, struct state *state, uint64_t now_ns);

/* The table of types on rows @first up to but not including @last. */
void screen_types_draw(struct canvas *canvas, struct state *state, size_t first, size_t last);

/* The others write a page. */
void screen_type_write(struct page *page);
void screen_memory_write(struct page *page);
void screen_dicts_write(struct page *page);
void screen_advice_write(struct page *page);
void screen_processes_write(struct page *page);
void screen_help_write(struct page *page);
