/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which sites may keep their probes between windows: pure logic.
 *
 * An optimised build has hundreds of sites, of which a program comes by a few dozen. To open and
 * close a window costs the target something for each site that comes or goes, so those that are
 * seldom hit stay: the cold ones. What their hits cost between windows is paid from the budget like
 * any other.
 */
#pragma once

#include "bpf/events.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heat {
	size_t count;
	double price_ns;	 /* of a hit */
	double rates[SITES_MAX]; /* hits a second of the target's own time; NAN: never seen */
	bool cold[SITES_MAX];
};

/* All hot, nothing known. */
void heat_init(struct heat *heat, size_t count, double price_ns);

/* What was hit from @begin to @end, when sites @first to @first + @count were probed, and the cold
 * ones. */
void heat_learn(struct heat *heat, const struct events_moment *begin,
		const struct events_moment *end, size_t first, size_t count);

/* Cold sites that were hit more than @most times from @begin to @end are hit @rate times a second
 * at least, whatever they were hit on average. Were there any? */
bool heat_burn(struct heat *heat, const struct events_moment *begin,
	       const struct events_moment *end, uint64_t most, double rate);

/*
 * Chooses anew: cold are as many sites as are hit no more than @allowed times a second together.
 * False, and nothing is changed, where what there is will do: the cold ones are hit no more often
 * than twice that, and not many hot ones could join them.
 */
bool heat_choose(struct heat *heat, double allowed);
