/* SPDX-License-Identifier: BSD-2-Clause */
#include "tui/keys.h"

#include "base/utf8.h"
#include "base/util.h"
#include "view/cells.h"

#define ON(screen) (1u << (screen))
#define EVERYWHERE (~0u)
#define TABLE ON(STATE_TYPES)
#define PAGES (EVERYWHERE & ~TABLE)
#define BEYOND_HELP (EVERYWHERE & ~ON(STATE_HELP))

/* What + and - step through. */
static const uint64_t intervals[] = {
	NSEC_PER_SEC / 4, NSEC_PER_SEC / 2,  NSEC_PER_SEC,	2 * NSEC_PER_SEC,
	5 * NSEC_PER_SEC, 10 * NSEC_PER_SEC, 30 * NSEC_PER_SEC, 60 * NSEC_PER_SEC,
};

static unsigned int quit(struct state *state, int key, uint64_t now_ns)
{
	return KEYS_DO_QUIT;
}

static unsigned int move(struct state *state, int key, uint64_t now_ns)
{
	long page = (long)MAX(state->visible, (size_t)1), all = (long)state->rows.count;

	switch (key) {
	case KEYS_UP:
	case 'k':
		state_move(state, -1);
		break;
	case KEYS_DOWN:
	case 'j':
		state_move(state, 1);
		break;
	case KEYS_PAGE_UP:
		state_move(state, -page);
		break;
	case KEYS_PAGE_DOWN:
		state_move(state, page);
		break;
	case KEYS_HOME:
	case 'g':
		state_move(state, -all);
		break;
	case KEYS_END:
	case 'G':
		state_move(state, all);
		break;
	}
	return KEYS_DO_NOTHING;
}

static unsigned int scroll(struct state *state, int key, uint64_t now_ns)
{
	size_t page = MAX(state->visible, (size_t)1), most = state->scroll_max;

	switch (key) {
	case KEYS_UP:
	case 'k':
		state->scroll -= MIN(state->scroll, (size_t)1);
		break;
	case KEYS_DOWN:
	case 'j':
		state->scroll++;
		break;
	case KEYS_PAGE_UP:
		state->scroll -= MIN(state->scroll, page);
		break;
	case KEYS_PAGE_DOWN:
		state->scroll += page;
		break;
	case KEYS_HOME:
	case 'g':
		state->scroll = 0;
		break;
	case KEYS_END:
	case 'G':
		state->scroll = most;
		break;
	}
	state->scroll = MIN(state->scroll, most);
	return KEYS_DO_NOTHING;
}

static unsigned int enter(struct state *state, int key, uint64_t now_ns)
{
	state_open(state);
	return KEYS_DO_SAMPLES;
}

static unsigned int go(struct state *state, enum state_screen screen)
{
	bool samples = state->screen == STATE_TYPE;

	state->screen = screen;
	state->scroll = 0;
	return samples && screen != STATE_HELP ? KEYS_DO_SAMPLES : KEYS_DO_NOTHING;
}

static unsigned int leave(struct state *state, int key, uint64_t now_ns)
{
	if (state->screen == STATE_TYPES) {
		state_set_filter(state, "");
		return KEYS_DO_NOTHING;
	}
	return go(state, state->screen == STATE_HELP ? state->back : STATE_TYPES);
}

static unsigned int help(struct state *state, int key, uint64_t now_ns)
{
	if (state->screen == STATE_HELP)
		return leave(state, key, now_ns);
	state->back = state->screen;
	return go(state, STATE_HELP);
}

/* The key of a screen opens it, and leads back. */
static unsigned int toggle(struct state *state, int key, uint64_t now_ns)
{
	static const struct {
		int key;
		enum state_screen screen;
	} screens[] = {
		{ 'm', STATE_MEMORY },
		{ 'd', STATE_DICTS },
		{ 'a', STATE_ADVICE },
		{ 'l', STATE_PROCESSES },
	};

	for (size_t i = 0; i < ARRAY_SIZE(screens); i++) {
		if (screens[i].key == key)
			return go(state, state->screen == screens[i].screen ? STATE_TYPES
									    : screens[i].screen);
	}
	return KEYS_DO_NOTHING;
}

/* Growth, then the words of --sort, and round again. */
static unsigned int sort(struct state *state, int key, uint64_t now_ns)
{
	bool back = key == 'S' || key == '<';
	size_t count = 0, at = 0;

	while (rows_key_at(count)) {
		if (rows_key_at(count) == state->sort)
			at = count + 1;
		count++;
	}
	at = (at + (back ? count : 1)) % (count + 1);
	state_set_sort(state, at ? rows_key_at(at - 1) : NULL, false);
	state_say(state, now_ns, "sorted by %s",
		  at ? rows_key_name(state->sort) : "growth, then bytes");
	return KEYS_DO_NOTHING;
}

static unsigned int reverse(struct state *state, int key, uint64_t now_ns)
{
	state_set_sort(state, state->sort, !state->reverse);
	return KEYS_DO_NOTHING;
}

static unsigned int filter(struct state *state, int key, uint64_t now_ns)
{
	state->filter_open = true;
	return KEYS_DO_NOTHING;
}

static unsigned int clear(struct state *state, int key, uint64_t now_ns)
{
	state_set_filter(state, "");
	return KEYS_DO_NOTHING;
}

static unsigned int toggle_pause(struct state *state, int key, uint64_t now_ns)
{
	state_set_paused(state, !state->paused);
	return KEYS_DO_NOTHING;
}

static unsigned int baseline(struct state *state, int key, uint64_t now_ns)
{
	state_set_baseline(state, now_ns);
	return KEYS_DO_NOTHING;
}

static unsigned int interval(struct state *state, int key, uint64_t now_ns)
{
	size_t count = ARRAY_SIZE(intervals), i = 0;
	char text[CELLS_MAX];

	if (key != '-') {
		while (i < count - 1 && intervals[i] <= state->interval_ns)
			i++;
	} else {
		i = count - 1;
		while (i && intervals[i] >= state->interval_ns)
			i--;
	}
	state->interval_ns = intervals[i];
	state_say(state, now_ns, "a picture every %s",
		  cells_duration(text, (double)state->interval_ns / NSEC_PER_MSEC));
	return KEYS_DO_INTERVAL;
}

static unsigned int write_snapshot(struct state *state, int key, uint64_t now_ns)
{
	return KEYS_DO_WRITE;
}

static const struct keys_row table[] = {
	{ { 'h', '?', KEYS_F1 },
	  EVERYWHERE,
	  help,
	  "h ? F1",
	  "this help, and back",
	  "help, and back",
	  "h help" },
	{ { KEYS_ENTER },
	  TABLE,
	  enter,
	  "Enter",
	  "open the type: all that is known of it",
	  "open the type",
	  "Enter type" },
	{ { KEYS_ESCAPE },
	  EVERYWHERE,
	  leave,
	  "Esc",
	  "back; on the table: drop the filter",
	  "back",
	  NULL },
	{ { '/' },
	  TABLE,
	  filter,
	  "/ c",
	  "filter as you type (regular expression); clear it",
	  "filter, clear",
	  "/ filter" },
	{ { 'c' }, TABLE, clear, NULL, NULL, NULL, NULL },
	{ { 's', 'S', '<', '>', KEYS_F6 },
	  TABLE,
	  sort,
	  "s S < > F6",
	  "sort by the next or the previous key",
	  "next sort key",
	  "s sort" },
	{ { 'r' }, TABLE, reverse, "r", "reverse the order", "reverse order", NULL },
	{ { 'b' },
	  BEYOND_HELP,
	  baseline,
	  "b",
	  "set the baseline: differences count from it",
	  "set baseline",
	  "b baseline" },
	{ { 'p', ' ' },
	  BEYOND_HELP,
	  toggle_pause,
	  "p Space",
	  "pause what is shown; collecting goes on",
	  "pause the view",
	  "p pause" },
	{ { '+', '=', '-' },
	  EVERYWHERE,
	  interval,
	  "+ -",
	  "longer or shorter interval of pictures",
	  "interval",
	  NULL },
	{ { 'm' },
	  EVERYWHERE,
	  toggle,
	  "m",
	  "memory map: where the RSS is",
	  "memory map",
	  "m memory" },
	{ { 'd' }, EVERYWHERE, toggle, "d", "dicts: layouts, owners, waste", "dicts", "d dicts" },
	{ { 'a' },
	  EVERYWHERE,
	  toggle,
	  "a",
	  "advice: what to change in the code",
	  "advice",
	  "a advice" },
	{ { 'l' },
	  EVERYWHERE,
	  toggle,
	  "l",
	  "list the processes of the service (-s)",
	  "list processes",
	  NULL },
	{ { 'w' },
	  EVERYWHERE,
	  write_snapshot,
	  "w",
	  "write a snapshot (JSON) to a new file",
	  "write snapshot",
	  "w write" },
	{ { KEYS_UP, KEYS_DOWN, 'j', 'k' },
	  TABLE,
	  move,
	  "arrows j k",
	  "move; the cursor stays on its type",
	  "move",
	  NULL },
	{ { KEYS_PAGE_UP, KEYS_PAGE_DOWN },
	  TABLE,
	  move,
	  "PgUp PgDn",
	  "a screen up or down",
	  "a screen",
	  NULL },
	{ { KEYS_HOME, KEYS_END, 'g', 'G' },
	  TABLE,
	  move,
	  "Home End g G",
	  "first and last row",
	  "first and last",
	  NULL },
	{ { KEYS_UP, KEYS_DOWN, 'j', 'k' }, PAGES, scroll, NULL, NULL, NULL, NULL },
	{ { KEYS_PAGE_UP, KEYS_PAGE_DOWN }, PAGES, scroll, NULL, NULL, NULL, NULL },
	{ { KEYS_HOME, KEYS_END, 'g', 'G' }, PAGES, scroll, NULL, NULL, NULL, NULL },
	{ { 'q' }, EVERYWHERE, quit, "q Ctrl-C", "quit", "quit", "q quit" },
};

_Static_assert(ARRAY_SIZE(table) <= KEYS_ROWS_MAX, "keys_row lists have room");

const struct keys_row *keys_all(size_t *count)
{
	*count = ARRAY_SIZE(table);
	return table;
}

/* Typing a filter: Enter keeps it, Esc drops it. */
static unsigned int type_filter(struct state *state, int key)
{
	char text[STATE_FILTER_MAX];
	size_t len = strlen(state->filter);

	memcpy(text, state->filter, len + 1);
	if (key == KEYS_ENTER) {
		state->filter_open = false;
		return KEYS_DO_NOTHING;
	}
	if (key == KEYS_ESCAPE) {
		state->filter_open = false;
		len = 0;
	} else if (key == KEYS_BACKSPACE) {
		while (len && (text[len - 1] & 0xC0) == 0x80)
			len--;
		len -= len ? 1 : 0;
	} else if (key >= ' ' && key < 0x110000 && len + 5 < sizeof(text)) {
		len += utf8_put(text + len, (unsigned int)key);
	} else {
		return KEYS_DO_NOTHING;
	}
	text[len] = '\0';
	state_set_filter(state, text);
	return KEYS_DO_NOTHING;
}

unsigned int keys_press(struct state *state, int key, uint64_t now_ns)
{
	if (key != KEYS_RESIZE)
		state->message[0] = '\0'; /* it was read */
	if (state->filter_open && state->screen == STATE_TYPES &&
	    !(key >= KEYS_UP && key <= KEYS_END))
		return type_filter(state, key);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		const struct keys_row *row = &table[i];

		for (size_t k = 0; k < ARRAY_SIZE(row->keys) && row->keys[k]; k++) {
			if (row->keys[k] == key && (row->screens & ON(state->screen)))
				return row->run(state, key, now_ns);
		}
	}
	return KEYS_DO_NOTHING;
}
