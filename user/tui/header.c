/* SPDX-License-Identifier: BSD-2-Clause */
#include "tui/header.h"

#include "base/format.h"
#include "base/util.h"
#include "tui/keys.h"
#include "view/cells.h"

#include <time.h>
#include <unistd.h>

/* Lines for reasons, of those that there may be. */
#define REASONS_SHOWN 2
/* From here on the legend has room for longer words. */
#define LEGEND_MEDIUM 76
#define LEGEND_WIDE 100

static int64_t known(int64_t n)
{
	return n == PICTURE_UNKNOWN ? 0 : MAX(n, (int64_t)0);
}

void header_split_rss(const struct picture *pic, struct graph_segment *ret)
{
	int64_t live = known(pic->memory.resident_python_live_bytes);
	int64_t unused = known(pic->memory.resident_python_free_bytes);
	int64_t native = known(pic->memory.resident_native_live_bytes) +
			 known(pic->memory.resident_malloc_free_bytes);
	int64_t rest = known(pic->memory.rss_bytes) - live - unused - native;

	ret[HEADER_LIVE] = (struct graph_segment){ live, CANVAS_GLYPH_LIVE, CANVAS_LIVE };
	ret[HEADER_FREE] = (struct graph_segment){ unused, CANVAS_GLYPH_FREE, CANVAS_FREE };
	ret[HEADER_NATIVE] = (struct graph_segment){ native, CANVAS_GLYPH_NATIVE, CANVAS_NATIVE };
	ret[HEADER_OTHER] =
		(struct graph_segment){ MAX(rest, (int64_t)0), CANVAS_GLYPH_OTHER, CANVAS_OTHER };
}

void header_draw_rss(struct canvas *canvas, size_t y, const struct picture *pic)
{
	static const char *const labels[][HEADER_RSS_PARTS] = {
		{ "live", "free", "nat", "oth" },
		{ "live", "free", "native", "other" },
		{ " python live", " python free", " native", " other" },
	};
	struct graph_segment list[HEADER_RSS_PARTS];
	size_t words = (canvas->width >= LEGEND_MEDIUM) + (canvas->width >= LEGEND_WIDE);
	char size[CELLS_MAX];
	size_t x;

	header_split_rss(pic, list);
	x = canvas_printf(canvas, (struct canvas_place){ 0, y, 0, CANVAS_BOLD }, "%s %s ",
			  pic->members_count > 1 ? "PSS" : "RSS",
			  cells_size(size, pic->memory.rss_bytes));
	if (pic->memory.rss_bytes == PICTURE_UNKNOWN || x >= canvas->width)
		return;
	graph_stack(canvas, (struct canvas_place){ x, y, canvas->width - x, 0 }, list,
		    HEADER_RSS_PARTS);
	x = 0;
	for (size_t i = 0; i < HEADER_RSS_PARTS; i++) {
		struct canvas_place at = { x, y + 1, 1, list[i].style };

		canvas_put(canvas, at, canvas_glyph(canvas, list[i].glyph));
		at = (struct canvas_place){ x + 1, y + 1, 0, CANVAS_PLAIN };
		x = canvas_printf(canvas, at, "%s %s", labels[words][i],
				  cells_size(size, list[i].bytes)) +
		    (words == 2 ? 3 : 1);
	}
}

static const char *describe_uptime(const struct picture *pic, char *buf)
{
	struct timespec now;
	uint64_t started = pic->process.start_time_ticks / (uint64_t)sysconf(_SC_CLK_TCK);

	clock_gettime(CLOCK_BOOTTIME, &now);
	return format_elapsed(buf, (uint64_t)now.tv_sec - MIN(started, (uint64_t)now.tv_sec));
}

static void draw_target(struct canvas *canvas, const struct state *state)
{
	const struct picture *pic = state->shown;
	char right[96], uptime[FORMAT_SIZE_MAX];
	size_t width, x;

	snprintf(right, sizeof(right), "Python %s%s%s  up %s",
		 pic->process.python_version ? pic->process.python_version : "?",
		 pic->process.debug ? " debug" : "", pic->process.gil ? "" : " free-threaded",
		 describe_uptime(pic, uptime));
	width = strlen(right);
	x = canvas_printf(canvas, (struct canvas_place){ 0, 0, 0, CANVAS_BOLD }, "%d ",
			  pic->process.pid);
	if (canvas->width > width + x + 1)
		canvas_put(canvas,
			   (struct canvas_place){ x, 0, canvas->width - width - x - 1,
						  CANVAS_BOLD },
			   pic->process.cmdline ? pic->process.cmdline : "");
	if (canvas->width > width)
		canvas_put(canvas,
			   (struct canvas_place){ canvas->width - width, 0, width, CANVAS_PLAIN },
			   right);
}

/* Coverage, overhead and loss, shorter where there is no room. */
static void describe_events(const struct state *state, size_t width, char *buf, size_t cap)
{
	const struct picture *pic = state->shown;
	char coverage[CELLS_MAX], overhead[CELLS_MAX], limit[CELLS_MAX], lost[CELLS_MAX];
	bool wide = width >= 80;
	size_t len;

	if (state->starting || streq(pic->events.mode ? pic->events.mode : "off", "off")) {
		snprintf(buf, cap, "events %s", state->starting ? "starting" : "off");
		return;
	}
	snprintf(buf, cap, "%s%s  %s %s  %s %s", width >= LEGEND_WIDE ? "events " : "",
		 pic->events.mode, wide ? "coverage" : "cov",
		 cells_ratio(coverage, pic->events.coverage), wide ? "overhead" : "ovh",
		 cells_ratio(overhead, pic->events.overhead_estimated));
	len = strlen(buf);
	if (isfinite(pic->events.overhead_limit)) {
		snprintf(buf + len, cap - len, "%s%s", wide ? " of " : "/",
			 cells_ratio(limit, pic->events.overhead_limit));
		len = strlen(buf);
	}
	snprintf(buf + len, cap - len, "  lost %s", cells_count(lost, pic->events.lost));
}

/* How old what is shown is, how it came, and when the next comes where that is later than was
 * asked. */
static void describe_age(const struct state *state, size_t width, uint64_t now_ns, char *buf,
			 size_t cap)
{
	const struct picture *pic = state->shown;
	uint64_t age = (now_ns - MIN(state->shown_ns, now_ns)) / NSEC_PER_SEC;
	bool wide = width >= 80,
	     late = pic->census.interval_ms > (double)state->interval_ns / NSEC_PER_MSEC;
	char took[CELLS_MAX] = "unchanged", every[CELLS_MAX];
	size_t len;

	if (!pic->census.unchanged)
		cells_duration(took, pic->census.duration_ms);
	len = (size_t)snprintf(buf, cap, "%s%s%s%llus ago", wide ? "census " : "", wide ? took : "",
			       wide ? ", " : "", (unsigned long long)age);
	if (late && len < cap)
		snprintf(buf + len, cap - len, "%s%s", wide ? ", every " : "/",
			 cells_duration(every, pic->census.interval_ms));
}

static void draw_events(struct canvas *canvas, size_t y, const struct state *state, uint64_t now_ns)
{
	const struct picture *pic = state->shown;
	char events[192], right[96];
	struct canvas_place at = { 0, y, canvas->width, CANVAS_PLAIN };

	describe_events(state, canvas->width, events, sizeof(events));
	if (pic->events.lost > 0)
		at.style = CANVAS_WARNING;
	canvas_put(canvas, at, events);
	describe_age(state, canvas->width, now_ns, right, sizeof(right));
	at.style = CANVAS_PLAIN;
	canvas_put_right(canvas, at, right);
}

static size_t draw_banner(struct canvas *canvas, size_t y, enum canvas_style style,
			  const char *text)
{
	struct canvas_place row = { 0, y, canvas->width, style };

	canvas_put(canvas, row, text);
	canvas_restyle(canvas, row);
	return y + 1;
}

static size_t draw_reasons(struct canvas *canvas, size_t y, const struct picture *pic)
{
	size_t count = pic->partial_reasons_count;
	char text[512];

	for (size_t i = 0; i < count && i < REASONS_SHOWN; i++) {
		if (i == REASONS_SHOWN - 1 && count > REASONS_SHOWN)
			snprintf(text, sizeof(text),
				 "PARTIAL: %zu more reasons; the snapshot (w) has all", count - i);
		else
			snprintf(text, sizeof(text), "PARTIAL: %s", pic->partial_reasons[i]);
		y = draw_banner(canvas, y, CANVAS_WARNING, text);
	}
	return y;
}

size_t header_draw(struct canvas *canvas, const struct state *state, uint64_t now_ns)
{
	char text[512];
	size_t y = 4;

	if (!state->shown) {
		canvas_put(canvas, (struct canvas_place){ 0, 0, canvas->width, CANVAS_PLAIN },
			   "taking the first census ...");
		return 1;
	}
	draw_target(canvas, state);
	header_draw_rss(canvas, 1, state->shown);
	draw_events(canvas, 3, state, now_ns);
	if (state->ended) {
		snprintf(text, sizeof(text),
			 "process %d has ended; this is the last that was seen of it",
			 state->shown->process.pid);
		y = draw_banner(canvas, y, CANVAS_CURSOR, text);
	}
	if (state->paused)
		y = draw_banner(canvas, y, CANVAS_CURSOR,
				"PAUSED; collecting goes on. p shows the newest");
	if (*state->note)
		y = draw_banner(canvas, y, CANVAS_WARNING, state->note);
	return draw_reasons(canvas, y, state->shown);
}

static void draw_labels(struct canvas *canvas, size_t y, const struct state *state)
{
	size_t count, x = 0;
	const struct keys_row *rows = keys_all(&count);

	if (state->screen != STATE_TYPES)
		x = canvas_printf(canvas, (struct canvas_place){ x, y, 0, CANVAS_KEY },
				  "Esc back") +
		    2;
	for (size_t i = 0; i < count; i++) {
		const char *label = rows[i].label;
		struct canvas_place at = { x, y, 0, CANVAS_KEY };

		if (!label || !(rows[i].screens & (1u << state->screen)))
			continue;
		if (x + strlen(label) > canvas->width)
			continue;
		x = canvas_printf(canvas, at, "%s", label) + 2;
		at.width = strcspn(label, " ");
		at.style = CANVAS_BOLD;
		canvas_restyle(canvas, at);
	}
}

void header_draw_keys(struct canvas *canvas, const struct state *state, uint64_t now_ns)
{
	struct canvas_place row = { 0, canvas->height - 1, canvas->width, CANVAS_KEY };
	char text[STATE_FILTER_MAX + 128];

	if (!canvas->height)
		return;
	if (state->filter_open && state->screen == STATE_TYPES) {
		snprintf(text, sizeof(text),
			 "filter: %s_   %zu of %zu types; Enter keeps it, Esc drops it",
			 state->filter, state->rows.count,
			 state->shown ? state->shown->types_count : 0);
		canvas_put(canvas, row, text);
	} else if (*state->message && now_ns < state->message_until_ns) {
		canvas_put(canvas, row, state->message);
	} else {
		draw_labels(canvas, row.y, state);
	}
}
