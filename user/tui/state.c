/* SPDX-License-Identifier: BSD-2-Clause */
#include "tui/state.h"

#include "base/util.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define MESSAGE_NS (6 * NSEC_PER_SEC)

int state_init(struct state *state)
{
	*state = (struct state){ .interval_ns = 2 * NSEC_PER_SEC };
	return history_new(&state->history);
}

static bool holds(const struct state *state, const struct picture *pic)
{
	return pic == state->shown || pic == state->newest || pic == state->baseline;
}

/* Puts @pic in @slot; what was there goes unless another slot has it. */
static void put(struct state *state, struct picture **slot, struct picture *pic)
{
	struct picture *old = *slot;

	*slot = pic;
	if (old && !holds(state, old))
		picture_free(old);
}

static void set_type(struct state_type *which, const struct picture_type *type)
{
	free(which->name);
	which->name = type && type->name ? strdup(type->name) : NULL;
	which->address = type ? type->address : 0;
}

static bool is_type(const struct state_type *which, const struct picture_type *type)
{
	return which->name && type->name && which->address == type->address &&
	       streq(which->name, type->name);
}

void state_fini(struct state *state)
{
	rows_fini(&state->rows);
	put(state, &state->shown, NULL);
	put(state, &state->newest, NULL);
	put(state, &state->baseline, NULL);
	history_freep(&state->history);
	free(state->growth);
	set_type(&state->at, NULL);
	set_type(&state->opened, NULL);
	if (state->has_regex)
		regfree(&state->regex);
	*state = (struct state){ 0 };
}

static size_t index_of(const struct state *state, const struct picture_type *type)
{
	return (size_t)(type - state->shown->types);
}

double state_growth(const struct state *state, const struct picture_type *type)
{
	return state->growth ? state->growth[index_of(state, type)].per_second : 0;
}

/* Does @a go in front of @b? A class says more on what leaks than the str and dict that it holds,
 * and what grows evenly more than what comes and goes. */
static bool grows_before(const struct state *state, const struct picture_type *a,
			 const struct picture_type *b)
{
	const struct history_growth *x = &state->growth[index_of(state, a)],
				    *y = &state->growth[index_of(state, b)];

	if (a->heap != b->heap)
		return a->heap;
	return x->sure > y->sure || (x->sure == y->sure && x->per_second > y->per_second);
}

static void reverse_rows(struct rows *rows)
{
	for (size_t i = 0; i < rows->count / 2; i++) {
		const struct picture_type *other = rows->list[i];

		rows->list[i] = rows->list[rows->count - 1 - i];
		rows->list[rows->count - 1 - i] = other;
	}
}

/* Those that grow go first, the others keep their order by bytes: nothing else moves. */
static int growing_first(struct state *state)
{
	struct rows *rows = &state->rows;
	const struct picture_type **sorted = calloc(rows->count + 1, sizeof(*sorted));
	size_t n = 0;

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < rows->count; i++) {
		const struct picture_type *type = rows->list[i];
		size_t k = n;

		if (state_growth(state, type) <= 0)
			continue;
		for (; k && grows_before(state, type, sorted[k - 1]); k--)
			sorted[k] = sorted[k - 1];
		sorted[k] = type;
		n++;
	}
	for (size_t i = 0; i < rows->count; i++) {
		if (state_growth(state, rows->list[i]) <= 0)
			sorted[n++] = rows->list[i];
	}
	free(rows->list);
	rows->list = sorted;
	if (state->reverse)
		reverse_rows(rows);
	return 0;
}

/* The cursor's row in the new order. */
static void follow(struct state *state)
{
	size_t count = state->rows.count;

	if (!state->pinned) {
		state->cursor = state->top = 0;
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (is_type(&state->at, state->rows.list[i])) {
			state->cursor = i;
			return;
		}
	}
	state->cursor = count ? MIN(state->cursor, count - 1) : 0;
	if (count)
		set_type(&state->at, state->rows.list[state->cursor]);
}

static int arrange(struct state *state)
{
	const struct rows_options how = {
		.sort = state->sort,
		.reverse = state->sort && state->reverse,
		.filter = state->has_regex ? &state->regex : NULL,
	};
	struct rows rows;
	int r;

	if (!state->shown)
		return 0;
	r = rows_init(&rows, state->shown, &how);
	if (r)
		return r;
	rows_fini(&state->rows);
	state->rows = rows;
	if (!state->sort)
		r = growing_first(state);
	if (state->limit)
		state->rows.count = MIN(state->rows.count, state->limit);
	follow(state);
	return r;
}

static int show(struct state *state)
{
	const struct picture *pic = state->newest;
	struct history_growth *growth = calloc(pic->types_count + 1, sizeof(*growth));

	if (!growth)
		return -ENOMEM;
	for (size_t i = 0; i < pic->types_count; i++)
		growth[i] = history_growth(state->history, &pic->types[i]);
	free(state->growth);
	state->growth = growth;
	rows_fini(&state->rows); /* its rows are of the picture that goes */
	put(state, &state->shown, state->newest);
	state->shown_ns = state->newest_ns;
	return arrange(state);
}

int state_feed(struct state *state, struct picture *pic, uint64_t now_ns)
{
	int r = history_add(state->history, pic, now_ns);

	put(state, &state->newest, pic);
	state->newest_ns = now_ns;
	if (!state->baseline)
		state->baseline = pic;
	picture_set_baseline(pic, state->baseline);
	if (state->paused && state->shown)
		return r;
	return r ? r : show(state);
}

void state_set_baseline(struct state *state, uint64_t now_ns)
{
	if (!state->shown)
		return;
	put(state, &state->baseline, state->shown);
	picture_set_baseline(state->shown, state->baseline);
	if (state->newest != state->shown)
		picture_set_baseline(state->newest, state->baseline);
	history_mark(state->history, now_ns);
	memset(state->growth, 0, (state->shown->types_count + 1) * sizeof(*state->growth));
	arrange(state);
	state_say(state, now_ns, "baseline set: differences count from here");
}

void state_set_paused(struct state *state, bool paused)
{
	state->paused = paused;
	if (!paused && state->newest && state->newest != state->shown)
		show(state);
}

void state_set_sort(struct state *state, const struct rows_key *sort, bool reverse)
{
	state->sort = sort;
	state->reverse = reverse;
	arrange(state);
}

/* Plain text as a regular expression that matches it. */
static void quote(char *buf, size_t cap, const char *text)
{
	size_t used = 0;

	for (; *text && used + 3 < cap; text++) {
		if (strchr("\\.[](){}*+?|^$", *text))
			buf[used++] = '\\';
		buf[used++] = *text;
	}
	buf[used] = '\0';
}

void state_set_filter(struct state *state, const char *text)
{
	char quoted[2 * STATE_FILTER_MAX];

	snprintf(state->filter, sizeof(state->filter), "%s", text);
	if (state->has_regex)
		regfree(&state->regex);
	state->has_regex = false;
	if (*text) {
		int flags = REG_EXTENDED | REG_NOSUB | REG_ICASE;

		quote(quoted, sizeof(quoted), text);
		state->has_regex = !regcomp(&state->regex, text, flags) ||
				   !regcomp(&state->regex, quoted, flags);
	}
	arrange(state);
}

const struct picture_type *state_current(const struct state *state)
{
	return state->cursor < state->rows.count ? state->rows.list[state->cursor] : NULL;
}

void state_move(struct state *state, long by)
{
	size_t count = state->rows.count;

	if (!count)
		return;
	if (by < 0)
		state->cursor -= MIN(state->cursor, (size_t)-by);
	else
		state->cursor = MIN(state->cursor + (size_t)by, count - 1);
	state->pinned = state->cursor > 0;
	set_type(&state->at, state_current(state));
}

void state_fit(struct state *state, size_t rows)
{
	state->visible = rows;
	if (state->cursor < state->top)
		state->top = state->cursor;
	if (rows && state->cursor >= state->top + rows)
		state->top = state->cursor - rows + 1;
	if (state->top + rows > state->rows.count)
		state->top = state->rows.count - MIN(state->rows.count, rows);
}

void state_open(struct state *state)
{
	const struct picture_type *type = state_current(state);

	if (!type)
		return;
	set_type(&state->opened, type);
	state->screen = STATE_TYPE;
	state->scroll = 0;
}

const struct picture_type *state_opened(const struct state *state)
{
	for (size_t i = 0; state->shown && i < state->shown->types_count; i++) {
		if (is_type(&state->opened, &state->shown->types[i]))
			return &state->shown->types[i];
	}
	return NULL;
}

const struct picture_advice *state_advice(const struct state *state,
					  const struct picture_type *type)
{
	const struct picture *pic = state->shown;

	for (size_t i = 0; i < pic->advice_count; i++) {
		const struct picture_advice *advice = &pic->advice[i];

		if (advice->type && type->name && streq(advice->type, type->name))
			return advice;
	}
	return NULL;
}

void state_say(struct state *state, uint64_t now_ns, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(state->message, sizeof(state->message), fmt, args);
	va_end(args);
	state->message_until_ns = now_ns + MESSAGE_NS;
}
