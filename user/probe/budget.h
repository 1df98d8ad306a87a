/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When to trace, so that the target loses no more than it was promised: pure logic, time is passed
 * in.
 *
 * A bucket holds nanoseconds of the target's time. It fills with a share of the wall time, and
 * every hit of a probe takes one price out of it. A window is open while there is something in the
 * bucket: that spaces the windows. Beside it stands what the last 10 seconds have cost, and nothing
 * is spent that would lift it over the limit. A target that hits little keeps its window for ever;
 * a burst closes it early.
 *
 * With a GIL no more than one core's time can be lost: a caller that comes back after as many
 * nanoseconds as the bucket holds has not overdrawn it. Without one it comes back that much sooner.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUDGET_SPAN_NS 10000000000ull /* over which the limit is kept */
#define BUDGET_SLOTS 101	      /* of 100 ms: a span, and the slot that is being filled */

struct budget_config {
	double limit;	  /* ratio: 0.02 is 2% */
	double price_ns;  /* of one hit */
	uint64_t turn_ns; /* what opening and closing a window takes, as measured; hits go on
			     meanwhile */
	int cores;	  /* on which the target may allocate at the same time; 0 is 1 */
};

enum budget_action { BUDGET_WAIT, BUDGET_OPEN, BUDGET_CLOSE };

struct budget {
	struct budget_config config;
	double capacity_ns, share; /* of the bucket */
	double tokens_ns;
	bool open;
	double load; /* hits x price per wall time, as last seen in a window: 0..cores */
	uint64_t last_ns, last_hits;
	uint64_t start_ns, open_ns; /* since the start: how long a window was open */
	double spent_ns;
	double slots[BUDGET_SLOTS]; /* what was spent lately */
	uint64_t slot;		    /* the newest, counted from time 0 */
};

/* @hits: the counter's value now. -EINVAL: a limit or price that makes no sense. */
int budget_init(struct budget *budget, const struct budget_config *config, uint64_t now_ns,
		uint64_t hits);

/*
 * Tells what to do now. @hits: total hits so far, those of half-open windows included. *next_ns:
 * how long may pass until the next call. After OPEN and CLOSE the caller does it and says so with
 * budget_turned().
 */
enum budget_action budget_step(struct budget *budget, uint64_t now_ns, uint64_t hits,
			       uint64_t *next_ns);

/* The window is open, or closed, from now on; it took @took_ns. */
void budget_turned(struct budget *budget, bool open, uint64_t now_ns, uint64_t took_ns);

/* A better measurement of the price arrived. */
void budget_set_price(struct budget *budget, double price_ns);

/* Share of the time since the start in which a window was open: 0..1. */
double budget_coverage(const struct budget *budget, uint64_t now_ns);

/* Share of the target's time that the hits have cost: 0..1. */
double budget_overhead(const struct budget *budget, uint64_t now_ns);

/* What was counted in one window. */
struct budget_sample {
	double seconds;
	double count;
};

/*
 * Events per second from @count windows that cover @coverage (0..1) of the time: *rate, and *half,
 * the half-width of its 95% interval. Windows vary as the target does, so their spread is what the
 * interval comes from (ratio estimate, Student's t), never less than what counting itself leaves
 * uncertain (Poisson). With full coverage *half is 0. False where there is too little to say
 * anything (nothing traced; one window that saw only a part).
 */
bool budget_estimate(const struct budget_sample *samples, size_t count, double coverage,
		     double *rate, double *half);
