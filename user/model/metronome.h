/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How far the target comes while it is traced: what of its time passes in a window, and between the
 * hits of one site that beats for all (probe/progress.h). Private to model/.
 */
#pragma once

#include "model/spending.h"
#include "probe/progress.h"
#include "probe/records.h"
#include "probe/session.h"

struct metronome {
	struct progress_span begin; /* a reading: when the sample began */
	double seen, records;	    /* of the sample at hand */
	bool has_site;
	uint16_t site;
};

/* A sample begins. */
void metronome_begin(struct metronome *metronome, const struct spending *spending,
		     const struct events_moment *moment);

/* A record of the sample at hand. */
void metronome_count(struct metronome *metronome, const struct session_event *event);

/* What passed in the sample; the next begins. */
struct progress_span metronome_end(struct metronome *metronome, const struct spending *spending,
				   const struct events_moment *moment);
