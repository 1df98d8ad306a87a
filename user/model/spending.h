/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the probes cost a target, in the target's own time, and in budget mode when they may cost
 * more. Private to model/.
 */
#pragma once

#include "probe/budget.h"
#include "probe/cost.h"
#include "probe/progress.h"
#include "probe/pulse.h"
#include "probe/session.h"

struct spending {
	pid_t pid;
	struct cost cost;
	double hit_ns, opening_ns;
	double own_ns[SITES_MAX]; /* of each site: the price in our own loop */
	size_t sites;
	int cores;		  /* on which it may allocate at the same time */
	double ran;		  /* share of the time in which the target ran before the start */
	uint64_t ran_ns, seen_ns; /* its CPU time, and the time, as of the last _look() */
	bool has_budget;
	uint64_t hope_ns; /* when a window was open last, or what one costs was measured */
	struct budget budget;
	double sample_spent; /* when the sample at hand began */
	uint64_t sample_ns;
	struct pulse pulse;
};

/* What hits of @plan cost, by spending->cost. */
void spending_price(struct spending *spending, const struct plan *plan);

/* How much the target runs: from the call before to this one. The first says nothing. */
void spending_look(struct spending *spending);

/* With a limit from here on, for windows of so many sites. -EINVAL: a limit that makes no sense. */
int spending_limit(struct spending *spending, double limit, size_t sites,
		   const struct session_stats *stats);

/*
 * With a limit. What to do now; *ret_next_ns: when to ask again (monotonic). spending->pulse.on
 * says whether opened pools may be counted between windows. After a minute without a window, what
 * one costs is measured again.
 */
enum budget_action spending_step(struct spending *spending, const struct session_stats *stats,
				 bool is_open, uint64_t *ret_next_ns);
/* @sites of them came, or went; @next will. */
void spending_turned(struct spending *spending, const struct session_stats *stats, bool is_open,
		     size_t sites, struct session_turns next);

/* As budget_hurry(). */
void spending_hurry(struct spending *spending, bool on);

/* What the next turns have to do with has changed. */
void spending_next(struct spending *spending, struct session_turns next);

/* @sites went beside windows. */
void spending_passed(struct spending *spending, size_t sites, struct session_turns next);

/* As budget_may_look() and budget_looked(). */
bool spending_may_look(const struct spending *spending, double share);
void spending_looked(struct spending *spending, const struct session_stats *stats, double share);

/* Somebody began to close the open window: stats->closing_ns. Before spending_turned(). */
void spending_ended(struct spending *spending, const struct session_stats *stats);

/* For session_allow(), after spending_step(): hits at which a window has to end, and what a hit
 * where pools are opened counts. */
uint64_t spending_allowed(const struct spending *spending);
double spending_fresh(const struct spending *spending);
/* And when it has to end, if it is open: a little later than we would end it, for whoever is late.
 */
uint64_t spending_end(const struct spending *spending);

/* Wall, cpu, waited, and cost of what had been hit by then, each since whenever: for differences.
 */
struct progress_span spending_span(const struct spending *spending,
				   const struct events_moment *moment);

/* What a hit of @site costs where nothing is recorded, as a share of what it costs else. */
double spending_bare(const struct spending *spending, size_t site);

/* The moment now. */
void spending_moment(const struct spending *spending, const struct session *session,
		     struct events_moment *ret);

/* A sample begins. */
void spending_sample(struct spending *spending);
/* How many times as much as in that sample was hit at its end, if that was a burst that ended the
 * window at @end_ns; else 0. After spending_ended(). */
double spending_surge(const struct spending *spending, uint64_t end_ns);

/* Is the window that has begun meant to last for so long? */
bool spending_is_long(const struct spending *spending, uint64_t least_ns);
/* How many seconds before its time, or before @most_ns where it has none, the window was cut short
 * that ended at @end_ns. After spending_ended(). */
double spending_missed(const struct spending *spending, uint64_t end_ns, uint64_t most_ns);

/* Share of the target's time since the last _look(). */
double spending_overhead(const struct spending *spending, const struct session_stats *stats);
