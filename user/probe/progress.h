/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How far a target comes in a window: pure logic.
 *
 * Probes slow what they watch. A program that does little but allocate comes no further in a traced
 * second than in a thirtieth of one of its own, and what was counted per traced second would be
 * that much too low. So a window stands for the time that the target would have needed for the same
 * without us. Three ways to tell, of which the least uncertain is taken:
 *
 * - a target that waits has time to spare for the probes: between all and none of their cost is its
 *   delay;
 * - what is left of its CPU time when the hits are paid for, at a price that is known within a
 *   fifth or so (cost.h): what it does in a second of its own, times those that it had in the time
 *   that is asked for;
 * - a clock: one of the sites, probed alone for some moments after a window, tells how much CPU
 *   time lies between two hits there; in a window, its hits tell how much has passed. The price of
 *   a hit comes out of the same figures, as it costs more in a window than alone. Both were taken
 *   together, so a machine that is slower now than then makes them slower alike.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* What was counted while some sites were probed. Seconds; @waited: for a CPU, as others had it;
 * @cost: hits at the price of our own loop; @ticks: hits of the clock's site, negative: not
 * counted; @records: how many allocations were recorded; @is_whole: it ran at either end, so all
 * that it waited in between is known. */
struct progress_span {
	double wall, cpu, waited, cost, ticks, records;
	bool is_whole;
};

/* What passed between two readings; nothing is negative. */
struct progress_span progress_minus(const struct progress_span *end,
				    const struct progress_span *begin);

#define PROGRESS_WINDOWS 64 /* at most */

struct progress_view {
	const struct progress_span *windows; /* all sites probed */
	const struct progress_span *clocks;  /* the clock's site alone, right after each of them; no
						ticks: there was none */
	size_t count;
	struct progress_span all;   /* the whole time, probed or not: wall, cpu, cost */
	struct progress_span asked; /* the part of it that is asked for; no wall: all of it */
	size_t asked_count;	    /* so many windows, the newest, are of that part */
};

struct progress {
	size_t first;			  /* of the windows, of which something is known */
	double seconds[PROGRESS_WINDOWS]; /* from there on: of an unwatched target that window i
					     stands for */
	double error;			  /* how far they all may be off, as a ratio (95%) */
	double delay; /* seconds by which the opening of a window may have shifted what it saw */
	double per_wall, per_cpu, per_cost; /* what time between windows stands for */
};

/* Seconds of an unwatched target that a time between windows stands for. */
double progress_between(const struct progress *progress, const struct progress_span *span);

/* False where it is not known to within PROGRESS_MOST. */
#define PROGRESS_MOST 0.5
bool progress_tell(const struct progress_view *view, struct progress *ret);
