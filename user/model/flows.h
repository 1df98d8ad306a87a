/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What flows: allocations and frees per type, cut into samples (windows, or pieces of a long one)
 * from which rates and their error are estimated.
 */
#pragma once

#include "base/cleanup.h"
#include "probe/progress.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of the newest samples, this many count for the rates. */
#define FLOWS_SAMPLES PROGRESS_WINDOWS

enum flows_count {
	FLOWS_ALLOC_OBJECTS,
	FLOWS_ALLOC_BYTES,
	FLOWS_FREE_OBJECTS,
	FLOWS_FREE_BYTES,
	FLOWS_COUNTS,
};

struct flows;

/* Rates per second; error: relative half-width of the 95% interval of alloc objects. NAN: not
 * known, as where records were lost: then the rates are a lower bound. */
struct flows_rates {
	double per_second[FLOWS_COUNTS];
	double error;
};

int flows_new(struct flows **ret);
void flows_free(struct flows *flows);
DEFINE_CLEANUP(struct flows, flows_free)

/* Adds to the sample at hand. @type: address of the type object, 0: blocks that are no objects. 0
 * or -ENOMEM. */
int flows_add(struct flows *flows, uint64_t type, enum flows_count objects, uint64_t bytes);

/* The first sample begins. @all: a reading of wall, cpu and cost, from whenever they count. */
void flows_begin(struct flows *flows, struct progress_span all);

/*
 * Ends the sample at hand, in which passed what @span says, and begins the next. @all: as of now,
 * with what passed while nothing was traced. @lost: some of its records were.
 */
void flows_cut(struct flows *flows, const struct progress_span *span,
	       const struct progress_span *all, bool lost);

/* Would a clock make the rates more certain? */
bool flows_want_clock(const struct flows *flows);

/* Of the sample at hand: so many seconds belong to it that were not seen. */
void flows_missed(struct flows *flows, double seconds);
/* It is ended by a burst: so many times its own rate came at its end. */
void flows_surge(struct flows *flows, double times);
/* It does not begin with what the opening of a window held up. */
void flows_settled(struct flows *flows);

/* The next rates are to be of the time from here on: after flows_now(), or a cut. */
void flows_mark(struct flows *flows);
/* @all: as of now, some time after the last cut. */
void flows_now(struct flows *flows, struct progress_span all);

/* The clock's site alone was probed for @span, right after the sample that was cut last. */
void flows_clock(struct flows *flows, const struct progress_span *span);

/* Another site is the clock from here on: forgets those samples, and the ticks of the others. */
void flows_clock_restart(struct flows *flows);

/* Forgets the samples (not the totals): rates count from here. What was added since the last cut
 * belongs to neither side. */
void flows_restart(struct flows *flows);

/*
 * Rates of @type. @coverage: share of the time that the samples cover. 1, all of it: rates over all
 * the time since the restart; less: estimated for the time since the mark (estimate_rate()), as
 * an unwatched target would have them (probe/progress.h). False where nothing was traced, or it
 * cannot be told. What was not seen has a rate of 0 where all was seen, else none (NAN).
 */
bool flows_rates(const struct flows *flows, uint64_t type, double coverage,
		 struct flows_rates *ret);

/* Calls @fn for each type that was ever seen, until it does not return 0; that is then returned. */
int flows_each(const struct flows *flows, int (*fn)(void *arg, uint64_t type), void *arg);

/* Sum since the beginning. */
uint64_t flows_total(const struct flows *flows, uint64_t type, enum flows_count which);
