/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/ring.h"

const struct event *ring_next(struct ring *ring)
{
	const struct event *event = &ring->places[ring->at & (ring->count - 1)];
	union event_word head = { .word = __atomic_load_n(&event->head.word, __ATOMIC_ACQUIRE) };

	if (head.turn != EVENT_TURN(ring->at))
		return NULL;
	ring->at++;
	return event;
}

void ring_release(struct ring *ring)
{
	__atomic_store_n(ring->consumed, ring->at, __ATOMIC_RELEASE);
}

uint64_t ring_backlog(const struct ring *ring)
{
	return __atomic_load_n(ring->produced, __ATOMIC_ACQUIRE) - ring->at;
}

size_t ring_places(uint64_t bytes)
{
	size_t places = 1;

	while (2 * places * sizeof(struct event) <= bytes)
		places *= 2;
	return places;
}
