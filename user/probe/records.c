/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/records.h"

#include "base/util.h"

#define CHUNK_IS_MAPPED 2ull

/* So many records are read before their places are given back. */
#define RELEASE_EVERY 1024

/*
 * What glibc has given out for a chunk (malloc/malloc.c: chunksize, minus its header; a mapped one
 * has two words of it). The census counts the same, so that the two agree.
 */
static uint64_t chunk_usable(uint64_t chunk)
{
	uint64_t header = chunk & CHUNK_IS_MAPPED ? 16 : 8;

	return (chunk & ~7ull) > header ? (chunk & ~7ull) - header : 0;
}

static void event_decode(const struct event *event, bool is_glibc, struct session_event *ret)
{
	union event_word head = { .word = event->head.word };

	*ret = (struct session_event){
		.kind = head.kind, .flags = head.flags, .site = head.site, .addr = event->addr
	};
	if (head.kind == EVENT_ALLOC || head.kind == EVENT_GROW) {
		ret->size = event->size;
	} else if (head.kind == EVENT_FREE) {
		memcpy(ret->types, event->types, sizeof(ret->types));
	} else {
		ret->size = event->large.size;
		ret->chunk = event->large.chunk;
		ret->old = head.kind == EVENT_MOVE ? event->large.old : 0;
	}
	if (is_glibc && ret->chunk)
		ret->size = chunk_usable(ret->chunk);
}

/* A pool's size class is what its opening said, or else its header. */
static void event_size(struct pools *pools, struct session_event *event)
{
	if (!pools)
		return;
	if (event->kind == EVENT_GROW)
		pools_opened(pools, event->addr, (uint32_t)event->size);
	else if (event->kind == EVENT_ALLOC && !event->size)
		event->size = pools_block_size(pools, event->addr);
	else if (event->kind == EVENT_ALLOC)
		pools_allocated(pools, event->addr, event->size);
}

ssize_t records_consume(struct ring *ring, bool is_glibc, struct pools *pools, session_event_fn fn,
			void *arg, size_t max)
{
	const struct event *event;
	size_t done = 0;
	int r = 0;

	while (r >= 0 && done < max && (event = ring_next(ring))) {
		struct session_event decoded;

		event_decode(event, is_glibc, &decoded);
		event_size(pools, &decoded);
		r = fn(&decoded, arg);
		if (++done % RELEASE_EVERY == 0)
			ring_release(ring);
	}
	ring_release(ring);
	return r < 0 ? r : (ssize_t)done;
}
