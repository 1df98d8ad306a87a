/* SPDX-License-Identifier: BSD-2-Clause */
/* What the records of a ring mean: decoded, with their sizes. */
#pragma once

#include "probe/pools.h"
#include "probe/ring.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A record as consumers see it. */
struct session_event {
	enum event_kind kind;
	uint8_t flags; /* EVENT_FREE_DEAD_* */
	uint16_t site;
	uint64_t addr; /* MOVE: the new address */
	uint64_t old;  /* MOVE */
	/* ALLOC: of the block, 0 when not known. LARGE, MOVE: usable bytes with glibc, else asked
	 * for, 0 when not known. GROW: size class */
	uint64_t size;
	uint64_t chunk;	   /* LARGE, MOVE: the word in front of the block (glibc: chunk size and
			      flags); 0: unknown */
	uint64_t types[3]; /* FREE: candidate type words behind 0, 16, 32 bytes of pre-header */
};

typedef int (*session_event_fn)(const struct session_event *event, void *arg);

/*
 * Calls @fn for at most @max records in the order of the operations, and gives their places back.
 * Number of records, or what @fn returned when that was negative. @pools may be NULL: allocations
 * may be without their size then.
 */
ssize_t records_consume(struct ring *ring, bool is_glibc, struct pools *pools, session_event_fn fn,
			void *arg, size_t max);
