/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Test tool, not installed: how often the interval of budget mode holds the true rate, on simulated
 * targets: no probe, and an hour of each in a second. tests/bench/interval.py has live ones.
 *
 *   interval_sim [PACE [RATE [LIMIT [INTERVAL [RUNS]]]]]
 *
 * Budget and estimate are those of pymemtop; the target keeps its pace, and each object costs it
 * some hits in a window. Every run begins at another moment, and has 100 pictures.
 */
#include "base/util.h"
#include "model/flows.h"
#include "probe/budget.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEP_NS 200000ull
#define TYPE 0x5000
#define HITS 6.2	/* an object: as those of tests/bench/paces.py */
#define OWN_NS 700.0	/* of a hit, in our own loop */
#define REAL 1.2	/* times that in this target */
#define PRICE_NS 1050.0 /* what is counted */
#define WORK_NS 8000.0	/* an object, unwatched */
#define IDLE_RUNS 0.02	/* of the time, it runs for other things */
#define TURN_NS 250000.0
#define PICTURES 100
#define SAMPLE_NS 500000000ull
#define LATE_NS 3000000ull

struct world {
	const struct pace *pace;
	double rate, phase;
	struct budget budget;
	struct flows *flows;
	struct progress_span begin; /* of the sample */
	double records, spent;	    /* in it; when it began */
	uint64_t sample_ns, spent_ns;
	uint64_t now, next, allowed, until;
	double hits, ran, cost, made;
	bool open;
	uint64_t windows;
};

static double uniform(void)
{
	return (double)rand() / RAND_MAX;
}

/* How many were made in the first @t seconds, as a multiple of the rate. */
struct pace {
	const char *name;
	double (*made)(double t, double rate, double period);
	double period;
};

static double even(double t, double rate, double period)
{
	return t;
}

static double lumps(double t, double rate, double period)
{
	return floor(t * rate / period) * period / rate;
}

static double bursts(double t, double rate, double period)
{
	double n = floor(t / period);

	return n * period + MIN(period, (t - n * period) * 60000 / rate);
}

static double halves(double t, double rate, double period)
{
	double n = floor(t / period / 2);

	return 2 * (n * period + MIN(t - 2 * period * n, period));
}

static double rises(double t, double rate, double period)
{
	double n = floor(t / period), rest = t - n * period;

	return n * period / 2 + rest * rest / period / 2;
}

/* The rate, then a hundredth of it. */
static double jumps(double t, double rate, double period)
{
	double n = floor(t / period / 2), rest = t - 2 * period * n;

	return n * period * 1.01 + MIN(rest, period) + MAX(rest - period, 0) / 100;
}

static const struct pace paces[] = {
	{ "even", even, 0 },	   { "steady", lumps, 100 },	   { "bursts100ms", bursts, 0.1 },
	{ "bursts3s", bursts, 3 }, { "halves3ms", halves, 0.003 }, { "halves300ms", halves, 0.3 },
	{ "halves1s", halves, 1 }, { "halves3s", halves, 3 },	   { "halves10s", halves, 10 },
	{ "rise", rises, 60 },	   { "jumps", jumps, 17 },
};

static double made_at(const struct world *w, uint64_t now)
{
	double t = (double)now / 1e9 + w->phase;

	return floor(w->rate * w->pace->made(t, w->rate, w->pace->period));
}

/* One step; what it makes is recorded if the sample counts. */
static void pass(struct world *w, bool hits, bool counts)
{
	double made, n;

	w->now += STEP_NS;
	made = made_at(w, w->now);
	n = made - w->made;
	w->made = made;
	w->ran += n * WORK_NS + (double)STEP_NS * IDLE_RUNS;
	if (!hits)
		return;
	w->hits += n * HITS;
	w->cost += n * HITS * OWN_NS / 1e9;
	w->ran += n * HITS * OWN_NS * REAL;
	for (int i = 0; counts && i < (int)n; i++)
		if (flows_add(w->flows, TYPE, FLOWS_ALLOC_OBJECTS, 48))
			abort();
	w->records += counts ? n : 0;
}

static struct budget_reading reading(const struct world *w)
{
	return (struct budget_reading){ w->now, (uint64_t)w->ran, (uint64_t)w->hits };
}

static struct progress_span span(const struct world *w)
{
	return (struct progress_span){ .wall = (double)w->now / 1e9,
				       .cpu = w->ran / 1e9,
				       .waited = (double)w->now / 50e9,
				       .cost = w->cost };
}

static void begin_sample(struct world *w)
{
	w->begin = span(w);
	w->records = 0;
	w->sample_ns = w->now;
	w->spent = w->budget.spent_ns;
	w->spent_ns = w->budget.last.now_ns;
}

static void cut(struct world *w)
{
	struct progress_span all = span(w), sample = progress_minus(&all, &w->begin);

	sample.records = w->records;
	flows_cut(w->flows, &sample, &all, false);
	begin_sample(w);
}

static void allow(struct world *w)
{
	w->allowed = budget_allowed(&w->budget);
	w->until = w->budget.until_ns < UINT64_MAX - LATE_NS ? w->budget.until_ns + LATE_NS
							     : UINT64_MAX;
}

static void turned(struct world *w, bool is_open)
{
	struct budget_reading at = reading(w);

	budget_turned(&w->budget, is_open, TURN_NS, &at);
	w->ran += TURN_NS * w->budget.config.ran;
	w->open = is_open;
	w->next = w->now;
	allow(w);
}

static void open_window(struct world *w)
{
	for (int i = 0; i < 5; i++)
		pass(w, false, false);
	turned(w, true);
	w->windows++;
	if (w->budget.until_ns >= w->budget.last.now_ns + 8000000) {
		for (int i = 0; i < 10; i++)
			pass(w, true, false);
		flows_settled(w->flows);
	}
	begin_sample(w);
}

static void close_window(struct world *w)
{
	struct budget_reading at = reading(w);
	uint64_t until;

	budget_ended(&w->budget, &at);
	until = MIN(w->budget.until_ns, w->sample_ns + SAMPLE_NS);
	flows_missed(w->flows,
		     w->budget.cut && until > w->now ? (double)(until - w->now) / 1e9 : 0);
	flows_surge(w->flows,
		    budget_surge(&w->budget, (w->budget.spent_ns - w->spent) /
						     MAX((double)(w->now - w->spent_ns), 1.0)));
	cut(w);
	pass(w, true, false);
	pass(w, true, false);
	turned(w, false);
}

/* As the tracer, and pymemtop-links, which ends windows by itself. */
static void turn(struct world *w)
{
	struct budget_reading at = reading(w);
	enum budget_action what = BUDGET_CLOSE;
	uint64_t next = 0;

	if (!w->open || ((uint64_t)w->hits < w->allowed && w->now < w->until)) {
		what = budget_step(&w->budget, &at, &next);
		w->next = w->now + next;
		allow(w);
	}
	if (what == BUDGET_OPEN)
		open_window(w);
	if (what == BUDGET_CLOSE)
		close_window(w);
}

static void pass_until(struct world *w, uint64_t until)
{
	while (w->now < until) {
		if (w->now >= w->next ||
		    (w->open && ((uint64_t)w->hits >= w->allowed || w->now >= w->until)))
			turn(w);
		if (w->open && w->now - w->sample_ns > SAMPLE_NS) {
			cut(w);
			flows_settled(w->flows);
		}
		pass(w, w->open, w->open);
	}
}

struct result {
	size_t pictures, given, held, worst;
	double halves[PICTURES * 1000], coverage;
	uint64_t windows;
};

static void picture(struct world *w, double truth, struct result *ret)
{
	struct flows_rates rates;

	if (w->open) {
		cut(w);
		flows_settled(w->flows);
	}
	flows_now(w->flows, span(w));
	ret->pictures++;
	if (flows_rates(w->flows, TYPE, 0.1, &rates) && !isnan(rates.error)) {
		double rate = rates.per_second[FLOWS_ALLOC_OBJECTS];

		ret->halves[ret->given++] = rates.error;
		ret->held += fabs(rate - truth) <= rates.error * rate;
	}
	flows_mark(w->flows);
}

static void run(struct world *w, double limit, double interval, struct result *ret)
{
	struct budget_config config = { .limit = limit,
					.price_ns = PRICE_NS,
					.exit_ns = 1000000,
					.turn_cost_ns = TURN_NS,
					.ran = 0.1 };
	struct budget_reading at;
	size_t given = ret->given, held = ret->held;

	w->now = w->next = 1000000000;
	w->phase = 60 * uniform();
	w->made = made_at(w, w->now);
	at = reading(w);
	if (budget_init(&w->budget, &config, &at) || flows_new(&w->flows))
		abort();
	w->budget.random = (uint64_t)rand() | 1;
	flows_begin(w->flows, span(w));
	for (int i = 0; i < PICTURES; i++) {
		double made = w->made;
		uint64_t begun = w->now;

		pass_until(w, w->now + (uint64_t)(1e9 * (interval + 0.02 * (uniform() - 0.5))));
		picture(w, (w->made - made) * 1e9 / (double)(w->now - begun), ret);
	}
	ret->coverage += budget_coverage(&w->budget, w->now);
	ret->windows += w->windows;
	if (ret->given > given)
		ret->worst = MIN(ret->worst, 100 * (ret->held - held) / (ret->given - given));
	flows_free(w->flows);
}

static int by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void tell(const struct pace *pace, double rate, double limit, double interval, int runs)
{
	static struct result r;

	r = (struct result){ .worst = 100 };
	for (int i = 0; i < runs; i++) {
		struct world w = { .pace = pace, .rate = rate };

		srand((unsigned)i + 1);
		run(&w, limit, interval, &r);
	}
	qsort(r.halves, r.given, sizeof(r.halves[0]), by_size);
	printf("%-11s %6.0f/s, limit %g%%, each %g s: held in %.1f of 100 (worst run %zu), %.1f "
	       "without, "
	       "half-width %.2f, of nine in ten at most %.2f, coverage %.3f, %.2f windows/s\n",
	       pace->name, rate, 100 * limit, interval,
	       100.0 * (double)r.held / MAX((double)r.given, 1.0), r.worst,
	       100.0 * (double)(r.pictures - r.given) / (double)r.pictures,
	       r.given ? r.halves[r.given / 2] : NAN, r.given ? r.halves[r.given * 9 / 10] : NAN,
	       r.coverage / runs, (double)r.windows / ((double)r.pictures * interval));
}

int main(int argc, char **argv)
{
	double rate = argc > 2 ? atof(argv[2]) : 20000, limit = argc > 3 ? atof(argv[3]) : 0.02;
	double interval = argc > 4 ? atof(argv[4]) : 2;
	int runs = argc > 5 ? atoi(argv[5]) : 10, found = 0;

	if (!(rate > 0) || !(limit > 0) || !(interval > 0) || runs < 1 || runs > 1000)
		return 2;
	for (size_t i = 0; i < ARRAY_SIZE(paces); i++) {
		if (argc > 1 && strcmp(argv[1], "all") && strcmp(argv[1], paces[i].name))
			continue;
		found++;
		tell(&paces[i], rate, limit, interval, runs);
	}
	return found ? 0 : 2;
}
