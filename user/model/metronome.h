/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How far the target comes while it is traced: what of its time passes in a window, and between the
 * hits of one site that beats for all (probe/progress.h). Private to model/.
 */
#pragma once

#include "model/flows.h"
#include "model/spending.h"
#include "probe/progress.h"
#include "probe/records.h"
#include "probe/session.h"

struct metronome {
	struct progress_span begin; /* a reading: when the sample began */
	double records;		    /* of the sample at hand */
	bool has_site;
	size_t site; /* that beats */
};

/* A sample begins. */
void metronome_begin(struct metronome *metronome, const struct spending *spending,
		     const struct events_moment *moment);

/* A record of the sample at hand. */
void metronome_count(struct metronome *metronome, const struct session_event *event);

/* What passed in the sample; the next begins. */
struct progress_span metronome_end(struct metronome *metronome, const struct spending *spending,
				   const struct events_moment *moment);

/*
 * After a window: the site that beats from now on, by what was hit between @begun and @ended. One
 * that is hit seldom slows the target least, but it has to be hit. False where it stays.
 */
bool metronome_choose(struct metronome *metronome, const struct plan *plan,
		      const struct events_moment *begun, const struct events_moment *ended);

/* After a window of a target for which flows need it: listens for some moments. 0, or what
 * session_sample() says. */
int metronome_listen(struct metronome *metronome, struct spending *spending,
		     struct session *session, const struct plan *plan, struct flows *flows);
