/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where pictures come from: a daemon that serves the process already, or an observer of our own. It
 * looks like an observer (model/observer.h) to the commands.
 */
#pragma once

#include "base/cleanup.h"
#include "cli/options.h"
#include "model/feed.h"
#include "model/observer.h"

struct source;

/*
 * Asks the daemon at --socket, unless the options ask for what it may not do the same way
 * (--events, --max-overhead,
 * --duration of a snapshot, --full-cmdline, --values); attaches where none serves the process. With
 * --socket given there must be a daemon.
 */
int source_open(const struct options *opts, const struct observer_options *how, struct source **ret,
		struct error *err);

/* The first half of it: -EAGAIN with nothing in @err where the process is to be attached to. */
int source_ask(const struct options *opts, struct source **ret, struct error *err);

/* For the live view; closing the feed closes the source. */
struct feed *source_feed(struct source *source);

void source_close(struct source *source);
DEFINE_CLEANUP(struct source, source_close)
#define _cleanup_source_ cleanup(source_closep)

/* True where a daemon answers: it watches events or not as it was told. */
bool source_is_daemon(const struct source *source);

/* As those of an observer. */
int source_start_events(struct source *source, struct error *err);
int source_run(struct source *source, uint64_t duration_ns, const volatile bool *stop);
int source_take(struct source *source, const volatile bool *stop, struct picture **ret,
		struct error *err);
