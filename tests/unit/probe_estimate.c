/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/util.h"
#include "probe/estimate.h"

#include <math.h>
#include <stdlib.h>

static double uniform(void)
{
	return (double)rand() / RAND_MAX;
}

static struct estimate_sample sample(double seconds, double count)
{
	return (struct estimate_sample){ .seconds = seconds, .count = count, .gap = 49 * seconds };
}

static bool rate_of(const struct estimate_sample *samples, size_t count, size_t recent, double idle,
		    struct estimate *ret)
{
	const struct estimate_view view = { samples, count, recent, 0, idle };

	return estimate_rate(&view, ret);
}

/* Windows of a target that varies. */
static struct estimate_sample varying(double rate)
{
	double seconds = 0.02 + 0.03 * uniform();

	return sample(seconds, floor(seconds * rate * (0.5 + uniform()) + uniform()));
}

/* The true rate lies in the interval in at least 95 of 100 runs, however few are new. */
static void interval_holds(void **state)
{
	static const size_t recents[] = { 1, 2, 3, 12 };
	size_t runs = 2000;

	srand(1);
	for (size_t k = 0; k < ARRAY_SIZE(recents); k++) {
		size_t inside = 0, given = 0;

		for (size_t run = 0; run < runs; run++) {
			struct estimate_sample samples[12];
			struct estimate found;

			for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
				samples[i] = varying(1e5);
			if (!rate_of(samples, ARRAY_SIZE(samples), recents[k], 0, &found))
				continue;
			given++;
			inside += fabs(found.rate - 1e5) <= found.half;
		}
		assert_true(given >= runs * 9 / 10);
		assert_true(inside >= given * 94 / 100); /* 95 minus the noise of 2000 runs */
	}
}

/* The rate changes: those before do not count, or are allowed for. */
static void interval_holds_behind_a_change(void **state)
{
	static const double factors[] = { 0.1, 0.5, 0.8, 1.2, 2, 10 };
	size_t runs = 500;

	srand(2);
	for (size_t k = 0; k < ARRAY_SIZE(factors); k++) {
		for (size_t recent = 3; recent <= 12; recent += 3) {
			size_t inside = 0;

			for (size_t run = 0; run < runs; run++) {
				struct estimate_sample samples[40];
				struct estimate found;

				for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
					samples[i] = varying(i + recent < ARRAY_SIZE(samples)
								     ? 1e5 * factors[k]
								     : 1e5);
				assert_true(
					rate_of(samples, ARRAY_SIZE(samples), recent, 0, &found));
				inside += fabs(found.rate - 1e5) <= found.half;
			}
			if (inside < runs * 85 / 100)
				fail_msg("%g times, %zu new: %zu of %zu", factors[k], recent,
					 inside, runs);
		}
	}
}

/* How many a target has made until @t. */
typedef double (*pace)(double t);

#define RATE 20000.0

static double even(double t)
{
	return RATE * t;
}

static double halves(double t, double each)
{
	double periods = floor(t / each / 2);

	return 2 * RATE * (periods * each + MIN(t - 2 * each * periods, each));
}

static double halves_of_3ms(double t)
{
	return halves(t, 0.003);
}

static double halves_of_3s(double t)
{
	return halves(t, 3);
}

static double rise(double t)
{
	double minutes = floor(t / 60), rest = t - 60 * minutes;

	return RATE * (30 * minutes + rest * rest / 120);
}

/* A hundredth, then all, for 17 seconds each. */
static double jumps(double t)
{
	double periods = floor(t / 34), rest = t - 34 * periods;

	return RATE * (periods * 17.17 + MIN(rest, 17) / 100 + MAX(rest - 17, 0));
}

struct watched {
	struct estimate_sample samples[ESTIMATE_MOST + 1];
	size_t count, recent;
	double end, begun; /* of the newest window; of the time asked for */
	double before;
};

/* A window begins some time after the one before, and is meant to be the shorter the more there was
 * in that; it is cut short where there is far more in it than foreseen. */
static void next_window(struct watched *w, pace made)
{
	const struct estimate_sample *last = w->count ? &w->samples[w->count - 1] : NULL;
	double rate = last ? last->count / last->seconds : RATE;
	double begin = w->end + 0.2 + 0.4 * uniform(), end = begin;
	double lasts = MIN(200 / MAX(rate, 1.0), 0.5);

	while (end - begin < lasts && made(end) - made(begin) < 800)
		end += MIN(0.001, lasts);
	if (w->count == ESTIMATE_MOST)
		memmove(w->samples, w->samples + 1, --w->count * sizeof(w->samples[0]));
	w->samples[w->count++] = (struct estimate_sample){
		.seconds = end - begin,
		.count = floor(made(end)) - floor(made(begin)),
		.gap = begin - w->end,
	};
	w->recent = MIN(w->recent + 1, w->count);
	w->end = end;
}

/* Pictures of 2 s: how many of 100 intervals held what was made in the time of the picture. */
static double held(pace made, double *ret_half)
{
	struct watched w = { .end = 60 * uniform() };
	size_t inside = 0, given = 0;

	w.begun = w.end;
	*ret_half = 0;
	for (size_t i = 0; i < 4000; i++) {
		double until = w.begun + 2, truth;
		struct estimate_view view = { .samples = w.samples };
		struct estimate found;

		while (w.end < until)
			next_window(&w, made);
		/* Pictures end with a window here, so this one is over with it. */
		until = w.end + 0.3 * uniform();
		truth = (made(until) - made(w.begun)) / (until - w.begun);
		view = (struct estimate_view){ w.samples, w.count, w.recent, w.before,
					       until - w.end };
		if (estimate_rate(&view, &found) && found.rate > 0) {
			given++;
			inside += fabs(found.rate - truth) <= found.half;
			*ret_half += found.half / found.rate;
		}
		w.before = until - w.end;
		w.begun = until;
		w.recent = 0;
	}
	assert_true(given > 3000);
	*ret_half /= (double)given;
	return 100.0 * (double)inside / (double)given;
}

static void interval_holds_whatever_the_pace(void **state)
{
	static const struct {
		pace made;
		double most; /* of the half-widths: how wide they are on the average */
	} paces[] = {
		{ even, 0.1 }, { halves_of_3ms, 0.5 }, { halves_of_3s, 0.8 },
		{ rise, 0.3 }, { jumps, 0.5 },
	};
	double half;

	srand(3);
	for (size_t i = 0; i < ARRAY_SIZE(paces); i++) {
		double of_100 = held(paces[i].made, &half);

		if (of_100 < 95)
			fail_msg("pace %zu: %g of 100, half-width %g", i, of_100, half);
		if (half > paces[i].most)
			fail_msg("pace %zu: half-width %g", i, half);
	}
}

/* Two windows in a loud second, one in two quiet ones: each counts for the time around it. */
static void windows_count_for_the_time_around_them(void **state)
{
	struct estimate_sample samples[12];
	const struct estimate_view view = { samples, ARRAY_SIZE(samples), 4, 0.5, 0 };
	struct estimate found;
	double sum = 0;

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		samples[i] = (struct estimate_sample){ .seconds = 1, .count = 100, .gap = 1 };
	for (size_t i = 10; i < 12; i++)
		samples[i] = (struct estimate_sample){ .seconds = 0.01,
						       .count = 1000 + (double)i,
						       .gap = 0.99 };
	assert_true(estimate_rate(&view, &found));
	/* Seconds: 0.5 + 1 + 1 + 1 + 0.5 at 100, 0.5 + 0.01 + 0.99 + 0.01 at 100,000. */
	assert_float_equal(found.rate, (4 * 100 + 1.51 * 101050) / 5.5, 300);
	/* The half second at either side of the change, and some. */
	assert_true(found.half >= 0.49 * 100000 / 5.5);
	assert_true(found.half < 2 * 0.49 * 100000 / 5.5);
	for (size_t i = found.first; i < ARRAY_SIZE(samples); i++)
		sum += found.weights[i] * samples[i].count;
	assert_float_equal(sum, found.rate, 1e-6);
}

/* One that changed every few seconds lately may have done so since the last window. */
static void who_often_changes_is_doubted(void **state)
{
	struct estimate_sample calm[30], restless[30];
	struct estimate found;
	double half;

	for (size_t i = 0; i < 30; i++) {
		calm[i] = sample(0.01, 100 + (double)(i % 3));
		restless[i] = sample(0.01, (i / 6 % 2 ? 1000 : 100) + (double)(i % 3));
	}
	assert_true(rate_of(calm, 30, 4, 0.5, &found));
	half = found.half;
	assert_true(half < 0.1 * found.rate);
	assert_true(rate_of(restless, 30, 4, 0.5, &found));
	assert_true(found.half > half + 0.1 * 90000);
}

/* Ten quiet windows, of which the last was ended by a burst: nobody knows how long that lasted. */
static void what_comes_behind_a_burst_is_not_known(void **state)
{
	struct estimate_sample samples[10];
	struct estimate quiet, burst;

	for (size_t i = 0; i < 10; i++)
		samples[i] = (struct estimate_sample){ .seconds = 0.5, .count = 50, .gap = 0.5 };
	assert_true(rate_of(samples, 10, 4, 1, &quiet));
	assert_true(quiet.half < 0.3 * quiet.rate);
	samples[9].surge = 100; /* 10,000 a second */
	assert_true(rate_of(samples, 10, 4, 1, &burst));
	/* From none of it to all of it in the last of five seconds. */
	assert_true(burst.rate - burst.half <= 100);
	assert_true(burst.rate + burst.half >= 100 + 9900.0 / 5);
	samples[9].surge = 0;
	samples[8].surge = 100;
	assert_true(rate_of(samples, 10, 4, 0, &burst));
	assert_true(burst.rate - burst.half <= 100);
	assert_true(burst.rate + burst.half >= 100 + 0.5 * 9900 / 4);
}

/* A hundred at once, and a picture that ends in the midst of a window, right behind them. */
static void what_is_cut_off_a_window_is_no_change(void **state)
{
	struct estimate_sample samples[20];
	struct estimate found;

	srand(5);
	for (size_t i = 0; i < 20; i++)
		samples[i] = (struct estimate_sample){ .seconds = 0.4,
						       .count = 100 * floor(8 + 2 * uniform()),
						       .gap = 0.6 };
	samples[16] = (struct estimate_sample){ .seconds = 0.005, .count = 100, .gap = 0.6 };
	samples[17] = (struct estimate_sample){ .seconds = 0.395, .count = 700, .gap = 0 };
	assert_true(rate_of(samples, 20, 4, 0.3, &found));
	assert_float_equal(found.rate, 2100, 300);
	assert_true(found.half < 0.5 * found.rate);
}

/* On and off for shorter than from one window to the next: half of it, give or take a lot. */
static void each_window_is_a_try_where_all_differ(void **state)
{
	size_t inside = 0, runs = 1000;

	srand(4);
	for (size_t run = 0; run < runs; run++) {
		struct estimate_sample samples[40];
		struct estimate found;

		/* Where it is on, windows are short. */
		for (size_t i = 0; i < 40; i++)
			samples[i] = uniform() < 0.5 ? (struct estimate_sample){ 0.01, 100, 0.49 }
						     : (struct estimate_sample){ 0.5, 0, 0.01 };
		assert_true(rate_of(samples, 40, 8, 0, &found));
		inside += fabs(found.rate - 5000) <= found.half;
	}
	assert_true(inside >= runs * 94 / 100);
}

static void estimate_edges(void **state)
{
	struct estimate_sample samples[] = { sample(1, 100), sample(1, 100), sample(1, 100) };
	struct estimate found;

	assert_false(rate_of(samples, 0, 0, 0, &found));
	assert_false(rate_of(samples, 1, 1, 0, &found));
	assert_false(rate_of(samples, 3, 0, 0, &found)); /* who knows what it did since */
	assert_int_equal(found.first, 0);
	assert_float_equal(found.weights[2], 1.0 / 3, 1e-9);
	for (size_t i = 0; i < 3; i++)
		samples[i].gap = 0; /* all was seen */
	assert_true(rate_of(samples, 2, 1, 0, &found));
	assert_true(found.rate == 100 && found.half == 0 && found.first == 1);
	assert_true(rate_of(samples, 3, 2, 1, &found)); /* not the last second */
	assert_float_equal(found.rate, 100, 1e-9);
	assert_true(found.half > 0); /* counting alone is uncertain */
	samples[0] = samples[1] = samples[2] = sample(0.03, 3e6);
	assert_false(rate_of(samples, 1, 1, 0, &found));
	assert_true(rate_of(samples, 2, 2, 0, &found));
	assert_true(rate_of(samples, 3, 2, 0, &found));
	assert_true(found.half < 0.01 * found.rate);
	for (size_t i = 0; i < 3; i++)
		samples[i].missed = 0.003;
	assert_true(rate_of(samples, 3, 2, 0, &found));
	assert_true(found.half > 0.09 * found.rate);
	assert_false(estimate_mean(samples, 1, 0.5, &found));
	assert_true(estimate_mean(samples, 3, 0.5, &found));
	assert_float_equal(found.rate, 1e8, 1);
	assert_true(found.half > 0.09 * found.rate);
	assert_true(estimate_mean(samples, 1, 1, &found) && found.half == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interval_holds),
		cmocka_unit_test(interval_holds_behind_a_change),
		cmocka_unit_test(interval_holds_whatever_the_pace),
		cmocka_unit_test(windows_count_for_the_time_around_them),
		cmocka_unit_test(who_often_changes_is_doubted),
		cmocka_unit_test(what_comes_behind_a_burst_is_not_known),
		cmocka_unit_test(what_is_cut_off_a_window_is_no_change),
		cmocka_unit_test(each_window_is_a_try_where_all_differ),
		cmocka_unit_test(estimate_edges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
