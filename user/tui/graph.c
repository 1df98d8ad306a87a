/* SPDX-License-Identifier: BSD-2-Clause */
#include "tui/graph.h"

#include "base/util.h"

#define LEVELS 8
#define SEGMENTS_MAX 8

static const char *const rising[2][LEVELS + 1] = {
	{ " ", ".", ":", "-", "=", "+", "*", "%", "#" },
	{ " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" },
};

static const char *const filling[2][LEVELS + 1] = {
	{ " ", " ", " ", " ", "|", "|", "|", "|", "|" },
	{ " ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█" },
};

struct range {
	int64_t low, high;
};

/*
 * What a graph spans. Not the values alone: a change of a few percent is not to look like a
 * mountain, so the span is a tenth of the largest value at least, and what hardly changes is a line
 * in the middle.
 */
static struct range range_of(const int64_t *values, size_t count)
{
	struct range range = { INT64_MAX, 0 };
	int64_t missing;

	for (size_t i = 0; i < count; i++) {
		if (values[i] < 0)
			continue;
		range.low = MIN(range.low, values[i]);
		range.high = MAX(range.high, values[i]);
	}
	range.low = MIN(range.low, range.high);
	missing = range.high / 10 - (range.high - range.low);
	if (missing > 0) {
		range.low -= missing / 2;
		range.high += missing / 2;
	}
	return range;
}

/* Where @value lies in @range, in @steps steps: 1 is the lowest. */
static size_t level_of(struct range range, int64_t value, size_t steps)
{
	double share;

	if (range.high <= range.low)
		return 1;
	share = (double)(value - range.low) / (double)(range.high - range.low);
	return 1 + (size_t)(share * (double)(steps - 1) + 0.5);
}

/* The value that column @x of @width stands for; fewer values than columns stand at the right. */
static int64_t column_value(const int64_t *values, size_t count, size_t x, size_t width)
{
	if (count <= width)
		return x + count < width ? -1 : values[x + count - width];
	return values[(x + 1) * count / width - 1];
}

void graph_spark(struct canvas *canvas, struct canvas_place at, const int64_t *values, size_t count)
{
	struct range range = range_of(values, count);

	for (size_t x = 0; x < at.width; x++) {
		int64_t value = column_value(values, count, x, at.width);
		struct canvas_place here = { at.x + x, at.y, 1, at.style };

		if (value >= 0)
			canvas_put(canvas, here,
				   rising[canvas->utf8][level_of(range, value, LEVELS)]);
	}
}

void graph_bar(struct canvas *canvas, struct canvas_place at, int64_t part, int64_t whole)
{
	size_t eighths;

	if (part <= 0 || whole <= 0)
		return;
	eighths = (size_t)((double)MIN(part, whole) / (double)whole * (double)at.width * LEVELS +
			   0.5);
	for (size_t x = 0; x < at.width && eighths; x++) {
		size_t here = MIN(eighths, (size_t)LEVELS);

		canvas_put(canvas, (struct canvas_place){ at.x + x, at.y, 1, at.style },
			   filling[canvas->utf8][here]);
		eighths -= here;
	}
}

/* Columns of each segment; they sum to @width. */
static void share_columns(const struct graph_segment *list, size_t count, size_t width,
			  size_t *columns)
{
	double total = 0, sum = 0;
	size_t used = 0;

	for (size_t i = 0; i < count; i++)
		total += (double)MAX(list[i].bytes, (int64_t)0);
	for (size_t i = 0; i < count; i++) {
		size_t end;

		sum += (double)MAX(list[i].bytes, (int64_t)0);
		end = total > 0 ? (size_t)(sum / total * (double)width + 0.5) : used;
		columns[i] = end - MIN(used, end);
		used = MAX(used, end);
	}
	/* A small one borrows from the largest rather than be invisible. */
	for (size_t i = 0; i < count; i++) {
		size_t largest = 0;

		for (size_t k = 1; k < count; k++)
			largest = columns[k] > columns[largest] ? k : largest;
		if (list[i].bytes > 0 && !columns[i] && columns[largest] > 1) {
			columns[largest]--;
			columns[i]++;
		}
	}
}

void graph_stack(struct canvas *canvas, struct canvas_place at, const struct graph_segment *list,
		 size_t count)
{
	size_t columns[SEGMENTS_MAX], x = at.x;

	count = MIN(count, (size_t)SEGMENTS_MAX);
	share_columns(list, count, at.width, columns);
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < columns[i]; k++, x++)
			canvas_put(canvas, (struct canvas_place){ x, at.y, 1, list[i].style },
				   canvas_glyph(canvas, list[i].glyph));
	}
}

void graph_plot(struct canvas *canvas, struct canvas_place at, size_t height, const int64_t *values,
		size_t count)
{
	struct range range = range_of(values, count);

	for (size_t x = 0; x < at.width; x++) {
		int64_t value = column_value(values, count, x, at.width);
		size_t level = value < 0 ? 0 : level_of(range, value, height * LEVELS);

		for (size_t row = 0; row < height && level; row++) {
			struct canvas_place here = { at.x + x, at.y + height - 1 - row, 1,
						     at.style };
			size_t part = MIN(level, (size_t)LEVELS);

			canvas_put(canvas, here, rising[canvas->utf8][part]);
			level -= part;
		}
	}
}
