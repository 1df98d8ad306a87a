/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "probe/records.h"

#define PLACES 4

struct fixture {
	struct event places[PLACES];
	uint64_t produced, consumed;
	struct ring ring;
	struct session_event seen[PLACES];
	size_t count;
};

static void produce(struct fixture *f, enum event_kind kind, struct event event)
{
	event.addr = event.addr ?: 0x1000;
	event.head = (union event_word){ .kind = (uint8_t)kind, .turn = EVENT_TURN(f->produced) };
	f->places[f->produced++ % PLACES] = event;
}

static int setup(void **state)
{
	static struct fixture f;

	f = (struct fixture){ 0 };
	f.ring = (struct ring){ f.places, PLACES, &f.produced, &f.consumed, 0 };
	*state = &f;
	return 0;
}

static int keep(const struct session_event *event, void *arg)
{
	struct fixture *f = arg;

	f->seen[f->count++] = *event;
	return 0;
}

static int refuse(const struct session_event *event, void *arg)
{
	return -ENOMEM;
}

static void consume(struct fixture *f, bool is_glibc)
{
	assert_int_equal(records_consume(&f->ring, is_glibc, NULL, keep, f, PLACES), f->produced);
}

static void a_kind_has_its_own_fields(void **state)
{
	struct fixture *f = *state;

	produce(f, EVENT_ALLOC, (struct event){ .size = 64 });
	produce(f, EVENT_FREE, (struct event){ .types = { 1, 2, 3 } });
	produce(f, EVENT_MOVE, (struct event){ .large = { .size = 600, .old = 0x2000 } });
	produce(f, EVENT_ALLOC_LARGE, (struct event){ .large = { .size = 700, .old = 0x2000 } });
	consume(f, false);
	assert_int_equal(f->seen[0].size, 64);
	assert_int_equal(f->seen[1].types[2], 3);
	assert_int_equal(f->seen[1].size, 0);
	assert_int_equal(f->seen[2].old, 0x2000);
	assert_int_equal(f->seen[2].size, 600);
	assert_int_equal(f->seen[3].old, 0);
}

/* malloc/malloc.c: the low three bits are flags, a chunk that was mapped has a header of 16 bytes.
 */
static void glibc_chunks_say_what_is_usable(void **state)
{
	static const struct {
		uint64_t chunk, usable;
	} cases[] = { { 0x291, 0x288 }, { 0x21002, 0x20ff0 }, { 7, 0 }, { 8, 0 } };
	struct fixture *f = *state;

	for (size_t i = 0; i < PLACES; i++)
		produce(f, EVENT_ALLOC_LARGE,
			(struct event){ .large = { 700, cases[i].chunk, 0 } });
	consume(f, true);
	for (size_t i = 0; i < PLACES; i++)
		assert_int_equal(f->seen[i].size, cases[i].usable);
}

static void elsewhere_they_say_nothing(void **state)
{
	struct fixture *f = *state;

	produce(f, EVENT_ALLOC_LARGE, (struct event){ .large = { 700, 0x291, 0 } });
	consume(f, false);
	assert_int_equal(f->seen[0].size, 700);
}

static void places_come_back_also_after_a_failure(void **state)
{
	struct fixture *f = *state;

	produce(f, EVENT_ALLOC, (struct event){ .size = 64 });
	produce(f, EVENT_ALLOC, (struct event){ .size = 64 });
	assert_int_equal(records_consume(&f->ring, true, NULL, refuse, f, PLACES), -ENOMEM);
	assert_int_equal(f->consumed, 1);
	assert_int_equal(records_consume(&f->ring, true, NULL, keep, f, PLACES), 1);
	assert_int_equal(f->consumed, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_kind_has_its_own_fields, setup),
		cmocka_unit_test_setup(glibc_chunks_say_what_is_usable, setup),
		cmocka_unit_test_setup(elsewhere_they_say_nothing, setup),
		cmocka_unit_test_setup(places_come_back_also_after_a_failure, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
