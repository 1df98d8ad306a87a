/* SPDX-License-Identifier: BSD-2-Clause */
/* Our own budget of CPU time: heaps that are dear to read are read less often than was asked. */
#pragma once

#include "base/util.h"
#include "model/picture.h"

/* What --max-cpu is unless it is given: of one core. */
#define SPACING_MAX_CPU 0.1

/*
 * How far apart censuses begin of which each costs @cpu_ns, where all may take @max_cpu of one
 * core; 0: as much as they like.
 */
static inline uint64_t spacing_interval(uint64_t interval_ns, double cpu_ns, double max_cpu)
{
	return max_cpu > 0 ? MAX(interval_ns, (uint64_t)(cpu_ns / max_cpu)) : interval_ns;
}

/* The same from what @pic has cost. The picture is told, so that it can be said when the next one
 * comes. */
static inline uint64_t spacing_picture(struct picture *pic, uint64_t interval_ns, double max_cpu)
{
	double cost = isfinite(pic->census.cpu_ms) ? pic->census.cpu_ms * NSEC_PER_MSEC : 0;
	uint64_t interval = spacing_interval(interval_ns, cost, max_cpu);

	pic->census.interval_ms = (double)interval / NSEC_PER_MSEC;
	return interval;
}
