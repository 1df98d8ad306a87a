/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/metronome.h"

#include "base/util.h"

#include <errno.h>

#define TICKS_LEAST 50ull /* in a window: else another site will be a better clock */
#define PART 40ull	  /* of the hits of a window: at least */
#define TRIES 2
#define CLOCK_SHARE 0.05 /* of what the limit gives for a second: for one look at the clock */
#define LAST_LEAST_NS 1e6
#define LAST_MOST_NS 5e6
#define HIT_LEAST_NS 400 /* a look ends early where hits come faster than that */

static struct progress_span metronome_read(const struct metronome *m, const struct spending *s,
					   const struct events_moment *moment)
{
	struct progress_span span = spending_span(s, moment);

	if (m->has_site)
		span.ticks = (double)moment->hits[m->site];
	return span;
}

void metronome_begin(struct metronome *m, const struct spending *s,
		     const struct events_moment *moment)
{
	m->begin = metronome_read(m, s, moment);
	m->records = 0;
}

void metronome_count(struct metronome *m, const struct session_event *event)
{
	m->records += event->kind == EVENT_ALLOC || event->kind == EVENT_ALLOC_LARGE;
}

struct progress_span metronome_end(struct metronome *m, const struct spending *s,
				   const struct events_moment *moment)
{
	struct progress_span end = metronome_read(m, s, moment);
	struct progress_span span = progress_minus(&end, &m->begin);

	span.records = m->records;
	m->begin = end;
	m->records = 0;
	return span;
}

static uint64_t metronome_hits(size_t site, const struct events_moment *begun,
			       const struct events_moment *ended)
{
	return ended->hits[site] - MIN(begun->hits[site], ended->hits[site]);
}

bool metronome_choose(struct metronome *m, const struct plan *plan,
		      const struct events_moment *begun, const struct events_moment *ended)
{
	uint64_t all = 0, best = 0;
	bool had = m->has_site, found = false;
	size_t site = 0;

	for (size_t i = 0; i < plan->sites.count; i++)
		all += metronome_hits(i, begun, ended);
	if (had && metronome_hits(m->site, begun, ended) >= MAX(all / PART / 2, TICKS_LEAST))
		return false;
	for (size_t i = 0; i < plan->sites.count; i++) {
		uint64_t hits = metronome_hits(i, begun, ended);

		if (hits < MAX(all / PART, (uint64_t)TICKS_LEAST) || (found && hits >= best))
			continue;
		found = true;
		best = hits;
		site = i;
	}
	if (!found || (had && site == m->site))
		return false;
	m->has_site = true;
	m->site = site;
	return true;
}

/* One that had no CPU at either end says nothing: how long that was the kernel tells later. */
static bool metronome_heard(const struct events_moment *begun, const struct events_moment *ended)
{
	return begun->is_running && ended->is_running;
}

int metronome_listen(struct metronome *m, struct spending *s, struct session *session,
		     const struct plan *plan, struct flows *flows)
{
	const struct events_moment *begun = session_begun(session), *ended = session_ended(session);
	double last =
		MIN(MAX(CLOCK_SHARE * s->budget.config.limit * 1e9, LAST_LEAST_NS), LAST_MOST_NS);
	struct progress_span from, to, span;
	int r = 0;

	if (!flows_want_clock(flows))
		return 0;
	if (metronome_choose(m, plan, begun, ended))
		flows_clock_restart(flows);
	if (!m->has_site)
		return 0;
	for (int tries = 0; !r && tries < TRIES; tries++) {
		r = session_sample(session, m->site, (uint64_t)last,
				   (uint64_t)(last / HIT_LEAST_NS));
		if (!r && metronome_heard(begun, ended))
			break;
	}
	if (r < 0 || !metronome_heard(begun, ended))
		return r == -EBUSY ? 0 : r; /* hit too little for a clock by now */
	from = metronome_read(m, s, begun);
	to = metronome_read(m, s, ended);
	span = progress_minus(&to, &from);
	span.cpu = span.wall - MIN(span.waited, span.wall);
	span.cost *= spending_bare(s, m->site);
	flows_clock(flows, &span);
	return 0;
}
