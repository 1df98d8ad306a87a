/* SPDX-License-Identifier: BSD-2-Clause */
/* The terminal that `top` draws on: its size, single keys, and its state put back at the end. */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <termios.h>

struct terminal {
	bool keys; /* stdin gives single keys */
	struct termios before;
};

/* Columns and lines of the terminal behind @stream; false when there is none. */
bool terminal_size(FILE *stream, size_t *columns, size_t *lines);

/* Keys without Enter and without echo, where stdin is a terminal. Ctrl-C stays a signal. */
void terminal_init(struct terminal *term);

/* The next key that was pressed, or 0. Does not wait. */
char terminal_key(const struct terminal *term);

void terminal_fini(struct terminal *term);
#define _cleanup_terminal_ cleanup(terminal_fini)
