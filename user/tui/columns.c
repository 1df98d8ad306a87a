/* SPDX-License-Identifier: BSD-2-Clause */
#include "tui/columns.h"

#include "base/utf8.h"
#include "base/util.h"
#include "tui/graph.h"
#include "view/cells.h"

/* The mark of growth and a blank, in front of the name. */
#define MARK_WIDTH 2
/* From here on the error of a rate is worth its room. */
#define RATE_ERROR_SHOWN 0.1

struct cell {
	struct canvas *canvas;
	const struct state *state;
	const struct picture_type *type;
	struct canvas_place at;
};

static void draw_name(const struct cell *c)
{
	canvas_put_tail(c->canvas, c->at, c->type->name ? c->type->name : "?");
}

static void draw_objects(const struct cell *c)
{
	char text[CELLS_MAX];

	canvas_put_right(c->canvas, c->at, cells_count(text, c->type->inuse_objects));
}

static void draw_bytes(const struct cell *c)
{
	char text[CELLS_MAX];

	canvas_put_right(c->canvas, c->at, cells_size(text, c->type->inuse_bytes));
}

static void draw_delta(const struct cell *c)
{
	char text[CELLS_MAX];

	if (c->type->delta_bytes == 0)
		return; /* a column of zeroes hides what changes */
	canvas_put_right(c->canvas, c->at, cells_size_delta(text, c->type->delta_bytes));
}

/* With its error where that is large: in full, or where there is no room, or it is not known yet,
 * as a mark in front. */
static void draw_rate(const struct cell *c, double per_second)
{
	char rate[CELLS_MAX], text[2 * CELLS_MAX];
	bool known = !isnan(c->type->rate_error);
	bool rough = !known || c->type->rate_error >= RATE_ERROR_SHOWN;

	if (per_second == 0)
		return;
	cells_rate(rate, per_second);
	snprintf(text, sizeof(text), "%s %s%.0f%%", rate, c->canvas->utf8 ? "±" : "+-",
		 100 * (known ? MIN(c->type->rate_error, 9.99) : 0));
	if (!rough || isnan(per_second))
		snprintf(text, sizeof(text), "%s", rate);
	else if (!known || utf8_width(text) > c->at.width)
		snprintf(text, sizeof(text), "~%s", rate);
	canvas_put_right(c->canvas, c->at, text);
}

static void draw_alloc(const struct cell *c)
{
	draw_rate(c, c->type->alloc_objects_per_second);
}

static void draw_free(const struct cell *c)
{
	draw_rate(c, c->type->free_objects_per_second);
}

static void draw_storage(const struct cell *c)
{
	char text[CELLS_MAX];

	cells_storage(text, c->type);
	if (strstr(text, " 100%"))
		*strchr(text, ' ') = '\0';
	canvas_put(c->canvas, c->at, streq(text, "-") ? "" : text);
}

static void draw_trend(const struct cell *c)
{
	struct history_series series;

	if (history_series(c->state->history, c->type, c->state->shown_ns, &series))
		graph_spark(c->canvas, c->at, series.bytes, series.count);
}

static void draw_hint(const struct cell *c)
{
	const struct picture_advice *advice = state_advice(c->state, c->type);
	double growth = state_growth(c->state, c->type);
	char size[CELLS_MAX], text[2 * CELLS_MAX];

	if (growth > 0) {
		snprintf(text, sizeof(text), "+%s/s", cells_size(size, (int64_t)growth));
		canvas_put(c->canvas, c->at, text);
	} else if (advice && advice->kind) {
		snprintf(text, sizeof(text), "%s saves %s", advice->kind,
			 cells_size(size, advice->saves_bytes));
		canvas_put(c->canvas, c->at, strlen(text) > c->at.width ? advice->kind : text);
	}
}

struct column {
	const char *title, *ascii;
	const char *sort;   /* word of --sort */
	size_t least, most; /* columns of the terminal */
	int drop;	    /* when space is short, larger numbers leave first; 0: stays */
	bool right, rate;
	void (*draw)(const struct cell *cell);
};

static const struct column table[COLUMNS_COUNT] = {
	[COLUMNS_TYPE] = { "TYPE", NULL, "name", 18, 48, 0, false, false, draw_name },
	[COLUMNS_OBJECTS] = { "OBJECTS", NULL, "objects", 10, 13, 0, true, false, draw_objects },
	[COLUMNS_BYTES] = { "BYTES", NULL, "bytes", 10, 12, 0, true, false, draw_bytes },
	[COLUMNS_DELTA] = { "Δ BYTES", "+/- BYTES", "delta", 11, 12, 1, true, false, draw_delta },
	[COLUMNS_ALLOC] = { "ALLOC/S", NULL, "alloc", 9, 15, 5, true, true, draw_alloc },
	[COLUMNS_FREE] = { "FREE/S", NULL, "free", 9, 15, 6, true, true, draw_free },
	[COLUMNS_STORAGE] = { "STORAGE", NULL, NULL, 12, 14, 3, false, false, draw_storage },
	[COLUMNS_TREND] = { "TREND", NULL, NULL, 8, 40, 2, false, false, draw_trend },
	[COLUMNS_HINT] = { "HINT", NULL, NULL, 13, 40, 4, false, false, draw_hint },
};

/* Who gets what is left, in turn. */
static const enum columns_id greedy[] = { COLUMNS_ALLOC,   COLUMNS_FREE,  COLUMNS_OBJECTS,
					  COLUMNS_STORAGE, COLUMNS_BYTES, COLUMNS_DELTA,
					  COLUMNS_TYPE,	   COLUMNS_HINT,  COLUMNS_TREND };

static size_t total_width(const struct columns *columns)
{
	size_t sum = MARK_WIDTH;

	for (size_t i = 0; i < COLUMNS_COUNT; i++)
		sum += columns->width[i] ? columns->width[i] + 1 : 0;
	return sum - 1;
}

/* The column that leaves next, or COLUMNS_COUNT. */
static size_t next_to_drop(const struct columns *columns)
{
	size_t worst = COLUMNS_COUNT;

	for (size_t i = 0; i < COLUMNS_COUNT; i++) {
		if (columns->width[i] && table[i].drop &&
		    (worst == COLUMNS_COUNT || table[i].drop > table[worst].drop))
			worst = i;
	}
	return worst;
}

void columns_choose(struct columns *ret, size_t width, bool rates)
{
	for (size_t i = 0; i < COLUMNS_COUNT; i++)
		ret->width[i] = table[i].rate && !rates ? 0 : table[i].least;
	while (total_width(ret) > width) {
		size_t drop = next_to_drop(ret);

		if (drop == COLUMNS_COUNT)
			return;
		ret->width[drop] = 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(greedy); i++) {
		size_t *mine = &ret->width[greedy[i]], left = width - total_width(ret);

		if (*mine)
			*mine += MIN(left, table[greedy[i]].most - *mine);
	}
	ret->width[COLUMNS_TYPE] += width - total_width(ret);
}

static bool is_sorted(const struct state *state, size_t i)
{
	if (!state->sort)
		return i == COLUMNS_BYTES;
	return table[i].sort && streq(table[i].sort, rows_key_name(state->sort));
}

void columns_draw_titles(struct canvas *canvas, size_t y, const struct columns *columns,
			 const struct state *state)
{
	struct canvas_place at = { MARK_WIDTH, y, 0, CANVAS_TITLE };

	canvas_restyle(canvas, (struct canvas_place){ 0, y, canvas->width, CANVAS_TITLE });
	for (size_t i = 0; i < COLUMNS_COUNT; i++) {
		const struct column *column = &table[i];
		const char *title = canvas->utf8 || !column->ascii ? column->title : column->ascii;
		bool up = state->reverse != (i == COLUMNS_TYPE);
		char text[32];

		at.width = columns->width[i];
		if (!at.width)
			continue;
		snprintf(text, sizeof(text), "%s", title);
		if (is_sorted(state, i)) {
			const char *mark = canvas->utf8 ? (up ? "↑" : "↓") : (up ? "^" : "v");

			snprintf(text, sizeof(text), "%s%s%s", column->right ? mark : title,
				 column->right ? "" : mark, column->right ? title : "");
		}
		if (column->right)
			canvas_put_right(canvas, at, text);
		else
			canvas_put(canvas, at, text);
		at.x += at.width + 1;
	}
}

void columns_draw_row(struct canvas *canvas, size_t y, const struct columns *columns,
		      const struct state *state, const struct picture_type *type)
{
	struct cell cell = { canvas, state, type, { MARK_WIDTH, y, 0, CANVAS_PLAIN } };

	if (state_growth(state, type) > 0) {
		cell.at.style = CANVAS_GROWTH;
		canvas_put(canvas, (struct canvas_place){ 0, y, 1, CANVAS_GROWTH },
			   canvas_glyph(canvas, CANVAS_GLYPH_UP));
	}
	for (size_t i = 0; i < COLUMNS_COUNT; i++) {
		cell.at.width = columns->width[i];
		if (!cell.at.width)
			continue;
		table[i].draw(&cell);
		cell.at.x += cell.at.width + 1;
	}
}
