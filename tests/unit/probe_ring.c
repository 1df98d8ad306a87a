/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "probe/ring.h"

#define PLACES 8

struct fixture {
	struct event places[PLACES];
	uint64_t produced, consumed;
	struct ring ring;
};

static void setup_ring(struct fixture *f)
{
	*f = (struct fixture){ .ring = { .count = PLACES } };
	f->ring.places = f->places;
	f->ring.produced = &f->produced;
	f->ring.consumed = &f->consumed;
}

/* As bpf/events.bpf.c does it. */
static void produce(struct fixture *f, uint64_t addr)
{
	struct event *event = &f->places[f->produced % PLACES];

	event->addr = addr;
	event->head = (union event_word){ .kind = EVENT_ALLOC, .turn = EVENT_TURN(f->produced) };
	f->produced++;
}

static void an_empty_ring_has_nothing(void **state)
{
	struct fixture f;

	setup_ring(&f);
	assert_null(ring_next(&f.ring));
	assert_int_equal(ring_backlog(&f.ring), 0);
}

static void records_come_in_order_over_many_turns(void **state)
{
	uint64_t written = 0, read = 0;
	const struct event *event;
	struct fixture f;

	setup_ring(&f);
	for (int round = 0; round < 100; round++) {
		for (int i = 0; i < round % PLACES + 1; i++)
			produce(&f, ++written);
		assert_int_equal(ring_backlog(&f.ring), written - read);
		while ((event = ring_next(&f.ring)))
			assert_int_equal(event->addr, ++read);
		assert_int_equal(read, written);
		ring_release(&f.ring);
		assert_int_equal(f.consumed, written);
	}
}

/* A place that is taken but not written yet holds what was there a turn ago. */
static void a_record_is_not_seen_before_it_is_whole(void **state)
{
	struct fixture f;

	setup_ring(&f);
	for (int i = 0; i < PLACES; i++)
		produce(&f, 1);
	while (ring_next(&f.ring))
		;
	ring_release(&f.ring);
	f.places[0].addr = 2;
	f.produced++;
	assert_null(ring_next(&f.ring));
	f.places[0].head = (union event_word){ .kind = EVENT_FREE, .turn = EVENT_TURN(PLACES) };
	assert_int_equal(ring_next(&f.ring)->addr, 2);
}

static void the_turn_survives_its_overflow(void **state)
{
	struct fixture f;

	setup_ring(&f);
	f.produced = UINT32_MAX - 3 - PLACES;
	for (int i = 0; i < PLACES; i++)
		produce(&f, 1);
	f.ring.at = f.consumed = f.produced;
	for (int i = 0; i < 6; i++) {
		produce(&f, 7);
		assert_non_null(ring_next(&f.ring));
		assert_null(ring_next(&f.ring));
	}
}

static void so_many_places_fit(void **state)
{
	assert_int_equal(ring_places(39), 1);
	assert_int_equal(ring_places(40ull << 20), 1 << 20);
	assert_int_equal(ring_places((40ull << 20) - 1), 1 << 19);
	assert_true(ring_places(RING_BYTES_LEAST) > RING_SLACK);
	assert_int_equal(ring_places(RING_BYTES_MOST), 1 << 24);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_ring_has_nothing),
		cmocka_unit_test(records_come_in_order_over_many_turns),
		cmocka_unit_test(a_record_is_not_seen_before_it_is_whole),
		cmocka_unit_test(the_turn_survives_its_overflow),
		cmocka_unit_test(so_many_places_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
