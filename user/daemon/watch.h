/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The processes that are watched, and which ones those should be: what was named by PID with its
 * descendants and, once all of those have ended, whoever starts again with the same command line
 * and user; and what matches.
 */
#pragma once

#include "daemon/sweep.h"
#include "daemon/visit.h"

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

#define WATCH_MAX 1024
/* Of one user other than root: nobody crowds the others out. */
#define WATCH_MAX_PER_USER 512
#define WATCH_ROOTS_MAX 64
#define WATCH_NO_ROOT (-1)

struct watch {
	struct visit visit; /* first: the pool hands it back */
	pid_t pid;
	uid_t uid;
	uint64_t start_time_ticks, cmdline_hash;
	int root; /* index of the root it descends from, or WATCH_NO_ROOT */

	bool busy;     /* the visit is the pool's */
	bool gone;     /* ended: to be closed and removed */
	bool first;    /* its first visit is under way */
	bool visited;  /* at least once */
	bool up;       /* the last visit succeeded */
	bool rejected; /* not a Python: kept only so that it is not asked again */
	bool changed;  /* it may be another program by now: open it again */
	bool pressed;  /* near its memory limit, and a snapshot was written */
	bool wants_dump;
	unsigned int failures; /* in a row */
	uint64_t next_at,
		ended_at; /* monotonic; when the next visit is due, when the last one ended */
	bool turn;	  /* has a turn with events */
	bool told_events; /* the log says why there are none */
	uint64_t turn_end, turn_last;
	struct visit_facts
		shown; /* of the last visit: while the next is under way, these are the loop's */
	char last_error[320];	      /* why it is not up */
	struct visit_render *waiting; /* for the next visit */
	struct event *exit_event;     /* of its pidfd; NULL: none yet */
	void *keeper;
	UT_hash_handle hh;
};

struct watch_root {
	pid_t pid;
	uid_t uid;
	uint64_t start_time_ticks, cmdline_hash;
	size_t live; /* watches that descend from it */
};

struct watch_table {
	struct watch *by_pid; /* uthash; in the order in which they came */
	struct watch_root roots[WATCH_ROOTS_MAX];
	size_t roots_count;
	size_t refused; /* by the limits, in the last merge */
};

/* From now on @entry and what comes of it are to be watched. 0, or -E2BIG beyond WATCH_ROOTS_MAX.
 */
int watch_add_root(struct watch_table *table, const struct sweep_entry *entry);

/*
 * Brings the table up to date with a sweep: adds what is to be watched, with @visit (its process,
 * that is) filled in; marks as gone what has ended, and as changed what has another command line.
 * How many are new, or -ENOMEM.
 */
int watch_merge(struct watch_table *table, const struct sweep *sweep);

struct watch *watch_find(const struct watch_table *table, pid_t pid);

/* Takes it out of the table and frees it; its visit must be over, and its exit_event freed. */
void watch_remove(struct watch_table *table, struct watch *watch);
void watch_table_fini(struct watch_table *table);
