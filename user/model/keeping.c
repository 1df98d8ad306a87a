/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/keeping.h"

#include "base/util.h"

#include <limits.h>
#include <string.h>

/* Of the limit: what the hits of those that stay may take. */
#define SHARE_OF_LIMIT 0.1
/* Of a second's: at which they go at once, before anybody has looked. */
#define SHARE_AT_ONCE 0.2
#define PART 0.1 /* of them, at one site, make it a hot one */
/* A program has phases: what nobody came by in a few milliseconds may be hit all the time later. To
 * take the probes off then takes some 50 ms, in which they are hit. */
#define WINDOWS_LEAST 3
#define SURPRISES_MOST 2
#define STEP_NS (100 * NSEC_PER_MSEC)

/* As long as all come and go, that is most of what a window costs. */
static void keeping_hurry(const struct keeping *k, struct spending *s)
{
	spending_hurry(s, k->can_keep && k->windows >= 0 && k->windows < WINDOWS_LEAST);
}

void keeping_init(struct keeping *k, struct spending *s, size_t sites, bool can_keep)
{
	heat_init(&k->heat, sites, s->hit_ns);
	k->has_kept = false;
	k->windows = k->surprises = 0;
	k->can_keep = can_keep;
	keeping_hurry(k, s);
}

/* A second's hits that @share of the limit pays for. */
static double hits_for(const struct spending *s, double share)
{
	double earned = budget_earned(1, s->budget.config.ran, s->cores);

	return share * s->budget.config.limit * earned * 1e9 / s->hit_ns;
}

static void keeping_divide(struct keeping *k, struct spending *s, struct session *session)
{
	session_divide(session, k->heat.cold, (uint64_t)hits_for(s, SHARE_AT_ONCE));
	spending_next(s, session_turns(session));
}

static void keeping_choose(struct keeping *k, struct spending *s, struct session *session)
{
	if (k->windows >= WINDOWS_LEAST && heat_choose(&k->heat, hits_for(s, SHARE_OF_LIMIT)))
		keeping_divide(k, s, session);
}

/* All are hot again until more is known. */
static void keeping_forget(struct keeping *k, struct spending *s, struct session *session)
{
	bool is_over = ++k->surprises > SURPRISES_MOST;

	k->windows = is_over ? INT_MIN : 0;
	memset(k->heat.cold, 0, sizeof(k->heat.cold));
	keeping_divide(k, s, session);
}

/* They are gone, whoever took them off: that cost a turn. Those that were hit too often are hot. */
static void keeping_lost(struct keeping *k, struct spending *s, struct session *session)
{
	struct events_moment now;
	size_t cold = 0;
	bool burnt;

	if (!k->has_kept || session_has_kept(session))
		return;
	for (size_t i = 0; i < k->heat.count; i++)
		cold += k->heat.cold[i];
	k->has_kept = false;
	spending_moment(s, session, &now);
	heat_learn(&k->heat, &k->last, &now, 0, 0);
	burnt = heat_burn(&k->heat, &k->last, &now, (uint64_t)(PART * hits_for(s, SHARE_AT_ONCE)),
			  3 * hits_for(s, SHARE_OF_LIMIT));
	if (burnt)
		keeping_forget(k, s, session);
	spending_passed(s, cold, session_turns(session));
}

void keeping_looked(struct keeping *k, const struct session *session, size_t first, size_t count)
{
	heat_learn(&k->heat, session_begun(session), session_ended(session), first, count);
}

void keeping_closing(struct keeping *k, struct spending *s, struct session *session)
{
	struct events_moment now;

	spending_moment(s, session, &now);
	heat_learn(&k->heat, session_begun(session), &now, 0, k->heat.count);
	k->windows++;
	keeping_hurry(k, s);
	keeping_choose(k, s, session);
}

void keeping_closed(struct keeping *k, const struct session *session)
{
	k->has_kept = session_did_keep(session);
	k->last = *session_ended(session);
}

void keeping_step(struct keeping *k, struct spending *s, struct session *session)
{
	struct events_moment now;

	keeping_lost(k, s, session);
	if (!k->has_kept)
		return;
	spending_moment(s, session, &now);
	if (now.ns - k->last.ns < STEP_NS)
		return;
	heat_learn(&k->heat, &k->last, &now, 0, 0);
	k->last = now;
	keeping_choose(k, s, session);
	keeping_lost(k, s, session);
}

void keeping_forked(struct keeping *k, struct spending *s, struct session *session)
{
	session_drop_kept(session);
	if (session_is_attached(session))
		k->has_kept = false; /* they go with the window, which counts that */
	keeping_lost(k, s, session);
}
