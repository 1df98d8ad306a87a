/* SPDX-License-Identifier: BSD-2-Clause */
/* What each key does. One table: the line of keys and the help screen read it too. */
#pragma once

#include "tui/state.h"

/* Keys that are no character; characters are their code point. */
enum keys_special {
	KEYS_NONE,
	KEYS_TAB = 9,
	KEYS_ENTER = 10,
	KEYS_ESCAPE = 27,
	KEYS_BACKSPACE = 127,
	KEYS_UP = 0x110000,
	KEYS_DOWN,
	KEYS_PAGE_UP,
	KEYS_PAGE_DOWN,
	KEYS_HOME,
	KEYS_END,
	KEYS_F1,
	KEYS_F5,
	KEYS_F6,
	KEYS_RESIZE,
};

/* What is left to do after a key, as bits. */
enum keys_effect {
	KEYS_DO_NOTHING = 0,
	KEYS_DO_QUIT = 1 << 0,
	KEYS_DO_WRITE = 1 << 1,	   /* a snapshot to a file */
	KEYS_DO_INTERVAL = 1 << 2, /* state->interval_ns has changed */
	KEYS_DO_SAMPLES = 1 << 3,  /* another type was opened, or none is any more */
};

struct keys_row {
	int keys[6];	      /* 0 ends them */
	unsigned int screens; /* bits by enum state_screen */
	unsigned int (*run)(struct state *state, int key, uint64_t now_ns);
	const char *shown;	  /* how help writes the keys */
	const char *help, *brief; /* what they do; in a few words where there is little room */
	const char *label;	  /* in the line of keys; NULL: not there */
};

#define KEYS_ROWS_MAX 32

/* The table; rows without `shown` are told by another one. */
const struct keys_row *keys_all(size_t *count);

/* Does what @key means on the screen that is open. Bits of enum keys_effect. */
unsigned int keys_press(struct state *state, int key, uint64_t now_ns);
