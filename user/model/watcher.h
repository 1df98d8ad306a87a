/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A feed in a thread of its own: takes one picture after the other and hands each over, so
 * that who shows them never waits for a census.
 */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"
#include "model/feed.h"

#include <stdbool.h>
#include <stdint.h>

struct watcher;

enum watcher_phase {
	WATCHER_STARTING, /* the first census, then the events */
	WATCHER_RUNNING,
	WATCHER_ENDED,	/* the target is gone: no more pictures come */
	WATCHER_FAILED, /* see the error */
};

struct watcher_status {
	enum watcher_phase phase;
	struct error error;  /* FAILED: what the program should say and exit with */
	struct error events; /* why there are no events; empty: there are, or none were asked for */
};

struct watcher_options {
	bool events;	      /* start them after the first picture */
	bool events_required; /* without them it fails; otherwise it goes on with censuses alone */
	uint64_t interval_ns;
	double max_cpu; /* share of one core; intervals are stretched to keep it */
};

/* Begins. The watcher has the feed from now on, also after a failure. 0 or negative errno. */
int watcher_new(struct feed *feed, const struct watcher_options *opts, struct watcher **ret);

/* Ends the thread and the feed: probes are gone when this returns. */
void watcher_free(struct watcher *watcher);
DEFINE_CLEANUP(struct watcher, watcher_free)

/* Readable when a picture or a change of status waits; for poll(). Owned by the watcher. */
int watcher_fd(const struct watcher *watcher);

/* The newest picture, which becomes the caller's; NULL when there is none since the last call. */
struct picture *watcher_take(struct watcher *watcher);

void watcher_status(struct watcher *watcher, struct watcher_status *ret);

/* From now on a picture every @interval_ns, or longer where --max-cpu says so. */
void watcher_set_interval(struct watcher *watcher, uint64_t interval_ns);

/* The next picture, which comes at once, has samples of the type at @type; 0: no more of them. */
void watcher_want_samples(struct watcher *watcher, uint64_t type, bool values);

/* Are there samples at all? A daemon has none. */
bool watcher_has_samples(const struct watcher *watcher);
