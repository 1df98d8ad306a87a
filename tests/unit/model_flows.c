/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "model/flows.h"

#include <math.h>

#define TYPE 0x5000

static void add(struct flows *flows, int count, uint64_t bytes)
{
	for (int i = 0; i < count; i++)
		assert_int_equal(flows_add(flows, TYPE, FLOWS_ALLOC_OBJECTS, bytes), 0);
}

/* A sample of @seconds in which the target ran all the time and paid nothing; as much again passed
 * before it unseen. */
static struct progress_span all_now;

static void cut(struct flows *flows, double seconds, bool lost)
{
	struct progress_span span = { .wall = seconds, .cpu = seconds, .records = 1000 };

	all_now.wall += 2 * seconds;
	all_now.cpu += 2 * seconds;
	flows_cut(flows, &span, &all_now, lost);
}

static void begin(struct flows *flows)
{
	all_now = (struct progress_span){ 0 };
	flows_begin(flows, all_now);
}

static void idle(struct flows *flows, double seconds)
{
	all_now.wall += seconds;
	all_now.cpu += seconds;
	flows_now(flows, all_now);
}

/* One look at a part of the time. */
static void one_window_says_nothing_of_the_rest(void **state)
{
	struct progress_span window = { .wall = 1, .cpu = 1, .records = 10 };
	cleanup(flows_freep) struct flows *flows = NULL;
	struct progress_span all = { .wall = 100, .cpu = 100 };
	struct flows_rates rates;

	assert_int_equal(flows_new(&flows), 0);
	flows_begin(flows, all);
	all.wall = all.cpu = 110;
	add(flows, 10, 16);
	flows_cut(flows, &window, &all, false);
	assert_false(flows_rates(flows, TYPE, 0.1, &rates));
	all.wall = all.cpu = 120;
	add(flows, 10, 16);
	flows_cut(flows, &window, &all, false);
	assert_true(flows_rates(flows, TYPE, 0.1, &rates));
	assert_float_equal(rates.per_second[FLOWS_ALLOC_OBJECTS], 10, 1e-6);
}

static void nothing_traced_says_nothing(void **state)
{
	cleanup(flows_freep) struct flows *flows = NULL;
	struct flows_rates rates;

	assert_int_equal(flows_new(&flows), 0);
	begin(flows);
	add(flows, 3, 48);
	assert_false(flows_rates(flows, TYPE, 1, &rates));
}

static void full_coverage_is_exact(void **state)
{
	cleanup(flows_freep) struct flows *flows = NULL;
	struct flows_rates rates;

	assert_int_equal(flows_new(&flows), 0);
	begin(flows);
	add(flows, 100, 48);
	cut(flows, 0.5, false);
	add(flows, 300, 48);
	assert_int_equal(flows_add(flows, TYPE, FLOWS_FREE_OBJECTS, 64), 0);
	cut(flows, 1.5, false);
	assert_true(flows_rates(flows, TYPE, 1, &rates));
	assert_float_equal(rates.per_second[FLOWS_ALLOC_OBJECTS], 200, 1e-6);
	assert_float_equal(rates.per_second[FLOWS_ALLOC_BYTES], 9600, 1e-6);
	assert_float_equal(rates.per_second[FLOWS_FREE_OBJECTS], 0.5, 1e-6);
	assert_float_equal(rates.per_second[FLOWS_FREE_BYTES], 32, 1e-6);
	assert_float_equal(rates.error, 0, 0);
}

/* It may have come in bursts between the windows. */
static void what_windows_did_not_meet_is_not_known(void **state)
{
	cleanup(flows_freep) struct flows *flows = NULL;
	struct flows_rates rates;

	assert_int_equal(flows_new(&flows), 0);
	begin(flows);
	cut(flows, 1, false);
	cut(flows, 1, false);
	assert_true(flows_rates(flows, TYPE, 0.1, &rates));
	for (int i = 0; i < FLOWS_COUNTS; i++)
		assert_true(isnan(rates.per_second[i]));
	assert_true(isnan(rates.error));
	assert_int_equal(flows_add(flows, TYPE, FLOWS_ALLOC_OBJECTS, 16), 0);
	cut(flows, 1, false);
	assert_true(flows_rates(flows, TYPE, 0.1, &rates));
	assert_true(rates.per_second[FLOWS_ALLOC_OBJECTS] > 0);
	assert_true(isnan(rates.per_second[FLOWS_FREE_OBJECTS]));
}

static void what_an_open_window_did_not_meet_is_not_there(void **state)
{
	struct progress_span window = { .wall = 1, .cpu = 1, .records = 10 }, all = {};
	cleanup(flows_freep) struct flows *flows = NULL;
	struct flows_rates rates;

	assert_int_equal(flows_new(&flows), 0);
	flows_begin(flows, all);
	for (int i = 1; i <= 4; i++) {
		all.wall = all.cpu = 1.01 * i;
		flows_cut(flows, &window, &all, false);
	}
	assert_true(flows_rates(flows, TYPE, 0.9, &rates));
	assert_float_equal(rates.per_second[FLOWS_ALLOC_OBJECTS], 0, 0);
	assert_float_equal(rates.per_second[FLOWS_FREE_BYTES], 0, 0);
	all.wall += 1;
	all.cpu += 1;
	flows_now(flows, all);
	assert_true(flows_rates(flows, TYPE, 0.9, &rates));
	assert_true(isnan(rates.per_second[FLOWS_ALLOC_OBJECTS]));
}

/* A share of the time was traced: the windows' spread gives the error. */
static void windows_give_an_interval(void **state)
{
	cleanup(flows_freep) struct flows *flows = NULL;
	struct flows_rates even, uneven;

	assert_int_equal(flows_new(&flows), 0);
	begin(flows);
	for (int i = 0; i < 20; i++) {
		add(flows, 1000, 16);
		cut(flows, 0.1, false);
	}
	assert_true(flows_rates(flows, TYPE, 0.1, &even));
	flows_restart(flows);
	for (int i = 0; i < 20; i++) {
		add(flows, i % 2 ? 1900 : 100, 16);
		cut(flows, 0.1, false);
	}
	assert_true(flows_rates(flows, TYPE, 0.1, &uneven));
	assert_float_equal(even.per_second[FLOWS_ALLOC_OBJECTS], 10000, 1e-6);
	assert_float_equal(uneven.per_second[FLOWS_ALLOC_OBJECTS], 10000, 1e-6);
	assert_true(even.error > 0 && even.error < 0.1);
	assert_true(uneven.error > 3 * even.error);
}

static void old_samples_and_restarts_are_forgotten(void **state)
{
	cleanup(flows_freep) struct flows *flows = NULL;
	struct flows_rates rates;

	assert_int_equal(flows_new(&flows), 0);
	begin(flows);
	add(flows, 1000000, 16);
	cut(flows, 1, false);
	for (int i = 0; i < FLOWS_SAMPLES; i++) {
		add(flows, 10, 16);
		cut(flows, 1, false);
	}
	assert_true(flows_rates(flows, TYPE, 0.99, &rates));
	assert_float_equal(rates.per_second[FLOWS_ALLOC_OBJECTS], 10, 1e-6);
	assert_true(
		flows_rates(flows, TYPE, 1, &rates)); /* nothing was missed: all of them count */
	assert_float_equal(rates.per_second[FLOWS_ALLOC_OBJECTS],
			   (1000000 + 10 * FLOWS_SAMPLES) / (1.0 + FLOWS_SAMPLES), 1e-6);
	add(flows, 5000, 16); /* in the sample at hand when it restarts: on neither side */
	flows_restart(flows);
	add(flows, 7, 16);
	cut(flows, 1, false);
	assert_true(flows_rates(flows, TYPE, 1, &rates));
	assert_float_equal(rates.per_second[FLOWS_ALLOC_OBJECTS], 7, 1e-6);
	assert_int_equal(flows_total(flows, TYPE, FLOWS_ALLOC_OBJECTS),
			 1000000 + 10 * FLOWS_SAMPLES + 5000 + 7);
	assert_int_equal(flows_total(flows, 1, FLOWS_ALLOC_OBJECTS), 0);
}

/* The rate has become ten times as high: what was before the mark is not counted. */
static void rates_are_of_the_time_since_the_mark(void **state)
{
	cleanup(flows_freep) struct flows *flows = NULL;
	struct flows_rates rates, missed;

	assert_int_equal(flows_new(&flows), 0);
	begin(flows);
	for (int i = 0; i < 20; i++) {
		add(flows, 95 + i % 10, 16);
		cut(flows, 0.1, false);
	}
	flows_mark(flows);
	for (int i = 0; i < 4; i++) {
		add(flows, 950 + 30 * i, 16);
		cut(flows, 0.1, false);
	}
	assert_true(flows_rates(flows, TYPE, 0.1, &rates));
	/* When it changed between two samples nobody knows: half of 0.1 s of 0.8 at the old rate.
	 */
	assert_float_equal(rates.per_second[FLOWS_ALLOC_OBJECTS], 9390, 5);
	assert_float_equal(rates.per_second[FLOWS_ALLOC_BYTES], 16 * 9390, 80);
	assert_true(rates.error > 0 && rates.error < 0.2);
	flows_mark(flows); /* none since: rates are the last that are known, and may have changed */
	idle(flows, 1);
	assert_true(flows_rates(flows, TYPE, 0.1, &rates));
	assert_float_equal(rates.per_second[FLOWS_ALLOC_OBJECTS], 9950, 1);
	assert_true(isnan(rates.error));
	add(flows, 995, 16);
	cut(flows, 0.1, false);
	assert_true(flows_rates(flows, TYPE, 0.1, &rates));
	flows_mark(flows);
	add(flows, 995, 16);
	flows_missed(flows, 0.1);
	cut(flows, 0.1, false);
	assert_true(flows_rates(flows, TYPE, 0.1, &missed));
	assert_true(missed.error > rates.error + 0.2);
}

/* What was lost nobody knows: the rates are a lower bound until the sample is forgotten. */
static void lost_records_leave_no_interval(void **state)
{
	cleanup(flows_freep) struct flows *flows = NULL;
	struct flows_rates rates;

	assert_int_equal(flows_new(&flows), 0);
	begin(flows);
	for (int i = 0; i < 10; i++) {
		add(flows, 100, 16);
		cut(flows, 0.1, i == 4);
	}
	for (int i = 0; i < 2; i++) {
		assert_true(flows_rates(flows, TYPE, i ? 1 : 0.5, &rates));
		assert_float_equal(rates.per_second[FLOWS_ALLOC_OBJECTS], 1000, 1e-6);
		assert_true(isnan(rates.error));
	}
	for (int i = 0; i < FLOWS_SAMPLES; i++) {
		add(flows, 100, 16);
		cut(flows, 0.1, false);
	}
	assert_true(flows_rates(flows, TYPE, 0.5, &rates));
	assert_true(rates.error > 0);
	flows_restart(flows);
	add(flows, 100, 16);
	cut(flows, 0.1, false);
	assert_true(flows_rates(flows, TYPE, 1, &rates));
	assert_float_equal(rates.error, 0, 0);
}

/* A target that does nothing but pay, and a clock that tells how slow that makes it. */
static void a_slowed_target_is_counted_as_if_unwatched(void **state)
{
	struct progress_span all = { 0 };
	cleanup(flows_freep) struct flows *flows = NULL;
	struct flows_rates rates;

	assert_int_equal(flows_new(&flows), 0);
	begin(flows);
	for (int pass = 0; pass < 2; pass++) {
		/* An operation: 800 ns of its own, four hits at 800, and 200 for the first of them.
		 * Alone, the clock: one of them. */
		for (int i = 0; i < 20; i++) {
			struct progress_span span = { 4.2e-3, 4.2e-3, 0, 3.2e-3, 1000, 1000, true };
			struct progress_span clock = { 1.8e-3, 1.8e-3, 0, 0.8e-3, 1000, 0, true };

			all.wall = all.cpu = all.wall + 0.1;
			add(flows, 1000, 16);
			flows_cut(flows, &span, &all, false);
			if (pass)
				flows_clock(flows, &clock);
		}
		/* Without a clock nobody knows. */
		assert_int_equal(flows_rates(flows, TYPE, 0.01, &rates), pass);
	}
	assert_float_equal(rates.per_second[FLOWS_ALLOC_OBJECTS], 1250000, 1250000 * 0.15);
	assert_true(rates.error > 0 && rates.error < 0.5);
	flows_clock_restart(flows);
	add(flows, 1000, 16);
	flows_cut(flows, &(struct progress_span){ 4.2e-3, 4.2e-3, 0, 3.2e-3, 1000, 1000, true },
		  &all, false);
	assert_false(flows_rates(flows, TYPE, 0.01, &rates));
}

/* What the end of a window cut off is of the time in which probes slow the target. */
static double error_with(double missed)
{
	struct progress_span window = { 10e-3, 10e-3, 0, 5e-3, 0, 1000, true }, all = { 0 };
	cleanup(flows_freep) struct flows *flows = NULL;
	struct flows_rates rates;

	assert_int_equal(flows_new(&flows), 0);
	begin(flows);
	for (int i = 0; i < 40; i++) {
		all.wall = all.cpu = all.wall + 0.1;
		add(flows, 1000, 16);
		flows_missed(flows, missed);
		flows_cut(flows, &window, &all, false);
	}
	assert_true(flows_rates(flows, TYPE, 0.1, &rates));
	return rates.error;
}

static void what_was_missed_is_slowed_too(void **state)
{
	double whole = error_with(0), cut = error_with(1e-3); /* a tenth of it */

	assert_true(cut > whole + 0.05);
	assert_true(cut < whole + 0.15);
}

/* A target whose CPU time has doubled since the mark does twice as much: the rate is of that time.
 */
static void cpu_time_is_that_of_the_time_asked_for(void **state)
{
	struct progress_span window = { 10e-3, 10e-3, 0, 1e-4, 0, 1000, true }, all = { 0 };
	cleanup(flows_freep) struct flows *flows = NULL;
	struct flows_rates rates[2];

	assert_int_equal(flows_new(&flows), 0);
	flows_begin(flows, all);
	for (int pass = 0; pass < 2; pass++) {
		flows_mark(flows);
		for (int i = 0; i < 30; i++) {
			all.wall += 0.1;
			all.cpu += pass ? 0.08 : 0.04;
			add(flows, 1000, 16);
			flows_cut(flows, &window, &all, false);
		}
		flows_now(flows, all);
		assert_true(flows_rates(flows, TYPE, 0.1, &rates[pass]));
		assert_true(rates[pass].error < 0.3);
	}
	/* 1000 in 10 ms of CPU time. */
	assert_float_equal(rates[0].per_second[FLOWS_ALLOC_OBJECTS], 40000, 4000);
	assert_float_equal(rates[1].per_second[FLOWS_ALLOC_OBJECTS], 80000, 8000);
}

static void a_burst_at_the_end_makes_what_follows_uncertain(void **state)
{
	double errors[2];

	for (int pass = 0; pass < 2; pass++) {
		cleanup(flows_freep) struct flows *flows = NULL;
		struct flows_rates rates;

		assert_int_equal(flows_new(&flows), 0);
		begin(flows);
		for (int i = 0; i < 10; i++) {
			add(flows, 1000, 16);
			flows_surge(flows, pass && i == 9 ? 50 : 0);
			cut(flows, 0.1, false);
		}
		idle(flows, 0.5);
		assert_true(flows_rates(flows, TYPE, 0.1, &rates));
		errors[pass] = rates.error;
	}
	assert_true(errors[1] > errors[0] + 0.5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_window_says_nothing_of_the_rest),
		cmocka_unit_test(nothing_traced_says_nothing),
		cmocka_unit_test(full_coverage_is_exact),
		cmocka_unit_test(what_windows_did_not_meet_is_not_known),
		cmocka_unit_test(what_an_open_window_did_not_meet_is_not_there),
		cmocka_unit_test(windows_give_an_interval),
		cmocka_unit_test(rates_are_of_the_time_since_the_mark),
		cmocka_unit_test(lost_records_leave_no_interval),
		cmocka_unit_test(old_samples_and_restarts_are_forgotten),
		cmocka_unit_test(a_slowed_target_is_counted_as_if_unwatched),
		cmocka_unit_test(what_was_missed_is_slowed_too),
		cmocka_unit_test(cpu_time_is_that_of_the_time_asked_for),
		cmocka_unit_test(a_burst_at_the_end_makes_what_follows_uncertain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
