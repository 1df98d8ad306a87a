/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keeps the watches going: who is visited when, who has a turn with events, who has come and gone.
 * All of it runs in the loop and none of it waits.
 */
#pragma once

#include "daemon/access.h"
#include "daemon/watch.h"

#include <event2/buffer.h>
#include <event2/event.h>

struct keeper_options {
	struct observer_options observer; /* events: for those that have a turn */
	uint64_t interval_ns;
	double max_cpu;	      /* share of one core that all visits together may take */
	size_t limit;	      /* types that become metrics, for each process; 0: VISIT_TYPES_MAX */
	const regex_t *match; /* NULL: none */
	const char *dump_dir; /* --on-pressure; NULL: off */
	const char *cgroup_mount;
	size_t threads;
};

struct keeper;

/* A snapshot that was asked for is made, or failed; the callee owns @render. Not for renders that
 * were cancelled. */
typedef void (*keeper_deliver)(void *arg, struct watch *watch, struct visit_render *render);

/* @options and what it points to must outlive the keeper. 0 or negative errno. */
int keeper_new(struct event_base *base, const struct keeper_options *options, struct keeper **ret);

/* Watches @pid and what comes of it: -ESRCH (EXIT_NO_PROCESS), -E2BIG (EXIT_USAGE). */
int keeper_add_pid(struct keeper *keeper, pid_t pid, struct error *err);
void keeper_set_deliver(struct keeper *keeper, keeper_deliver deliver, void *arg);

/* To be called some times a second. */
void keeper_tick(struct keeper *keeper);

/* Looks for processes at once, opens every one again, and tries again what failed. */
void keeper_reload(struct keeper *keeper);

/* A process that is watched and was read, and that @peer (NULL: may see all) may see; else NULL. */
struct watch *keeper_find(struct keeper *keeper, pid_t pid, const struct access_peer *peer);

/* The next of them behind @watch (NULL: the first). */
struct watch *keeper_next(struct keeper *keeper, struct watch *watch,
			  const struct access_peer *peer);

/* Hands @render over: it is answered by the next visit, which is due at once. */
void keeper_request(struct keeper *keeper, struct watch *watch, struct visit_render *render);
/* Whoever has asked for @owner has gone: its renders are thrown away when they come. */
void keeper_cancel(struct keeper *keeper, const void *owner);

/* All metrics that @peer (NULL: all) may see. 0 or -ENOMEM. */
int keeper_write_metrics(struct keeper *keeper, enum openmetrics_format format,
			 const struct access_peer *peer, struct evbuffer *out);

/* Processes that are being read, and those that are known but cannot be. */
void keeper_count(const struct keeper *keeper, size_t *up, size_t *down);

/*
 * Ends all visits and closes everything. When visits hang, their memory is left alone: the program
 * is about to end.
 */
void keeper_free(struct keeper *keeper);
