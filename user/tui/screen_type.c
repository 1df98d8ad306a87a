/* SPDX-License-Identifier: BSD-2-Clause */
/* One type: what it holds, how it stores it, how it grew, some of its instances, what to do. */
#include "base/format.h"
#include "base/util.h"
#include "tui/graph.h"
#include "tui/screen.h"
#include "view/cells.h"

#define PLOT_ROWS 5
#define PLOT_AXIS 11

static void write_rates(struct page *page, const struct picture_type *type)
{
	char alloc[CELLS_MAX], freed[CELLS_MAX], error[CELLS_MAX];
	bool known = !isnan(type->rate_error);

	if (isnan(type->alloc_objects_per_second))
		return;
	page_line(page, CANVAS_PLAIN, "%s allocated a second, %s freed%s%s%s",
		  cells_rate(alloc, type->alloc_objects_per_second),
		  cells_rate(freed, type->free_objects_per_second), known ? "; 95% interval " : "",
		  !known	      ? ""
		  : page->canvas.utf8 ? "±"
				      : "+-",
		  known ? cells_ratio(error, type->rate_error) : "");
}

static void write_summary(struct page *page, const struct picture_type *type)
{
	char objects[CELLS_MAX], bytes[CELLS_MAX], size[CELLS_MAX], delta[CELLS_MAX],
		count[CELLS_MAX];
	double growth = state_growth(page->state, type);

	page_heading(page, "%s", type->name ? type->name : "?");
	page_line(page, CANVAS_PLAIN, "%s objects, %s in use (getsizeof: %s)",
		  cells_count(objects, type->inuse_objects), cells_size(bytes, type->inuse_bytes),
		  cells_size(size, type->sizeof_bytes));
	if (type->address)
		page_line(page, CANVAS_PLAIN, "%s type at 0x%llx", type->heap ? "heap" : "static",
			  (unsigned long long)type->address);
	page_line(page, CANVAS_PLAIN, "since the baseline: %s, %s objects",
		  cells_size_delta(delta, type->delta_bytes),
		  cells_count_delta(count, type->delta_objects));
	if (growth > 0)
		page_line(page, CANVAS_GROWTH, "%s keeps growing: %s a second",
			  canvas_glyph(&page->canvas, CANVAS_GLYPH_UP),
			  cells_size(size, (int64_t)growth));
	write_rates(page, type);
}

static void write_parts(struct page *page, const struct picture_type *type)
{
	page_heading(page, "Parts");
	for (size_t i = 0; i < PICTURE_PARTS_COUNT; i++) {
		char size[CELLS_MAX];
		const struct page_bar bar = { picture_part_names[i],
					      cells_size(size, type->parts[i]), type->parts[i],
					      type->inuse_bytes, CANVAS_LIVE };

		if (type->parts[i])
			page_bar(page, &bar);
	}
}

static void write_storage(struct page *page, const struct picture_type *type)
{
	page_heading(page, "Storage of attributes");
	for (size_t i = 0; i < PICTURE_STORAGES_COUNT; i++) {
		char count[CELLS_MAX];
		const struct page_bar bar = { picture_storage_names[i],
					      cells_count(count, type->storage[i]),
					      type->storage[i], type->inuse_objects,
					      CANVAS_NATIVE };

		if (type->storage[i] > 0)
			page_bar(page, &bar);
	}
}

static void write_keys(struct page *page, const struct picture_type *type)
{
	const struct picture_shared_keys *keys = type->shared_keys;
	char size[CELLS_MAX], share[CELLS_MAX], used[CELLS_MAX], owned[CELLS_MAX], text[2048];
	size_t len = 0;

	if (type->capacity_owned != PICTURE_UNKNOWN)
		page_line(page, CANVAS_PLAIN, "slots: %s of %s used (%s)",
			  cells_count(used, type->capacity_used),
			  cells_count(owned, type->capacity_owned),
			  cells_share(share, type->capacity_used, type->capacity_owned));
	if (!keys)
		return;
	page_heading(page, "Shared keys: %zu of %zu, %s", keys->used, keys->capacity,
		     cells_size(size, (int64_t)keys->bytes));
	text[0] = '\0';
	for (size_t i = 0; i < keys->used && len + 1 < sizeof(text); i++) {
		snprintf(text + len, sizeof(text) - len, "%s%s", i ? ", " : "", keys->names[i]);
		len = strlen(text);
	}
	page_text(page, 2, text);
}

static void write_history(struct page *page, const struct picture_type *type)
{
	struct canvas_place at = { PLOT_AXIS + 1, 0, 0, CANVAS_LIVE };
	struct history_series series;
	int64_t least = INT64_MAX, most = 0;
	char size[CELLS_MAX];

	if (!history_series(page->state->history, type, page->state->shown_ns, &series))
		return;
	for (size_t i = 0; i < series.count; i++) {
		least = MIN(least, series.bytes[i]);
		most = MAX(most, series.bytes[i]);
	}
	page_heading(page, "History: %s to %s in %zu s", cells_size(size, least),
		     cells_size((char[CELLS_MAX]){ 0 }, most), series.count);
	at.y = page->y;
	at.width = MIN(page->canvas.width - at.x, (size_t)HISTORY_SECONDS);
	for (size_t i = 0; i < PLOT_ROWS; i++)
		canvas_put(&page->canvas,
			   (struct canvas_place){ PLOT_AXIS, page->y + i, 1, CANVAS_PLAIN },
			   canvas_glyph(&page->canvas, CANVAS_GLYPH_AXIS));
	canvas_put_right(&page->canvas, (struct canvas_place){ 0, page->y, PLOT_AXIS - 1, 0 },
			 cells_size(size, most));
	graph_plot(&page->canvas, at, PLOT_ROWS, series.bytes, series.count);
	page->y += PLOT_ROWS;
}

/* "12s", ">40s": from before we watched, "<12s": no allocation tells of its making. */
static const char *describe_age(const struct picture_sample *sample, char *buf)
{
	static const char *const marks[] = {
		[PICTURE_AGE_IS] = "",
		[PICTURE_AGE_LEAST] = ">",
		[PICTURE_AGE_MOST] = "<",
	};
	bool most = sample->age == PICTURE_AGE_MOST;
	char elapsed[FORMAT_SIZE_MAX];

	if (sample->age == PICTURE_AGE_UNKNOWN)
		return "-";
	snprintf(buf, CELLS_MAX, "%s%s", marks[sample->age],
		 format_elapsed(elapsed, sample->age_ns / NSEC_PER_SEC + most));
	return buf;
}

/* The types of its items or its attributes, one line each; long ones continue below. */
static void write_sample(struct page *page, const struct picture_sample *sample)
{
	char size[CELLS_MAX], count[CELLS_MAX], refs[CELLS_MAX], age[CELLS_MAX], items[64] = "",
										 text[2048];
	size_t len;

	if (sample->items != PICTURE_UNKNOWN)
		snprintf(items, sizeof(items), ", %s item%s", cells_count(count, sample->items),
			 sample->items == 1 ? "" : "s");
	snprintf(refs, sizeof(refs), "immortal");
	if (sample->refcount != PICTURE_UNKNOWN)
		snprintf(refs, sizeof(refs), "%lld reference%s", (long long)sample->refcount,
			 sample->refcount == 1 ? "" : "s");
	page_line(page, CANVAS_PLAIN, "  0x%llx  %s, %s, age %s%s",
		  (unsigned long long)sample->address, cells_size(size, sample->bytes), refs,
		  describe_age(sample, age), items);
	text[0] = '\0';
	for (size_t i = 0; i < sample->attributes_count; i++) {
		len = strlen(text);
		snprintf(text + len, sizeof(text) - len, "%s%s",
			 i ? ", " : "attributes: ", sample->attributes[i]);
	}
	if (*text)
		page_text(page, 4, text);
	if (sample->holds) {
		snprintf(text, sizeof(text), "holds %s", sample->holds);
		page_text(page, 4, text);
	}
	if (sample->value) {
		snprintf(text, sizeof(text), "value: %s", sample->value);
		page_text(page, 4, text);
	}
}

static const char *why_no_samples(const struct state *state, const struct picture_type *type)
{
	if (state->no_samples)
		return "  none through a daemon; with --values pymemtop attaches itself";
	if (!type->address)
		return "  none of a service; look at one of its processes";
	if (state->ended)
		return "  none were read before the process ended";
	return "  with the next census";
}

static void write_samples(struct page *page, const struct picture_type *type)
{
	const struct picture *pic = page->state->newest;

	page_heading(page, "Some instances");
	if (!pic->samples.count || pic->samples.type != type->address)
		page_line(page, CANVAS_DIM, "%s", why_no_samples(page->state, type));
	else
		for (size_t i = 0; i < pic->samples.count; i++)
			write_sample(page, &pic->samples.list[i]);
}

static void write_advice(struct page *page, const struct picture_type *type)
{
	const struct picture *pic = page->state->shown;
	bool any = false;

	page_heading(page, "Advice");
	for (size_t i = 0; i < pic->advice_count; i++) {
		const struct picture_advice *advice = &pic->advice[i];
		char size[CELLS_MAX];

		if (!advice->type || !type->name || !streq(advice->type, type->name))
			continue;
		any = true;
		page_line(page, CANVAS_BOLD, "  %s: saves %s", advice->kind ? advice->kind : "-",
			  cells_size(size, advice->saves_bytes));
		page_text(page, 4, advice->detail ? advice->detail : "");
	}
	if (!any)
		page_line(page, CANVAS_DIM, "  none for this type");
}

void screen_type_write(struct page *page)
{
	const struct picture_type *type = state_opened(page->state);

	if (!type) {
		page_heading(page, "%s", page->state->opened.name ? page->state->opened.name : "?");
		page_line(page, CANVAS_PLAIN, "no instance is left");
		return;
	}
	write_summary(page, type);
	write_parts(page, type);
	write_storage(page, type);
	write_keys(page, type);
	write_samples(page, type);
	write_history(page, type);
	write_advice(page, type);
}
