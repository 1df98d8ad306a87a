/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/keeping.h"

#include "base/util.h"

/* Of the limit: what the hits of those that stay may take. */
#define SHARE_OF_LIMIT 0.1
/* Of a second's: at which they go at once, before anybody has looked. */
#define SHARE_AT_ONCE 0.2
#define STEP_NS (100 * NSEC_PER_MSEC)

void keeping_init(struct keeping *k, const struct spending *s, size_t sites)
{
	heat_init(&k->heat, sites, s->hit_ns);
	k->has_kept = false;
}

/* A second's hits that @share of the limit pays for. */
static double hits_for(const struct spending *s, double share)
{
	double earned = budget_earned(1, s->budget.config.ran, s->cores);

	return share * s->budget.config.limit * earned * 1e9 / s->hit_ns;
}

/* They are gone, whoever took them off: that cost a turn. */
static void keeping_lost(struct keeping *k, struct spending *s, const struct session *session)
{
	size_t cold = 0;

	if (!k->has_kept || session_has_kept(session))
		return;
	for (size_t i = 0; i < k->heat.count; i++)
		cold += k->heat.cold[i];
	spending_passed(s, cold, session_turns(session));
	k->has_kept = false;
}

static void keeping_choose(struct keeping *k, struct spending *s, struct session *session)
{
	if (!heat_choose(&k->heat, hits_for(s, SHARE_OF_LIMIT)))
		return;
	session_divide(session, k->heat.cold, (uint64_t)hits_for(s, SHARE_AT_ONCE));
	spending_next(s, session_turns(session));
}

void keeping_looked(struct keeping *k, struct spending *s, struct session *session, size_t first,
		    size_t count)
{
	heat_learn(&k->heat, session_begun(session), session_ended(session), first, count);
	if (first + count == k->heat.count)
		keeping_choose(k, s, session);
}

void keeping_closing(struct keeping *k, struct spending *s, struct session *session)
{
	struct events_moment now;

	spending_moment(s, session, &now);
	heat_learn(&k->heat, session_begun(session), &now, 0, k->heat.count);
	keeping_choose(k, s, session);
	k->has_kept = false; /* what stays now is seen to in the next step */
}

void keeping_step(struct keeping *k, struct spending *s, struct session *session)
{
	struct events_moment now;

	if (session_has_kept(session) && !k->has_kept) {
		k->has_kept = true;
		k->last = *session_ended(session);
	}
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
