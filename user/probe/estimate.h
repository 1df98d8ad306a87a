/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What happened in a time of which only windows were seen, and how far that may be off: pure logic.
 *
 * What windows saw is cut into stretches where the rate changed by more than it varies else.
 * Between two windows of one stretch its rate is taken; between two stretches the rate changed at a
 * moment that nobody saw: half of the one, half of the other, and the whole difference is
 * uncertain. So each window counts for the time around it, and not for its length: windows are
 * short where much happens. What came after the last window may have changed too, if the rate often
 * did lately.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define ESTIMATE_MOST 64 /* samples */

/* Student's t, two-sided 95%, by degrees of freedom. */
double estimate_student(size_t freedom);

/* What was counted in one window, or in a piece of it. Seconds are those of an unwatched target. */
struct estimate_sample {
	double seconds;
	double count;
	double gap;    /* seconds from the end of the one before to its own begin */
	double missed; /* seconds that belong to it and were not seen, or not as they were */
	double surge; /* it was ended by a burst: times its own rate that came at its end; else 0 */
};

struct estimate_view {
	const struct estimate_sample *samples; /* oldest first */
	size_t count, recent; /* how many; so many of them, the newest, are of the time asked for */
	double before;	      /* of the gap before those: what lies before that time */
	double idle; /* seconds at its end of which nothing was seen, or at its begin, if samples
			of it have been forgotten */
};

struct estimate {
	double rate, half; /* events per second, and the half-width of its 95% interval */
	size_t first;	   /* samples from here on were used */
	double weights[ESTIMATE_MOST]; /* the rate is the sum of these times the counts */
};

/*
 * The interval comes from what windows of a stretch differ by (ratio estimate, Student's t): those
 * of the time asked for, and those before them as long as the rate did not change, whichever is
 * more, and never less than what counting itself leaves uncertain (Poisson). To it comes what lies
 * between stretches, and what was missed. Where everything was seen the half-width is 0. Where a
 * stretch has fewer than four samples in that time, older ones of it are added.
 *
 * False where there is too little to say anything, as when no sample is new: weights are those of
 * the newest samples all the same, as long as any saw something.
 */
bool estimate_rate(const struct estimate_view *view, struct estimate *ret);

/* The rate in all samples alike, which cover @coverage (0..1) of the time; no weights. */
bool estimate_mean(const struct estimate_sample *samples, size_t count, double coverage,
		   struct estimate *ret);
