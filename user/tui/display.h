/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The terminal: the only file that knows curses. Whatever ends the program, the terminal is put
 * back: a normal end, Ctrl-Z (which comes back), SIGTERM (the caller's flag), a crash.
 */
#pragma once

#include "base/cleanup.h"
#include "tui/canvas.h"

#include <stdbool.h>
#include <stddef.h>

struct display;

/*
 * Takes the terminal of stdin and stdout over. -ENOTSUP where there is none, or one on which
 * nothing can be placed (TERM=dumb). At most one at a time.
 */
int display_open(bool colour, struct display **ret);
void display_close(struct display *display);
DEFINE_CLEANUP(struct display, display_close)
#define _cleanup_display_ cleanup(display_closep)

/* Gives the terminal back before the end, which may take a while. Only display_close() may follow.
 */
void display_leave(struct display *display);

/* Puts the terminal back from any thread, for an end that comes at once. Nothing where there is no
 * display. */
void display_rescue(void);

/* An empty canvas of the terminal's size. 0 or -ENOMEM. */
int display_canvas(const struct display *display, struct canvas *ret);

/* The next key (a code point or enum keys_special), or KEYS_NONE. Does not wait. */
int display_key(struct display *display);

/* Brings @canvas onto the screen. */
void display_show(struct display *display, const struct canvas *canvas);

/*
 * Waits until a key or @fd (-1: none) is readable, a signal came, or @timeout_ms are over. -EIO
 * when the terminal is gone.
 */
int display_wait(struct display *display, int fd, int timeout_ms);
