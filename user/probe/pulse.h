/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When the probe where pools are opened may stay on between windows: pure logic, time is passed in.
 *
 * Mostly it costs next to nothing. But a target that fills and empties pools all the time opens
 * tens of thousands a second, and each is dearer than a hit elsewhere. A quarter of the limit is
 * the probe's; where it needs more it is taken off for some seconds, again and again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct pulse {
	double share, price_ns; /* of the time; of a hit */
	double tokens_ns, capacity_ns;
	bool on;
	uint64_t last_ns, last_hits;
	uint64_t seen_ns, all_ns; /* since the restart */
};

void pulse_init(struct pulse *pulse, double limit, double price_ns, uint64_t now_ns);

/* Should the probe be on from now on? @hits: so far. @seen: were pools seen since the last step, by
 * this probe or by a window's? */
bool pulse_step(struct pulse *pulse, uint64_t now_ns, uint64_t hits, bool seen);

/* The share of the time since the restart in which opened pools were counted. */
double pulse_coverage(const struct pulse *pulse);
void pulse_restart(struct pulse *pulse);
