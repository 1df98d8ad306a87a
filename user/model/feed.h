/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a watcher gets its pictures: an observer, several of them as one service, or somebody who
 * observes already. Only one thread uses a feed at a time.
 */
#pragma once

#include "base/error.h"
#include "model/picture.h"

#include <stdbool.h>
#include <stdint.h>

struct feed;

struct feed_ops {
	/* As observer_start_events(); where it fails, pictures come without events. */
	int (*start_events)(struct feed *feed, struct error *err);
	/* As observer_take(). */
	int (*take)(struct feed *feed, const volatile bool *stop, struct picture **ret,
		    struct error *err);
	bool (*is_alive)(struct feed *feed);
	/* As observer_want_samples(); NULL: there are none. */
	void (*want_samples)(struct feed *feed, uint64_t type, bool values);
	void (*close)(struct feed *feed);
};

/* First in the struct of each implementation. */
struct feed {
	const struct feed_ops *ops;
};

static inline void feed_closep(struct feed **feed)
{
	if (*feed)
		(*feed)->ops->close(*feed);
	*feed = NULL;
}

#define _cleanup_feed_ cleanup(feed_closep)
