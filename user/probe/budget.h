/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When to trace, so that the target loses no more than it was promised: pure logic, time is passed
 * in.
 *
 * The target earns time by running, and what it waits counts for a quarter: a share of its CPU time
 * is what may be lost, but one that hardly runs shall not go unseen. A bucket holds nanoseconds of
 * the target's time. It fills with a share of what is earned; every hit of a probe takes one price
 * out of it, and every opening or closing of a window what that alone costs. Beside it stands what
 * the last 10 seconds have earned and cost, and nothing is spent that would lift the one over the
 * limit of the other. A target that hits little keeps its window for ever.
 *
 * When a window ends is settled when it begins, from what windows cost lately: were it to end when
 * the bucket is empty, it would end behind a burst, and rates would be too high. For the same
 * reason the next begins at a moment by the clock, with some chance in it, and not when the target
 * has run enough. Only where the bucket is empty sooner a window is cut short.
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
	double limit;	     /* ratio: 0.02 is 2% */
	double price_ns;     /* of one hit */
	uint64_t exit_ns;    /* hits go on until the last probe is gone: as if all were there for so
				long; learnt from there on */
	double turn_cost_ns; /* what each costs a target that runs, besides the hits */
	double ran;	     /* share of the time in which it ran lately: 0..1 */
	int cores;	     /* on which the target may allocate at the same time; 0 is 1 */
};

/* Of the target. */
struct budget_reading {
	uint64_t now_ns; /* wall time */
	uint64_t ran_ns; /* CPU time of all its threads */
	uint64_t hits;	 /* so far, those of half-open windows included */
};

enum budget_action { BUDGET_WAIT, BUDGET_OPEN, BUDGET_CLOSE };

struct budget {
	struct budget_config config;
	double capacity_ns, share; /* of the bucket */
	double tokens_ns;
	uint64_t exit_first_ns; /* config.exit_ns as it was given: what was learnt beyond is
				   forgotten */
	double first_ns;	/* how much more than others the next opening costs */
	bool open;
	double load;	  /* hits x price per wall time, as last seen in a window: 0..cores */
	double step_load; /* the same in its newest step alone */
	double open_cost, open_wall; /* the same over more of the time that windows were open */
	uint64_t until_ns; /* when the open window is to end; UINT64_MAX: it costs less than it
			      earns */
	double plan_spent,
		plan_room; /* spent so far, and what was to be had, when that was settled */
	uint64_t plan_ns;
	uint64_t next_ns; /* when the next may begin */
	double wanted_ns; /* that there should be in the bucket then */
	double earning;	  /* lately, per wall time */
	bool hurry;	  /* to get through the next windows */
	bool cut;	  /* the last window ended before its time */
	uint64_t random;
	struct budget_reading last;
	uint64_t start_ns, open_ns; /* since the start: how long a window was open */
	double spent_ns, earned_ns;
	double spent[BUDGET_SLOTS], earned[BUDGET_SLOTS]; /* lately */
	uint64_t slot;					  /* the newest, counted from time 0 */
};

/* -EINVAL: a limit or price that makes no sense. */
int budget_init(struct budget *budget, const struct budget_config *config,
		const struct budget_reading *reading);

/*
 * Tells what to do now. *next_ns: how long may pass until the next call. After OPEN and CLOSE the
 * caller does it and says so with budget_turned().
 */
enum budget_action budget_step(struct budget *budget, const struct budget_reading *reading,
			       uint64_t *next_ns);

/* The open window has ended, as of @reading: for who learns of it later, before budget_turned(). */
void budget_ended(struct budget *budget, const struct budget_reading *reading);

/* The hits, in all, at which an open window must end whether or not anybody asks in between: as of
 * the last step. */
uint64_t budget_allowed(const struct budget *budget);

/* Between windows: is there enough for a look at @share (0..1) of a window's sites? It costs as
 * much of an opening and a closing; budget_looked() says that it was taken. */
bool budget_may_look(const struct budget *budget, double share);
void budget_looked(struct budget *budget, double share, const struct budget_reading *reading);

/* The window is open, or closed, from now on. That cost @turn_ns of a target that runs. */
void budget_turned(struct budget *budget, bool open, double turn_ns,
		   const struct budget_reading *reading);

/* After budget_ended(): how many times as much as @load the target paid at the end of a window that
 * was to stay open, and was ended by a burst. 0: it was no such one. */
double budget_surge(const struct budget *budget, double load);

/* From now on a turn costs @turn_ns, but the next opening @first_ns: so many sites come and go. */
void budget_turn_costs(struct budget *budget, double turn_ns, double first_ns);

/* Windows shall be short, whatever their turns cost: they are for learning how turns can cost less.
 */
void budget_hurry(struct budget *budget, bool on);

/* Something beside windows has held the target up for @ns, if it ran. */
void budget_passed(struct budget *budget, double ns);

/* Share of the time since the start in which a window was open: 0..1. */
double budget_coverage(const struct budget *budget, uint64_t now_ns);

/* Share of what was earned since the start that hits and turns have cost. */
double budget_overhead(const struct budget *budget);

/* What counts of so much time, in which the target ran for so long, on no more than so many CPUs.
 */
double budget_earned(double wall_ns, double ran_ns, int cores);
