/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the live view shows and why: the pictures at hand and the user's choices. No terminal, no
 * clock, no thread: times come in as arguments, so that a test can say them.
 */
#pragma once

#include "model/history.h"
#include "model/picture.h"
#include "view/rows.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATE_FILTER_MAX 96
#define STATE_MESSAGE_MAX 256

enum state_screen {
	STATE_TYPES,
	STATE_TYPE, /* one type */
	STATE_MEMORY,
	STATE_DICTS,
	STATE_ADVICE,
	STATE_PROCESSES,
	STATE_HELP,
	STATE_SCREENS_COUNT,
};

/* A type, whatever picture it is in. */
struct state_type {
	uint64_t address;
	char *name;
};

struct state {
	/* One and the same picture can be in several of these. */
	struct picture *shown, *newest, *baseline;
	uint64_t shown_ns; /* when it came (monotonic) */
	uint64_t newest_ns;
	struct history *history;
	struct history_growth *growth; /* of each type of `shown` */
	struct rows rows;	       /* of `shown`, as sorted and filtered */

	enum state_screen screen, back; /* back: where Esc leads from help */
	size_t cursor, top;		/* rows */
	size_t visible;			/* rows that the screen has room for, by the last drawing */
	size_t scroll, scroll_max;	/* lines of the other screens */
	bool pinned; /* the cursor stays on its type; until it is moved it stays at the top */
	struct state_type at, opened;

	const struct rows_key *sort; /* NULL: by growth */
	bool reverse;
	size_t limit; /* rows; 0: all */
	char filter[STATE_FILTER_MAX];
	bool filter_open; /* it is being typed */
	bool has_regex;
	regex_t regex;

	bool paused, ended;
	bool no_samples; /* there are none where the pictures come from */
	bool starting;	 /* events are being set up */
	uint64_t interval_ns;
	char message[STATE_MESSAGE_MAX]; /* below, for some seconds */
	uint64_t message_until_ns;
	char note[384]; /* why there are no events; empty: there are, or none were asked for */
};

/* 0 or -ENOMEM. */
int state_init(struct state *state);
void state_fini(struct state *state);
#define _cleanup_state_ cleanup(state_fini)

/* A new picture, which becomes the state's. It is shown unless the user paused. 0 or -ENOMEM. */
int state_feed(struct state *state, struct picture *pic, uint64_t now_ns);

/* What was shown becomes what differences are counted from. */
void state_set_baseline(struct state *state, uint64_t now_ns);

void state_set_paused(struct state *state, bool paused);

/* NULL: by growth. */
void state_set_sort(struct state *state, const struct rows_key *sort, bool reverse);

/* A regular expression, upper and lower case alike; as long as it is none, it is plain text. */
void state_set_filter(struct state *state, const char *text);

/* Moves the cursor by @by rows, and pins it to the type that it comes to. */
void state_move(struct state *state, long by);

/* Says where @rows rows fit, and scrolls so that the cursor is among them. */
void state_fit(struct state *state, size_t rows);

/* The type under the cursor; NULL where there is none. */
const struct picture_type *state_current(const struct state *state);

/* Opens the type under the cursor. */
void state_open(struct state *state);

/* The opened type in what is shown; NULL when it has no instances any more. */
const struct picture_type *state_opened(const struct state *state);

/* What of @type keeps growing, in bytes a second. */
double state_growth(const struct state *state, const struct picture_type *type);

/* The first advice for @type, or NULL. */
const struct picture_advice *state_advice(const struct state *state,
					  const struct picture_type *type);

void state_say(struct state *state, uint64_t now_ns, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
