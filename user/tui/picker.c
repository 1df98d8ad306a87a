/* SPDX-License-Identifier: BSD-2-Clause */
#include "tui/picker.h"

#include "base/utf8.h"
#include "base/util.h"
#include "tui/keys.h"
#include "view/cells.h"

#include <errno.h>

#define TITLE_ROWS 3
#define WAIT_MS 1000
#define PID_WIDTH 8
#define VERSION_WIDTH 9
#define RSS_WIDTH 11
#define SUPPORTED_WIDTH 4

static int by_size(const void *left, const void *right)
{
	const struct picker_entry *a = *(const struct picker_entry *const *)left;
	const struct picker_entry *b = *(const struct picker_entry *const *)right;
	int order = (a->rss_bytes < b->rss_bytes) - (a->rss_bytes > b->rss_bytes);

	return order ? order : (a->pid > b->pid) - (a->pid < b->pid);
}

static bool matches(const struct picker_entry *entry, const char *filter)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", entry->pid);
	return strcasestr(entry->command, filter) || strstr(entry->version, filter) ||
	       strstr(pid, filter);
}

static void apply_filter(struct picker *picker)
{
	picker->count = 0;
	for (size_t i = 0; i < picker->list_count; i++) {
		if (matches(picker->list[i], picker->filter))
			picker->rows[picker->count++] = picker->list[i];
	}
	picker->cursor = picker->count ? MIN(picker->cursor, picker->count - 1) : 0;
}

static pid_t chosen_pid(const struct picker *picker)
{
	return picker->cursor < picker->count ? picker->rows[picker->cursor]->pid : 0;
}

int picker_set(struct picker *picker, const struct picker_entry *entries, size_t count)
{
	const struct picker_entry **list = calloc(count + 1, sizeof(*list));
	const struct picker_entry **rows = calloc(count + 1, sizeof(*rows));
	pid_t chosen = chosen_pid(picker);

	if (!list || !rows) {
		free(list);
		free(rows);
		return -ENOMEM;
	}
	free(picker->list);
	free(picker->rows);
	picker->list = list;
	picker->rows = rows;
	picker->list_count = count;
	for (size_t i = 0; i < count; i++)
		list[i] = &entries[i];
	qsort(list, count, sizeof(*list), by_size);
	apply_filter(picker);
	for (size_t i = 0; i < picker->count; i++) {
		if (picker->rows[i]->pid == chosen)
			picker->cursor = i;
	}
	return 0;
}

void picker_fini(struct picker *picker)
{
	free(picker->list);
	free(picker->rows);
	*picker = (struct picker){ 0 };
}

static enum picker_answer choose(struct picker *picker)
{
	const struct picker_entry *entry;

	if (picker->cursor >= picker->count)
		return PICKER_GO_ON;
	entry = picker->rows[picker->cursor];
	if (!entry->reason)
		return PICKER_CHOSEN;
	snprintf(picker->message, sizeof(picker->message), "%s", entry->reason);
	return PICKER_GO_ON;
}

static void move(struct picker *picker, int key)
{
	size_t page = MAX(picker->visible, (size_t)1), last = picker->count ? picker->count - 1 : 0;

	if (key == KEYS_UP)
		picker->cursor -= MIN(picker->cursor, (size_t)1);
	else if (key == KEYS_DOWN)
		picker->cursor = MIN(picker->cursor + 1, last);
	else if (key == KEYS_PAGE_UP)
		picker->cursor -= MIN(picker->cursor, page);
	else if (key == KEYS_PAGE_DOWN)
		picker->cursor = MIN(picker->cursor + page, last);
	else
		picker->cursor = key == KEYS_HOME ? 0 : last;
}

static void edit(struct picker *picker, int key)
{
	size_t len = strlen(picker->filter);

	if (key == KEYS_BACKSPACE) {
		while (len && (picker->filter[len - 1] & 0xC0) == 0x80)
			len--;
		len -= len ? 1 : 0;
	} else if (key >= ' ' && key < KEYS_UP && len + 5 < sizeof(picker->filter)) {
		len += utf8_put(picker->filter + len, (unsigned int)key);
	}
	picker->filter[len] = '\0';
	apply_filter(picker);
}

enum picker_answer picker_press(struct picker *picker, int key)
{
	picker->message[0] = '\0';
	if (key == KEYS_ENTER)
		return choose(picker);
	if (key == KEYS_F5)
		return PICKER_RELOAD;
	if (key >= KEYS_UP && key <= KEYS_END) {
		move(picker, key);
		return PICKER_GO_ON;
	}
	if (key == KEYS_ESCAPE) {
		if (!*picker->filter)
			return PICKER_QUIT;
		picker->filter[0] = '\0';
		apply_filter(picker);
		return PICKER_GO_ON;
	}
	edit(picker, key);
	return PICKER_GO_ON;
}

static void draw_row(struct canvas *canvas, size_t y, const struct picker_entry *entry)
{
	struct canvas_place at = { 0, y, PID_WIDTH, entry->reason ? CANVAS_DIM : CANVAS_PLAIN };
	char pid[16], rss[CELLS_MAX];

	snprintf(pid, sizeof(pid), "%d", entry->pid);
	canvas_put_right(canvas, at, pid);
	at.x += PID_WIDTH + 2;
	at.width = VERSION_WIDTH;
	canvas_put(canvas, at, *entry->version ? entry->version : "-");
	at.x += VERSION_WIDTH;
	at.width = RSS_WIDTH;
	canvas_put_right(canvas, at, cells_size(rss, entry->rss_bytes));
	at.x += RSS_WIDTH + 2;
	at.width = SUPPORTED_WIDTH;
	canvas_put(canvas, at, entry->reason ? "no" : "yes");
	at.x += SUPPORTED_WIDTH;
	at.width = canvas->width;
	canvas_put(canvas, at, entry->command);
}

static void draw_titles(struct canvas *canvas, const struct picker *picker)
{
	struct canvas_place title = { 0, TITLE_ROWS - 1, canvas->width, CANVAS_TITLE };
	char text[PICKER_FILTER_MAX + 64];

	canvas_put(canvas, (struct canvas_place){ 0, 0, canvas->width, CANVAS_BOLD },
		   "Which Python? Type to filter, Enter watches it.");
	snprintf(text, sizeof(text), "filter: %s_   %zu of %zu", picker->filter, picker->count,
		 picker->list_count);
	canvas_put(canvas, (struct canvas_place){ 0, 1, canvas->width, CANVAS_PLAIN }, text);
	snprintf(text, sizeof(text), "%*s  %-*s%*s  %-*s%s", PID_WIDTH, "PID", VERSION_WIDTH,
		 "VERSION", RSS_WIDTH, "RSS", SUPPORTED_WIDTH, "OK", "COMMAND");
	canvas_put(canvas, title, text);
	canvas_restyle(canvas, title);
}

/* Below: what to press, or why the process under the cursor cannot be watched. */
static void draw_bottom(struct canvas *canvas, const struct picker *picker)
{
	struct canvas_place at = { 0, canvas->height - 1, canvas->width, CANVAS_KEY };
	const char *text = "Enter watch  Up Down move  F5 look again  Esc quit";

	if (*picker->message) {
		text = picker->message;
		at.style = CANVAS_WARNING;
	} else if (picker->cursor < picker->count && picker->rows[picker->cursor]->reason) {
		text = picker->rows[picker->cursor]->reason;
	}
	canvas_put(canvas, at, text);
}

void picker_draw(struct canvas *canvas, struct picker *picker)
{
	canvas_clear(canvas);
	if (canvas->height <= TITLE_ROWS + 1)
		return;
	draw_titles(canvas, picker);
	draw_bottom(canvas, picker);
	picker->visible = canvas->height - TITLE_ROWS - 1;
	if (picker->cursor < picker->top)
		picker->top = picker->cursor;
	if (picker->cursor >= picker->top + picker->visible)
		picker->top = picker->cursor - picker->visible + 1;
	if (!picker->count)
		canvas_put(canvas,
			   (struct canvas_place){ 2, TITLE_ROWS, canvas->width, CANVAS_PLAIN },
			   picker->list_count ? "none matches" : "no Python runs here");
	for (size_t i = 0; i < picker->visible && picker->top + i < picker->count; i++) {
		size_t y = TITLE_ROWS + i;

		draw_row(canvas, y, picker->rows[picker->top + i]);
		if (picker->top + i == picker->cursor)
			canvas_restyle(canvas,
				       (struct canvas_place){ 0, y, canvas->width, CANVAS_CURSOR });
	}
}

static int load(struct picker *picker, const struct picker_source *source, struct error *err)
{
	const struct picker_entry *entries;
	size_t count;
	int r = source->load(source->ctx, &entries, &count, err);

	return r ? r : picker_set(picker, entries, count);
}

static int show(struct display *display, struct picker *picker)
{
	_cleanup_canvas_ struct canvas canvas = { 0 };
	int r = display_canvas(display, &canvas);

	if (r)
		return r;
	picker_draw(&canvas, picker);
	display_show(display, &canvas);
	return 0;
}

/* All keys that wait. */
static enum picker_answer press_keys(struct display *display, struct picker *picker)
{
	enum picker_answer answer = PICKER_GO_ON;
	int key;

	while (answer == PICKER_GO_ON && (key = display_key(display)) != KEYS_NONE) {
		if (key != KEYS_RESIZE)
			answer = picker_press(picker, key);
	}
	return answer;
}

int picker_run(struct display *display, const struct picker_source *source,
	       const volatile bool *stop, struct error *err)
{
	_cleanup_picker_ struct picker picker = { 0 };
	int r = load(&picker, source, err);

	while (!r && !*stop) {
		enum picker_answer answer;

		r = show(display, &picker);
		if (!r && display_wait(display, -1, WAIT_MS))
			return 0;
		answer = r ? PICKER_QUIT : press_keys(display, &picker);
		if (answer == PICKER_CHOSEN)
			return chosen_pid(&picker);
		if (answer == PICKER_QUIT)
			return r;
		if (answer == PICKER_RELOAD)
			r = load(&picker, source, err);
	}
	return r;
}
