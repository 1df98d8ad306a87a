/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/util.h"
#include "model/metronome.h"

static struct events_moment moment(uint64_t ms, uint64_t cpu_ms)
{
	return (struct events_moment){ .ns = ms * 1000000, .cpu_ns = cpu_ms * 1000000 };
}

static void a_sample_has_what_was_counted(void **state)
{
	static const struct session_event events[] = {
		{ .kind = EVENT_ALLOC, .site = 3 },
		{ .kind = EVENT_ALLOC_LARGE, .site = 4 },
		{ .kind = EVENT_FREE, .site = 3 },
		{ .kind = EVENT_GROW, .site = 9 },
	};
	struct events_moment a = moment(1000, 100), b = moment(1500, 300);
	struct spending spending = { .sites = 10, .own_ns = { [3] = 500 } };
	struct metronome m = { .has_site = false };
	struct progress_span span;

	a.hits[3] = 10;
	b.hits[3] = 1000010;
	metronome_begin(&m, &spending, &a);
	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		metronome_count(&m, &events[i]);
	span = metronome_end(&m, &spending, &b);
	assert_float_equal(span.wall, 0.5, 1e-9);
	assert_float_equal(span.cpu, 0.2, 1e-9);
	assert_float_equal(span.cost, 0.5, 1e-9);
	assert_float_equal(span.records, 2, 0);
	assert_float_equal(span.ticks, 0, 0); /* no site beats */
}

static void a_site_beats(void **state)
{
	static const struct session_event event = { .kind = EVENT_FREE, .site = 3 };
	struct events_moment a = moment(1000, 100), b = moment(1500, 300);
	struct spending spending = { .sites = 10 };
	struct metronome m = { .has_site = true, .site = 3 };
	struct progress_span span;

	b.hits[3] = 7;
	metronome_begin(&m, &spending, &a);
	metronome_count(&m, &event);
	span = metronome_end(&m, &spending, &b);
	assert_float_equal(span.ticks, 7, 0);
	span = metronome_end(&m, &spending, &b);
	assert_float_equal(span.ticks + span.records + span.wall, 0, 0);
	span = metronome_end(&m, &spending, &a); /* a clock that goes back */
	assert_float_equal(span.wall, 0, 0);
}

static void the_least_of_the_often_hit_beats(void **state)
{
	struct events_moment begun = moment(0, 0), ended = moment(10, 10);
	struct plan plan = { .sites = { .count = 4 } };
	struct metronome m = { 0 };

	assert_false(metronome_choose(&m, &plan, &begun, &ended)); /* none is hit */
	ended.hits[0] = 9000;
	ended.hits[1] = 400;
	ended.hits[2] = 300;
	ended.hits[3] = 20;
	assert_true(metronome_choose(&m, &plan, &begun, &ended));
	assert_true(m.has_site);
	assert_int_equal(m.site, 2);
	assert_false(metronome_choose(&m, &plan, &begun, &ended));
	ended.hits[2] = 160; /* less, but enough */
	assert_false(metronome_choose(&m, &plan, &begun, &ended));
	ended.hits[2] = 60;
	assert_true(metronome_choose(&m, &plan, &begun, &ended));
	assert_int_equal(m.site, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sample_has_what_was_counted),
		cmocka_unit_test(a_site_beats),
		cmocka_unit_test(the_least_of_the_often_hit_beats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
