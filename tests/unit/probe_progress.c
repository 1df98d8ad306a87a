/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/util.h"
#include "probe/progress.h"

#include <math.h>

#define WINDOWS 20
#define CLOCKS 12      /* with so many of the windows */
#define PRICE_NS 800.0 /* of a hit in our loop */

/* A target: own time of an operation with @hits probes, of which @clock are at the clock's site; a
 * hit costs it
 * @factor times what it costs our loop, and the first of each operation a share more. */
struct model {
	double own_ns, hits, clock, factor;
	double first; /* a clock's hit costs so much of a hit more */
};

static const struct progress_span none[2];
static uint64_t seed;

/* 1 give or take @share. */
static double noise(double share)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return 1 + share * ((double)(seed >> 40) / (1 << 23) - 1);
}

static struct progress_span span(const struct model *m, double operations, bool clock_only)
{
	double hits = operations * (clock_only ? m->clock : m->hits);
	double cpu = operations * (m->own_ns * noise(0.05) +
				   m->clock * m->first * PRICE_NS * m->factor) +
		     hits * PRICE_NS * m->factor * noise(0.05);

	return (struct progress_span){ .is_whole = true,
				       .wall = cpu / 1e9,
				       .cpu = cpu / 1e9,
				       .cost = hits * PRICE_NS / 1e9,
				       .ticks = operations * m->clock,
				       .records = operations };
}

/* Operations a second, as found; the truth is 1e9 / own_ns times the share of the time that it
 * runs. */
static bool found(const struct model *m, size_t clocks, double runs, double *ret_rate,
		  double *ret_error)
{
	struct progress_span windows[WINDOWS], clock[WINDOWS] = { 0 };
	struct progress_view view = { windows, clock, WINDOWS, { 0 } };
	double operations = 0, sum = 0;
	struct progress progress;
	bool known;

	seed = 1;
	for (size_t i = 0; i < WINDOWS; i++)
		windows[i] = span(m, 3000, false);
	for (size_t i = 0; i < clocks; i++)
		clock[i] = span(m, 2000, true);
	view.all = (struct progress_span){ .wall = 20, .cpu = 20 * runs };
	known = progress_tell(&view, &progress);
	*ret_error = progress.error;
	for (size_t i = 0; i < WINDOWS; i++) {
		operations += windows[i].records;
		sum += progress.seconds[i];
	}
	*ret_rate = operations / sum;
	return known;
}

static void a_dense_target_needs_a_clock(void **state)
{
	struct model m = { .own_ns = 800, .hits = 4, .clock = 1, .factor = 1.2, .first = 0.2 };
	double rate, error;

	assert_false(found(&m, 0, 1, &rate, &error));
	assert_true(found(&m, CLOCKS, 1, &rate, &error));
	assert_true(error < 0.45);
	assert_true(fabs(rate * 800e-9 - 1) < error);
}

static void prices_differ_from_ours(void **state)
{
	static const double factors[] = { 0.95, 1.0, 1.2, 1.45 }, own[] = { 200, 400, 2000, 20000 };

	for (size_t i = 0; i < ARRAY_SIZE(factors); i++)
		for (size_t k = 0; k < ARRAY_SIZE(own); k++) {
			struct model m = { own[k], 4, 1, factors[i], 0.2 };
			double rate, error;

			if (found(&m, CLOCKS, 1, &rate, &error))
				assert_true(fabs(rate * own[k] * 1e-9 - 1) < error + 0.02);
			else
				assert_true(own[k] < 1000);
		}
}

static void a_rare_site_is_a_good_clock(void **state)
{
	struct model m = { .own_ns = 300, .hits = 6, .clock = 0.05, .factor = 1.3, .first = 0.2 };
	double rate, error;

	assert_true(found(&m, CLOCKS, 0.5, &rate, &error));
	assert_true(error < 0.1);
	assert_true(fabs(rate * 300e-9 / 0.5 - 1) < error + 0.02);
}

static void who_hardly_pays_is_counted_by_the_wall(void **state)
{
	struct progress_span windows[2] = { { 1, 0.01, 0, 0.002, 0, 1000 },
					    { 1, 0.01, 0, 0.002, 0, 1002 } };
	struct progress_view view = { windows, none, 2, { .wall = 2, .cpu = 0.02, .cost = 0.004 } };
	struct progress progress;

	assert_true(progress_tell(&view, &progress));
	assert_true(progress.error < 0.005);
	assert_true(progress.seconds[0] <= 1);
	assert_true(progress.seconds[0] > 0.99);
	assert_true(progress.delay > 0);
}

/* Beside others it has no time to spare, for all that the wall says. */
static void who_waits_for_a_cpu_is_slowed(void **state)
{
	struct progress_span window = {
		.wall = 1, .cpu = 0.2, .waited = 0.8, .cost = 0.15, .records = 1000
	};
	struct progress_span windows[2] = { window, window };
	struct progress_view view = { windows, none, 2, { .wall = 2, .cpu = 0.4, .cost = 0.3 } };
	struct progress progress;

	assert_false(progress_tell(&view, &progress));
	windows[0].waited = windows[1].waited = 0;
	assert_true(progress_tell(&view, &progress));
}

/* The kernel books CPU time by ticks: what it says of a window of 2 ms is 0 or 4. What it waited
 * for a CPU is known, if it had one at either end. */
static void who_is_never_idle_needs_no_cpu_clock(void **state)
{
	struct model m = { .own_ns = 800, .hits = 4, .clock = 1, .factor = 1.2, .first = 0.2 };
	static const struct progress_span nothing[WINDOWS];
	struct progress_span windows[WINDOWS], clock[WINDOWS];
	struct progress_view view = {
		windows, clock, WINDOWS, { .wall = 20, .cpu = 18, .waited = 1.9 }
	};
	struct progress progress;
	double operations = 0, sum = 0;

	for (size_t i = 0; i < WINDOWS; i++) {
		windows[i] = span(&m, 1000, false);
		clock[i] = span(&m, 2000, true);
		windows[i].cpu = 0;
		windows[i].waited = clock[i].waited = i % 3 ? 0 : 5e-3;
		windows[i].wall += windows[i].waited;
		clock[i].wall += clock[i].waited;
	}
	windows[7].wall *= 20; /* it waits still: nobody knows how long */
	windows[7].is_whole = clock[9].is_whole = false;
	clock[9].wall *= 20;
	assert_true(progress_tell(&view, &progress));
	for (size_t i = 0; i < WINDOWS; i++) {
		operations += windows[i].records;
		sum += progress.seconds[i];
	}
	assert_true(fabs(operations / sum * 800e-9 / 0.9 - 1) < progress.error);
	view.clocks = nothing;
	assert_false(progress_tell(&view, &progress));
}

static void nothing_is_known_of_nothing(void **state)
{
	struct progress_view view = { 0 };
	struct progress progress;

	assert_false(progress_tell(&view, &progress));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dense_target_needs_a_clock),
		cmocka_unit_test(prices_differ_from_ours),
		cmocka_unit_test(a_rare_site_is_a_good_clock),
		cmocka_unit_test(who_hardly_pays_is_counted_by_the_wall),
		cmocka_unit_test(who_waits_for_a_cpu_is_slowed),
		cmocka_unit_test(who_is_never_idle_needs_no_cpu_clock),
		cmocka_unit_test(nothing_is_known_of_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
