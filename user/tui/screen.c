/* SPDX-License-Identifier: BSD-2-Clause */
#include "tui/screen.h"

#include "base/util.h"
#include "tui/header.h"

static void (*const pages[STATE_SCREENS_COUNT])(struct page *page) = {
	[STATE_TYPE] = screen_type_write,	    [STATE_MEMORY] = screen_memory_write,
	[STATE_DICTS] = screen_dicts_write,	    [STATE_ADVICE] = screen_advice_write,
	[STATE_PROCESSES] = screen_processes_write, [STATE_HELP] = screen_help_write,
};

/* As much of the page as there is room for, from where the user scrolled to. */
static int draw_page(struct canvas *canvas, struct state *state, size_t first, size_t last)
{
	_cleanup_page_ struct page page = { 0 };
	int r = page_init(&page, canvas->width, canvas->utf8, state);
	const char *more;

	if (r)
		return r;
	state->visible = last - first;
	pages[state->screen](&page);
	state->scroll_max = page.y - MIN(page.y, state->visible);
	state->scroll = MIN(state->scroll, state->scroll_max);
	canvas_copy_rows(canvas, first, &page.canvas, state->scroll, state->visible);
	if (!state->scroll_max)
		return 0;
	more = state->scroll < state->scroll_max ? " more below" : " end";
	canvas_put_right(canvas,
			 (struct canvas_place){ canvas->width - 11, canvas->height - 1, 11,
						CANVAS_BOLD },
			 more);
	return 0;
}

static int draw_too_small(struct canvas *canvas)
{
	char text[96];

	snprintf(text, sizeof(text), "%zux%zu is too small: %dx%d at least; q quits", canvas->width,
		 canvas->height, SCREEN_WIDTH_MIN, SCREEN_HEIGHT_MIN);
	canvas_put(canvas, (struct canvas_place){ 0, 0, canvas->width, CANVAS_PLAIN }, text);
	return 0;
}

int screen_draw(struct canvas *canvas, struct state *state, uint64_t now_ns)
{
	size_t first = 0, last = canvas->height - 1;

	canvas_clear(canvas);
	if (canvas->width < SCREEN_WIDTH_MIN || canvas->height < SCREEN_HEIGHT_MIN)
		return draw_too_small(canvas);
	header_draw_keys(canvas, state, now_ns);
	if (state->screen != STATE_HELP)
		first = header_draw(canvas, state, now_ns);
	if (!state->shown && state->screen != STATE_HELP)
		return 0;
	if (state->screen != STATE_TYPES)
		return draw_page(canvas, state, first, last);
	screen_types_draw(canvas, state, first, last);
	return 0;
}
