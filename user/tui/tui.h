/* SPDX-License-Identifier: BSD-2-Clause */
/* The live view: watches a process and answers keys until the user quits. */
#pragma once

#include "base/error.h"
#include "model/watcher.h"
#include "tui/display.h"
#include "view/rows.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tui_options {
	struct watcher_options watcher;
	const struct rows_key *sort; /* NULL: by growth */
	const char *filter;	     /* NULL: all */
	size_t limit;		     /* rows; 0: all */
	bool values;		     /* samples show values */
	uint64_t duration_ns;	     /* 0: until the user quits */
	const volatile bool *stop;   /* set by a signal */
	void (*leaving)(void);	     /* the user waits no longer; NULL: nothing to do */
};

/*
 * Shows what @feed gives; it is the view's from now on, also after a failure. 0 when the user has
 * quit, or negative errno with @err: the process could not be watched.
 */
int tui_run(struct display *display, struct feed *feed, const struct tui_options *opts,
	    struct error *err);
