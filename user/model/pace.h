/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How often to look into a ring that wakes nobody up. The smaller one holds 0.1 s of the fastest
 * allocation: looked at well within that, and the more often the more comes. Private to model/.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACE_LEAST_NS 1000000ull
#define PACE_WINDOW_NS 8000000ull
#define PACE_CLOSED_NS 50000000ull /* only fresh pools are told of then */
#define PACE_RECORDS 1000	   /* more than so many at once: sooner */

struct pace {
	uint64_t nap_ns;
};

/* How long to wait now that there were @records, in an open window or between two. */
uint64_t pace_next(struct pace *pace, size_t records, bool open);
