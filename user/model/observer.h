/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one thing that watches one process: opens it, takes censuses, runs events, and gives out
 * pictures. Commands and the daemon use this and nothing below it.
 */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"
#include "model/picture.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum observer_events { OBSERVER_EVENTS_OFF, OBSERVER_EVENTS_BUDGET, OBSERVER_EVENTS_EXACT };

struct observer_options {
	enum observer_events events;
	double max_overhead; /* ratio; budget mode */
	uint64_t ring_bytes; /* for records on their way; 0: as the mode needs */
	bool full_cmdline;   /* show all arguments of the target */
	bool by_shares;	     /* memory that others share counts by its share: for sums */
	bool duplicates;     /* look for equal strs: a census takes a little longer */
	bool values;	     /* with it, read the text of those with most copies */
	bool thorough;	     /* facts for advice about every class, not only those that take much */
	unsigned int threads; /* for the census; 0: as many as are useful, at most 2 */
};

struct observer;

/*
 * Opens @pid: identity, Python, layout, allocator. Places no probe and reads no heap yet. Errors as
 * the contract's exit codes in @err: -ESRCH, -EPERM, -ENOEXEC (not a Python we support).
 */
int observer_open(pid_t pid, const struct observer_options *opts, struct observer **ret,
		  struct error *err);

/* Ends everything: probes are gone when this returns. */
void observer_close(struct observer *obs);
DEFINE_CLEANUP(struct observer, observer_close)
#define _cleanup_observer_ cleanup(observer_closep)

/*
 * Starts events (attaches; in exact mode also takes the first census for the ledger). With OFF:
 * nothing. -EPERM (EXIT_NO_PERMISSION), -ENOTSUP with the reason.
 */
int observer_start_events(struct observer *obs, struct error *err);

/*
 * Ends events, and gives back the memory that only they and opening take: for who watches many and
 * one at a time. observer_start_events() may follow.
 */
void observer_rest(struct observer *obs);

/*
 * Lets @duration_ns pass while events are consumed (just sleeps when they are off). Returns early
 * with -ESRCH when the target ends, -EINTR when *stop (may be NULL) became true.
 */
int observer_run(struct observer *obs, uint64_t duration_ns, const volatile bool *stop);

/*
 * Takes a census and gives out a new picture, owned by the caller. A target that ends midway gives
 * a partial picture where anything was read (0, reasons inside), else -ESRCH. *stop as above:
 * -EINTR, or a partial picture where pools were read already.
 */
int observer_take(struct observer *obs, const volatile bool *stop, struct picture **ret,
		  struct error *err);

/* From now on pictures have samples of the type at @type, with values if @values; 0: none. */
void observer_want_samples(struct observer *obs, uint64_t type, bool values);

bool observer_is_alive(const struct observer *obs);
