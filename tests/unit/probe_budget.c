/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "probe/budget.h"

#define MS 1000000ull
#define TURN (15 * MS)
#define TURN_COST 1e6
#define PRICE 650.0

/* A target that hits @rate times a second while a window is open or turning, driven by the
 * scheduler itself. */
struct world {
	struct budget budget;
	uint64_t now, hits;
	double ran, share; /* its CPU time; how much of the time it runs */
	double part;
	double cost_of[20000], earned_of[20000]; /* of each 10 ms */
	bool open;
	uint64_t opened, windows;
};

static void pass(struct world *w, uint64_t ns, double rate, bool traps)
{
	for (uint64_t step; ns; ns -= step) {
		step = MIN(ns, MS - w->now % MS);
		if (traps) {
			double n = rate * (double)step / 1e9 + w->part;

			w->part = n - floor(n);
			w->hits += (uint64_t)n;
			w->cost_of[w->now / (10 * MS)] += floor(n) * PRICE;
		}
		w->ran += w->share * (double)step;
		w->earned_of[w->now / (10 * MS)] +=
			budget_earned((double)step, w->share * (double)step, 1);
		w->opened += w->open ? step : 0;
		w->now += step;
	}
}

static struct budget_reading reading(const struct world *w)
{
	return (struct budget_reading){ w->now, (uint64_t)w->ran, w->hits };
}

static void act(struct world *w, enum budget_action action, double rate)
{
	struct budget_reading at;

	if (action == BUDGET_WAIT)
		return;
	w->open = false;
	pass(w, TURN, rate, true);
	w->open = action == BUDGET_OPEN;
	w->windows += w->open;
	w->cost_of[w->now / (10 * MS)] += TURN_COST * w->share;
	at = reading(w);
	budget_turned(&w->budget, w->open, TURN_COST, &at);
}

static double rate_at(const double *rates, size_t count, uint64_t now)
{
	return rates[MIN((size_t)(now / NSEC_PER_SEC), count - 1)];
}

/* @rates: one a second. Runs as many seconds, for @share of the time. */
static struct world *run_shared(double limit, const double *rates, size_t seconds, double share)
{
	struct world *w = calloc(1, sizeof(*w));
	struct budget_config config = { .limit = limit,
					.price_ns = PRICE,
					.exit_ns = TURN,
					.turn_cost_ns = TURN_COST,
					.ran = share };
	struct budget_reading at = { 0 };

	w->share = share;
	assert_int_equal(budget_init(&w->budget, &config, &at), 0);
	while (w->now < seconds * NSEC_PER_SEC) {
		double rate = rate_at(rates, seconds, w->now);
		enum budget_action action;
		uint64_t next = 0;

		at = reading(w);
		action = budget_step(&w->budget, &at, &next);
		assert_in_range(next, 1, NSEC_PER_SEC);
		act(w, action, rate);
		if (action == BUDGET_WAIT)
			pass(w, next, rate, w->open);
	}
	return w;
}

static struct world *run(double limit, const double *rates, size_t seconds)
{
	return run_shared(limit, rates, seconds, 1);
}

/* The dearest 10 seconds, as a share of what they earned. */
static double worst_share(const struct world *w)
{
	size_t slots = w->now / (10 * MS), span = BUDGET_SPAN_NS / (10 * MS);
	double worst = 0;

	for (size_t start = 0; start + span <= slots || start == 0; start += 10) {
		double sum = 0, earned = 0;

		for (size_t i = start; i < MIN(start + span, slots); i++) {
			sum += w->cost_of[i];
			earned += w->earned_of[i];
		}
		worst = MAX(worst, sum / earned);
	}
	return worst;
}

static void fill(double *rates, size_t count, double rate)
{
	for (size_t i = 0; i < count; i++)
		rates[i] = rate;
}

static void limit_is_kept(void **state)
{
	static const double limits[] = { 0.005, 0.02, 0.10 };
	static const double loads[] = { 1e3, 1e4, 1e5, 1e6, 1.5e6 };
	double rates[60];

	for (size_t l = 0; l < ARRAY_SIZE(limits); l++) {
		for (size_t r = 0; r < ARRAY_SIZE(loads); r++) {
			struct world *w;

			fill(rates, ARRAY_SIZE(rates), loads[r]);
			w = run(limits[l], rates, ARRAY_SIZE(rates));
			if (worst_share(w) > limits[l])
				fail_msg("limit %g, %g hits/s: %g lost", limits[l], loads[r],
					 worst_share(w));
			assert_true(w->windows > 0);
			free(w);
		}
	}
}

/* One that runs for a tenth of the time may lose a third of what one that runs always may. */
static void who_waits_loses_less(void **state)
{
	double rates[60];
	struct world *w;

	fill(rates, ARRAY_SIZE(rates), 1e5);
	w = run_shared(0.02, rates, ARRAY_SIZE(rates), 0.1);
	assert_true(worst_share(w) <= 0.02);
	assert_true(w->budget.spent_ns < 0.02 * 0.33 * (double)w->now);
	assert_true(w->windows > 1);
	free(w);
}

/* A turn costs the target something even where it allocates nothing. */
static void turns_are_paid_for(void **state)
{
	double rates[60];
	struct world *w;

	fill(rates, ARRAY_SIZE(rates), 0);
	w = run(0.02, rates, ARRAY_SIZE(rates));
	assert_int_equal(w->windows, 1);
	assert_true(w->budget.spent_ns == TURN_COST);
	free(w);
}

/* Two hundred links of a tenth of a second each: where the target is busy, none is opened. */
static void a_window_that_ends_too_slowly_never_begins(void **state)
{
	struct budget_config config = {
		.limit = 0.02, .price_ns = PRICE, .exit_ns = 10000000000, .ran = 1
	};
	struct budget_reading at = { 0 };
	struct budget budget;
	uint64_t next = 0;

	assert_int_equal(budget_init(&budget, &config, &at), 0);
	for (; at.now_ns < 60 * NSEC_PER_SEC; at.now_ns += next, at.ran_ns += next)
		assert_int_equal(budget_step(&budget, &at, &next), BUDGET_WAIT);
	/* It was once: what is not known any more is tried again some day. */
	at.now_ns = at.ran_ns = 6000 * NSEC_PER_SEC;
	assert_int_equal(budget_step(&budget, &at, &next), BUDGET_OPEN);
}

/* Is there a first window of a busy target, within a minute, where a turn costs so much? */
static bool opens(double turn_cost_ns, struct budget *budget, struct budget_reading *at)
{
	struct budget_config config = {
		.limit = 0.05, .price_ns = PRICE, .ran = 1, .turn_cost_ns = turn_cost_ns
	};
	uint64_t next = 0;

	*at = (struct budget_reading){ 0 };
	assert_int_equal(budget_init(budget, &config, at), 0);
	for (; at->now_ns < 60 * NSEC_PER_SEC; at->now_ns += next, at->ran_ns += next)
		if (budget_step(budget, at, &next) == BUDGET_OPEN)
			return true;
	return false;
}

/* Half a second in ten may be spent: that is no two turns of 0.3 s, and does for two of 0.15. */
static void what_pays_for_turns_only_opens_nothing(void **state)
{
	struct budget budget;
	struct budget_reading at;
	uint64_t next = 0;

	assert_false(opens(0.3e9, &budget, &at));
	assert_true(budget.spent_ns == 0);
	assert_true(opens(0.15e9, &budget, &at));
	budget_turned(&budget, true, 0.15e9, &at);
	at.now_ns += 1000000;
	at.ran_ns += 1000000;
	assert_int_equal(budget_step(&budget, &at, &next), BUDGET_WAIT);
}

static void quiet_target_is_traced_without_gaps(void **state)
{
	double rates[60];
	struct world *w;

	fill(rates, ARRAY_SIZE(rates), 5000); /* 0.3% of the time */
	w = run(0.02, rates, ARRAY_SIZE(rates));
	assert_int_equal(w->windows, 1);
	assert_true((double)w->opened / (double)w->now > 0.99);
	assert_true(budget_coverage(&w->budget, w->now) > 0.99);
	assert_true(budget_overhead(&w->budget) < 0.004);
	free(w);
}

static void burst_closes_the_window(void **state)
{
	double rates[60];
	struct world *w;

	fill(rates, ARRAY_SIZE(rates), 5000);
	fill(rates + 20, 10, 1.5e6);
	w = run(0.02, rates, ARRAY_SIZE(rates));
	assert_true(worst_share(w) <= 0.02);
	assert_true(w->windows > 1);
	assert_true(w->opened > 45 * NSEC_PER_SEC); /* and the quiet rest is traced again */
	free(w);
}

static void most_of_a_limit_is_used(void **state)
{
	double rates[60];
	struct world *w;

	fill(rates, ARRAY_SIZE(rates), 1e6);
	w = run(0.02, rates, ARRAY_SIZE(rates));
	assert_true(budget_overhead(&w->budget) > 0.01);
	assert_true(budget_coverage(&w->budget, w->now) > 0);
	free(w);
}

static void senseless_configurations(void **state)
{
	static const struct budget_config senseless[] = {
		{ .limit = 0, .price_ns = 1 },
		{ .limit = 2, .price_ns = 1 },
		{ .limit = 0.1, .price_ns = 0 },
		{ .limit = 0.1, .price_ns = 1, .ran = 2 },
		{ .limit = 0.1, .price_ns = 1, .turn_cost_ns = -1 },
	};
	struct budget budget;

	for (size_t i = 0; i < ARRAY_SIZE(senseless); i++)
		assert_int_equal(budget_init(&budget, &senseless[i], &(struct budget_reading){ 0 }),
				 -EINVAL);
}

static const struct budget_config usual = {
	.limit = 0.02, .price_ns = 1000, .exit_ns = 5000000, .turn_cost_ns = 1000000, .ran = 1
};

static void open_first(struct budget *budget, const struct budget_reading *at, double turn_ns)
{
	uint64_t next;

	assert_int_equal(budget_init(budget, &usual, at), 0);
	assert_int_equal(budget_step(budget, at, &next), BUDGET_OPEN);
	budget_turned(budget, true, turn_ns, at);
}

/* Who closes at what was allowed needs nobody to ask in between; what it cost is known later. */
static void an_allowance_is_what_the_budget_has(void **state)
{
	struct budget_reading at = { 1000000000, 1000000000, 500 };
	struct budget budget;
	uint64_t allowed, spent;

	open_first(&budget, &at, 1e6);
	allowed = budget_allowed(&budget);
	assert_true(allowed > at.hits && allowed < at.hits + 40000);
	at = (struct budget_reading){ at.now_ns + 30000000, at.ran_ns + 30000000, allowed + 1000 };
	budget_ended(&budget, &at);
	assert_int_equal(budget.open_ns, 30000000);
	spent = (uint64_t)budget.spent_ns;
	at.hits += 2000;
	budget_turned(&budget, false, 1e6, &at);
	assert_int_equal((uint64_t)budget.spent_ns, spent + 2000 * 1000 + 1000000);
	assert_true(budget_allowed(&budget) >= at.hits);
}

/* Looks before the first window are paid for, and end when there is nothing left. */
static void looks_are_paid_for(void **state)
{
	struct budget_reading at = { 1000000000, 1000000000, 0 };
	struct budget budget;
	int looks = 0;

	assert_int_equal(budget_init(&budget, &usual, &at), 0);
	for (; budget_may_look(&budget, 0.1) && looks < 1000; looks++) {
		at.hits += 1000;
		budget_looked(&budget, 0.1, &at);
	}
	assert_in_range(looks, 5, 20);
	assert_true(budget.spent_ns <= 0.02 * 3e9);
	budget.open = true;
	assert_false(budget_may_look(&budget, 0));
}

/* Windows of a target that makes 800 hits at once every 50 ms: how many it is seen to make. */
static double seen_of_batches(uint64_t every, double hits, uint64_t seconds)
{
	struct budget_config config = { .limit = 0.02,
					.price_ns = PRICE,
					.exit_ns = MS,
					.turn_cost_ns = MS / 10.0,
					.ran = 0.1 };
	uint64_t next = 0, opened = 0, seen = 0;
	struct budget_reading at = { 0 };
	struct budget budget;
	bool open = false;

	assert_int_equal(budget_init(&budget, &config, &at), 0);
	while (at.now_ns < seconds * NSEC_PER_SEC) {
		enum budget_action action = budget_step(&budget, &at, &next);
		uint64_t batches;

		if (action != BUDGET_WAIT) {
			open = action == BUDGET_OPEN;
			budget_turned(&budget, open, MS / 10.0, &at);
			continue;
		}
		next = MIN(next, MS);
		batches = (at.now_ns + next) / every - at.now_ns / every;
		at.now_ns += next;
		at.ran_ns += (uint64_t)((double)batches * hits * 500);
		if (!open)
			continue;
		at.hits += (uint64_t)((double)batches * hits);
		seen += (uint64_t)((double)batches * hits);
		opened += next;
	}
	assert_true(opened > 0);
	return (double)seen / (double)opened * (double)every / hits;
}

/* A window that ends when the bucket is empty ends behind a batch, and holds half a batch too much.
 */
static void windows_do_not_end_for_what_is_in_them(void **state)
{
	assert_float_equal(seen_of_batches(50 * MS, 804, 2000), 1, 0.03);
	assert_float_equal(seen_of_batches(5 * MS, 804, 2000), 1, 0.03);
	assert_float_equal(seen_of_batches(101 * MS, 3000, 2000), 1, 0.05);
}

/* A batch that falls into a closing is dear, but does not make it last longer than it did. */
static void a_batch_in_a_closing_does_not_lengthen_it(void **state)
{
	struct budget_reading at = { 1000000000, 1000000000, 0 };
	struct budget budget;
	uint64_t next;

	open_first(&budget, &at, 1e6);
	for (int i = 0; i < 50; i++) { /* next to nothing is hit */
		at.now_ns += 10 * MS;
		at.ran_ns += 10 * MS;
		budget_step(&budget, &at, &next);
	}
	budget_ended(&budget, &at);
	at.now_ns += 3 * MS;
	at.ran_ns += 3 * MS;
	at.hits += 2000; /* 2 ms of the target */
	budget_turned(&budget, false, 1e6, &at);
	assert_in_range(budget.config.exit_ns, 1, 5 * MS);
}

/* Once, a closing took the target 100 ms; what it does since is nothing. */
static void one_slow_closing_is_forgotten(void **state)
{
	struct budget_reading at = { 1000000000, 1000000000, 0 };
	enum budget_action action = BUDGET_WAIT;
	struct budget budget;
	uint64_t next, closed;

	open_first(&budget, &at, 1e5);
	for (int i = 0; i < 3; i++) {
		at.now_ns += 10 * MS;
		at.hits += 10000; /* all of the time */
		budget_step(&budget, &at, &next);
	}
	budget_ended(&budget, &at);
	at.now_ns += 100 * MS;
	at.hits += 100000;
	budget_turned(&budget, false, 1e5, &at);
	assert_in_range(budget.config.exit_ns, 90 * MS, 200 * MS);
	closed = at.now_ns;
	while (action == BUDGET_WAIT && at.now_ns < closed + 100 * NSEC_PER_SEC) {
		at.now_ns += 50 * MS;
		at.ran_ns += 5 * MS;
		action = budget_step(&budget, &at, &next);
	}
	assert_int_equal(action, BUDGET_OPEN);
	assert_in_range(at.now_ns - closed, NSEC_PER_SEC, 40 * NSEC_PER_SEC);
}

/* A window that would have stayed, until a burst came: how much that was, against what was before.
 */
static void a_burst_that_ends_a_window_is_told(void **state)
{
	struct budget_reading at = { 1000000000, 1000000000, 0 };
	struct budget budget;
	uint64_t next;

	open_first(&budget, &at, 1e6);
	for (int i = 0; i < 100; i++) { /* 0.1% of the time */
		at.now_ns += 10 * MS;
		at.ran_ns += 10 * MS;
		at.hits += 10;
		budget_step(&budget, &at, &next);
	}
	assert_true(budget.until_ns == UINT64_MAX);
	budget_ended(&budget, &at);
	budget.cut = false; /* somebody else ended it */
	assert_true(budget_surge(&budget, 0.001) == 0);
	for (int i = 0; i < 2; i++) { /* half of it */
		at.now_ns += 10 * MS;
		at.ran_ns += 10 * MS;
		at.hits += 5000;
		budget_ended(&budget, &at);
	}
	assert_float_equal(budget_surge(&budget, 0.005), 100, 1);
	assert_true(budget_surge(&budget, 0.6) == 0); /* no more than what was before */
}

/* What comes in lumps wants a full bucket, but is looked at every few seconds all the same. */
static void pauses_are_bounded(void **state)
{
	struct budget_reading at = { 1000000000, 1000000000, 0 };
	uint64_t next, closed = 0, longest = 0;
	struct budget budget;

	assert_int_equal(budget_init(&budget, &usual, &at), 0);
	while (at.now_ns < 300 * NSEC_PER_SEC) {
		enum budget_action action = budget_step(&budget, &at, &next);

		if (action == BUDGET_OPEN && closed)
			longest = MAX(longest, at.now_ns - closed);
		if (action == BUDGET_CLOSE)
			closed = at.now_ns;
		if (action != BUDGET_WAIT) {
			budget_turned(&budget, action == BUDGET_OPEN, 1e5, &at);
			continue;
		}
		next = MIN(next, MS);
		at.now_ns += next;
		at.ran_ns += next / 10;
		at.hits += budget.open && at.now_ns / MS % 100 == 0 ? 5000 : 0;
	}
	assert_true(closed > 0);
	assert_in_range(longest, 1, 6 * NSEC_PER_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limit_is_kept),
		cmocka_unit_test(who_waits_loses_less),
		cmocka_unit_test(turns_are_paid_for),
		cmocka_unit_test(a_window_that_ends_too_slowly_never_begins),
		cmocka_unit_test(what_pays_for_turns_only_opens_nothing),
		cmocka_unit_test(quiet_target_is_traced_without_gaps),
		cmocka_unit_test(burst_closes_the_window),
		cmocka_unit_test(most_of_a_limit_is_used),
		cmocka_unit_test(senseless_configurations),
		cmocka_unit_test(an_allowance_is_what_the_budget_has),
		cmocka_unit_test(looks_are_paid_for),
		cmocka_unit_test(windows_do_not_end_for_what_is_in_them),
		cmocka_unit_test(a_batch_in_a_closing_does_not_lengthen_it),
		cmocka_unit_test(one_slow_closing_is_forgotten),
		cmocka_unit_test(a_burst_that_ends_a_window_is_told),
		cmocka_unit_test(pauses_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
