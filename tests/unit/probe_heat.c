/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "probe/heat.h"

#include <math.h>

#define SITES 100
#define SECOND 1000000000ull

static struct events_moment before, after;

static void pass(const double *rates, double seconds)
{
	before = after;
	after.ns += (uint64_t)(seconds * 1e9);
	for (size_t i = 0; i < SITES; i++)
		after.hits[i] += (uint64_t)(rates[i] * seconds);
}

static size_t cold_ones(const struct heat *h)
{
	size_t count = 0;

	for (size_t i = 0; i < h->count; i++)
		count += h->cold[i];
	return count;
}

static void what_was_never_seen_is_hot(void **state)
{
	static struct heat h;
	double rates[SITES] = { 0 };

	heat_init(&h, SITES, 1000);
	pass(rates, 0.01);
	heat_learn(&h, &before, &after, 0, 40);
	assert_true(heat_choose(&h, 1000));
	assert_int_equal(cold_ones(&h), 40);
	assert_true(h.cold[39] && !h.cold[40]);
	assert_false(heat_choose(&h, 1000));
}

/* Those that are hit least, up to what is allowed. */
static void the_hottest_go(void **state)
{
	static struct heat h;
	double rates[SITES];

	for (size_t i = 0; i < SITES; i++)
		rates[i] = i < 90 ? 10 : 10000;
	heat_init(&h, SITES, 1);
	pass(rates, 1);
	heat_learn(&h, &before, &after, 0, SITES);
	assert_true(heat_choose(&h, 901));
	assert_int_equal(cold_ones(&h), 90);
	assert_false(h.cold[90]);
}

/* Long enough for all before to be forgotten. */
static void pass_between_windows(struct heat *h, const double *rates)
{
	for (int i = 0; i < 20; i++) {
		pass(rates, 0.1);
		heat_learn(h, &before, &after, 0, 0);
	}
}

/* Between windows only the cold ones are seen; twice what is allowed is too much. */
static void cold_ones_become_hot(void **state)
{
	static struct heat h;
	double rates[SITES] = { 0 };

	heat_init(&h, SITES, 1);
	pass(rates, 1);
	heat_learn(&h, &before, &after, 0, SITES);
	assert_true(heat_choose(&h, 1000));
	assert_int_equal(cold_ones(&h), SITES);
	rates[7] = 1500;
	pass_between_windows(&h, rates);
	assert_false(heat_choose(&h, 1000));
	rates[7] = 2500;
	pass_between_windows(&h, rates);
	assert_true(heat_choose(&h, 1000));
	assert_int_equal(cold_ones(&h), SITES - 1);
	assert_false(h.cold[7]);
	/* A burst is enough. */
	assert_false(heat_choose(&h, 1000));
	rates[9] = 300;
	pass(rates, 1);
	heat_burn(&h, &before, &after, 300, 3000);
	assert_false(heat_choose(&h, 1000));
	heat_burn(&h, &before, &after, 299, 3000);
	assert_true(heat_choose(&h, 1000));
	assert_int_equal(cold_ones(&h), SITES - 2);
	assert_false(h.cold[9]);
	/* It is seen no more, and what is not seen is not learnt. */
	rates[7] = 0;
	pass(rates, 1);
	heat_learn(&h, &before, &after, 0, 0);
	assert_true(h.rates[7] > 2000);
}

/* One that does little but hit has little time of its own. */
static void hits_slow_the_target(void **state)
{
	static struct heat h;
	double rates[SITES] = { 400000 };

	heat_init(&h, SITES, 2000);
	pass(rates, 1);
	heat_learn(&h, &before, &after, 0, SITES);
	assert_true(fabs(h.rates[0] - 2000000) < 1);
	heat_init(&h, SITES, 3000);
	heat_learn(&h, &before, &after, 0, SITES);
	assert_true(fabs(h.rates[0] - 8000000) < 1);
	/* No time, nothing learnt. */
	heat_learn(&h, &after, &after, 0, SITES);
	heat_learn(&h, &after, &before, 0, SITES);
	assert_true(fabs(h.rates[0] - 8000000) < 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_never_seen_is_hot),
		cmocka_unit_test(the_hottest_go),
		cmocka_unit_test(cold_ones_become_hot),
		cmocka_unit_test(hits_slow_the_target),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
