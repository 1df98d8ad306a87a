/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/metronome.h"

#include "base/util.h"

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
	m->seen = m->records = 0;
}

void metronome_count(struct metronome *m, const struct session_event *event)
{
	m->records += event->kind == EVENT_ALLOC || event->kind == EVENT_ALLOC_LARGE;
	m->seen += m->has_site && event->site == m->site;
}

struct progress_span metronome_end(struct metronome *m, const struct spending *s,
				   const struct events_moment *moment)
{
	struct progress_span end = metronome_read(m, s, moment);
	struct progress_span span = progress_minus(&end, &m->begin);

	span.seen = m->seen;
	span.records = m->records;
	m->begin = end;
	m->seen = m->records = 0;
	return span;
}
