/* SPDX-License-Identifier: BSD-2-Clause */
/* The reading end of the ring that the BPF programs write to (bpf/events.h): memory that both map.
 */
#pragma once

#include "bpf/events.h"

#include <stddef.h>
#include <stdint.h>

struct ring {
	const struct event *places;
	size_t count;		  /* of places: a power of two */
	const uint64_t *produced; /* records placed so far */
	uint64_t *consumed;	  /* what we tell the programs: places before it are free */
	uint64_t at;		  /* the next to be read */
};

/*
 * The next record, or NULL where there is none yet. It stays whole until ring_release(). Numbers go
 * on over all turns.
 */
const struct event *ring_next(struct ring *ring);

/* Gives all places back that ring_next() has returned. */
void ring_release(struct ring *ring);

/* Records that wait. */
uint64_t ring_backlog(const struct ring *ring);

/* What --ring may say, and the most places that a ring of so many bytes has: a power of two. */
#define RING_BYTES_LEAST (32ull << 10)
#define RING_BYTES_MOST (1ull << 30)
size_t ring_places(uint64_t bytes);
