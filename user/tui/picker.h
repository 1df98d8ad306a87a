/* SPDX-License-Identifier: BSD-2-Clause */
/* Which of the running Pythons? A list that is filtered by typing. */
#pragma once

#include "base/error.h"
#include "tui/display.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PICKER_FILTER_MAX 96

struct picker_entry {
	pid_t pid;
	const char *version, *command;
	int64_t rss_bytes;  /* PICTURE_UNKNOWN */
	const char *reason; /* why it is not supported; NULL: it is */
};

/* Where the entries come from. They stay valid until the next load. */
struct picker_source {
	int (*load)(void *ctx, const struct picker_entry **ret, size_t *count, struct error *err);
	void *ctx;
};

/* Pure, for tests. */
struct picker {
	const struct picker_entry **list; /* all, the largest first */
	const struct picker_entry **rows; /* those that match */
	size_t list_count, count, cursor, top, visible;
	char filter[PICKER_FILTER_MAX];
	char message[384];
};

enum picker_answer { PICKER_GO_ON, PICKER_CHOSEN, PICKER_QUIT, PICKER_RELOAD };

/* 0 or -ENOMEM. The entries are borrowed. The filter and the chosen process stay. */
int picker_set(struct picker *picker, const struct picker_entry *entries, size_t count);
void picker_fini(struct picker *picker);
#define _cleanup_picker_ cleanup(picker_fini)

enum picker_answer picker_press(struct picker *picker, int key);
void picker_draw(struct canvas *canvas, struct picker *picker);

/* The PID that was chosen, 0 where the user quit, negative errno with @err. */
int picker_run(struct display *display, const struct picker_source *source,
	       const volatile bool *stop, struct error *err);
