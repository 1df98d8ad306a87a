/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/progress.h"

#include "base/util.h"
#include "probe/estimate.h"

#include <math.h>

/* What a hit costs real programs, as a multiple of what it costs our own loop: 1.02 to 1.46 over 16
 * workloads (docs/overhead.md). */
#define PRICE_LEAST 1.0
#define PRICE_MOST 1.5
#define PRICE ((PRICE_LEAST + PRICE_MOST) / 2)
#define PRICE_ERROR ((PRICE_MOST - PRICE_LEAST) / 2)
/* Of a hit's price, the clock's hits cost from none to twice so much beyond what further hits do: a
 * program is slower for a while after it was in the kernel, and the more often it is there the less
 * that comes to. Loops of 0.15 us an iteration: 0.1 to 0.2; of 0.6 us: 0.37. */
#define FIRST 0.2
#define CLOCK_PRICE (PRICE * (1 + FIRST))
#define CLOCK_PRICE_ERROR (PRICE_MOST * (1 + 2 * FIRST) - CLOCK_PRICE)
/* A window's opening holds the target up by so much, which one that keeps a pace catches up inside.
 */
#define TURN_DELAY_SECONDS 0.003
#define ALL 0.9
#define TICK 0.01      /* seconds, at most: CONFIG_HZ is 100 or more */
#define IDLE_MOST 0.04 /* of the time: taken for none */
#define PAIRS_LEAST 4
#define TICKS_LEAST 30
#define LEVER 1.5 /* a window has to cost so many times as much a tick as the clock alone */

struct progress_span progress_minus(const struct progress_span *end,
				    const struct progress_span *begin)
{
	return (struct progress_span){ .wall = MAX(end->wall - begin->wall, 0.0),
				       .cpu = MAX(end->cpu - begin->cpu, 0.0),
				       .waited = MAX(end->waited - begin->waited, 0.0),
				       .cost = MAX(end->cost - begin->cost, 0.0),
				       .ticks = MAX(end->ticks - begin->ticks, 0.0),
				       .records = MAX(end->records - begin->records, 0.0),
				       .is_whole = end->is_whole && begin->is_whole };
}

struct sums {
	double wall, cpu, waited, cost, ticks;
};

static struct sums add(const struct progress_span *spans, size_t count)
{
	struct sums s = { 0 };

	for (size_t i = 0; i < count; i++) {
		s.wall += spans[i].wall;
		s.cpu += spans[i].cpu;
		s.waited += spans[i].waited;
		s.cost += spans[i].cost;
		s.ticks += spans[i].ticks;
	}
	return s;
}

/* A way to tell: seconds of a window are sum of factor * its count. */
struct way {
	double per_wall, per_cpu, per_cost, per_tick, error, delay;
	size_t first; /* of the windows of which it tells */
};

/* Who waits for a CPU has no time to spare. */
static double paid_share(const struct sums *w)
{
	return MIN(PRICE_MOST * w->cost / MAX(w->wall - w->waited, w->cpu), 0.99);
}

/* @lately: a target that was quiet most of the time pays more in a window by now. */
static struct way by_wall(const struct sums *w, const struct sums *lately)
{
	double share = lately->wall > 0 ? MAX(paid_share(w), paid_share(lately)) : paid_share(w);
	double delay = share / (1 - share);

	/* A target that keeps a pace is at the one end, and shall not be on the edge. */
	return (struct way){ .per_wall = 1 / (1 + delay / 2),
			     .error = delay / 2,
			     .delay = TURN_DELAY_SECONDS };
}

/* CPU seconds of its own that a second has, and how far that may be off, as a ratio. */
struct own {
	double rate, error;
};

/* @booked_late: seconds by which its CPU time may be off. */
static struct way by_price(const struct sums *w, double booked_late, struct own own)
{
	double left = w->cpu - PRICE * w->cost, error = PRICE_ERROR * w->cost + booked_late;

	return (struct way){ .per_cpu = 1 / own.rate,
			     .per_cost = -PRICE / own.rate,
			     .error = left > 0 ? error / left + own.error : INFINITY };
}

/* Windows with the clocks that belong to them. */
struct pairs {
	struct progress_span windows[PROGRESS_WINDOWS], clocks[PROGRESS_WINDOWS];
	size_t count;
	struct sums w, c;
};

/* CPU seconds a tick: @of_clocks times that of the clocks less @of_windows times that of the
 * windows. */
static double pairs_mean(const struct pairs *p, double of_clocks, double of_windows)
{
	return of_clocks * p->c.cpu / p->c.ticks - of_windows * p->w.cpu / p->w.ticks;
}

/* The half-width of its 95% interval, by what they differ by from pair to pair. */
static double pairs_error(const struct pairs *p, double of_clocks, double of_windows)
{
	double squares = 0, n = (double)p->count;

	for (size_t i = 0; i < p->count; i++) {
		const struct progress_span *w = &p->windows[i], *c = &p->clocks[i];
		double off = of_clocks * (c->cpu / p->c.ticks -
					  p->c.cpu * c->ticks / p->c.ticks / p->c.ticks) -
			     of_windows * (w->cpu / p->w.ticks -
					   p->w.cpu * w->ticks / p->w.ticks / p->w.ticks);

		squares += off * off;
	}
	return estimate_student(p->count - 1) * sqrt(squares * n / (n - 1));
}

static struct way by_clock(const struct pairs *p, struct own own_time)
{
	double window = p->w.cost / p->w.ticks, clock = p->c.cost / p->c.ticks;
	double lever = window - clock;
	double own = pairs_mean(p, 1, 0) - CLOCK_PRICE * clock;
	double error = pairs_error(p, 1, 0) + CLOCK_PRICE_ERROR * clock;

	if (window > LEVER * clock) {
		double of_clocks = window / lever, of_windows = clock / lever;
		double price = pairs_mean(p, -1, -1) / lever;
		double first = FIRST * price * clock;
		double solved = pairs_error(p, of_clocks, of_windows) + first;

		if (price > PRICE_LEAST / 2 && price < PRICE_MOST * 2 && solved < error) {
			own = pairs_mean(p, of_clocks, of_windows) - first;
			error = solved;
		}
	}
	return (struct way){ .per_tick = own / own_time.rate,
			     .error = own > 0 ? error / own + own_time.error : INFINITY };
}

static double way_seconds(const struct way *way, const struct progress_span *s)
{
	return way->per_wall * s->wall + way->per_cpu * s->cpu + way->per_cost * s->cost +
	       way->per_tick * s->ticks;
}

/* How far records a second may be off that way, with what they differ by from window to window. */
static double way_total_error(const struct way *way, const struct progress_view *view,
			      double coverage)
{
	struct estimate_sample samples[PROGRESS_WINDOWS];
	struct estimate mean;
	size_t count = 0;

	for (size_t i = way->first; i < view->count; i++)
		samples[count++] = (struct estimate_sample){
			.seconds = way_seconds(way, &view->windows[i]),
			.count = view->windows[i].records,
			.missed = way->delay,
		};
	if (!estimate_mean(samples, count, coverage, &mean) || !(mean.rate > 0))
		return way->error;
	return mean.half / mean.rate + way->error;
}

/*
 * The kernel books the time of a thread that runs when a tick comes, which is too seldom for a
 * window (kernel/sched/cputime.c, thread_group_cputime()). But who is never idle runs all the time
 * but for what it waits for a CPU, which is booked when it gets one.
 */
static bool always_wants(const struct progress_span *all)
{
	return fabs((all->cpu + all->waited) / all->wall - 1) < IDLE_MOST;
}

/* CPU time, or what it waited, as always_wants() knows it. */
static void refine(const struct progress_span *spans, size_t count, struct progress_span *ret)
{
	for (size_t i = 0; i < count; i++) {
		ret[i] = spans[i];
		if (ret[i].is_whole)
			ret[i].cpu = MAX(spans[i].wall - spans[i].waited, 0.0);
		else
			ret[i].waited = MAX(spans[i].wall - spans[i].cpu, 0.0);
	}
}

/* @wants: their CPU time is wall time but for what they waited, as far as that is known. Else that
 * of windows is booked late, but right in the end, and that of a clock known if it never left its
 * CPU: who gets one anew has waited. */
static void find_pairs(const struct progress_view *view, bool wants, struct pairs *ret)
{
	*ret = (struct pairs){ 0 };
	for (size_t i = 0; i < view->count; i++) {
		const struct progress_span *w = &view->windows[i], *c = &view->clocks[i];

		if (!(w->ticks > 0) || !(c->ticks > 0) || !c->is_whole)
			continue;
		if (wants ? !w->is_whole : c->waited > 0)
			continue;
		ret->windows[ret->count] = *w;
		ret->clocks[ret->count++] = *c;
	}
	ret->w = add(ret->windows, ret->count);
	ret->c = add(ret->clocks, ret->count);
}

/* The first of the windows in which the clock's hits were counted. */
static size_t clock_first(const struct progress_view *view)
{
	size_t i = view->count;

	while (i && view->windows[i - 1].ticks >= 0)
		i--;
	return i;
}

static bool tell(const struct progress_view *view, bool wants, struct progress *ret)
{
	struct sums w = add(view->windows, view->count);
	const struct progress_span *asked = view->asked.wall > 0 ? &view->asked : &view->all;
	struct own own = { .rate = (asked->cpu - PRICE * asked->cost) / asked->wall,
			   .error = wants ? 0 : TICK / asked->wall };
	size_t lately = MIN(view->asked_count, view->count);
	struct sums w_lately = add(view->windows + view->count - lately, lately);
	double coverage = MIN(w.wall / view->all.wall, 1.0), least = INFINITY;
	double booked_late = 0;
	struct way ways[3] = { 0 };
	struct pairs pairs;
	size_t best = 0, count = 0;

	if (!(w.wall > 0))
		return false;
	/* One look at a part of the time says nothing of the rest. */
	if (view->count < 2 && coverage < ALL)
		return false;
	for (size_t i = 0; i < view->count; i++)
		booked_late += wants && view->windows[i].is_whole ? 0 : TICK * TICK;
	find_pairs(view, wants, &pairs);
	ways[count++] = by_wall(&w, &w_lately);
	if (own.rate > 0)
		ways[count++] = by_price(&w, sqrt(booked_late), own);
	if (own.rate > 0 && pairs.count >= PAIRS_LEAST && pairs.w.ticks >= TICKS_LEAST &&
	    pairs.c.ticks >= TICKS_LEAST) {
		ways[count] = by_clock(&pairs, own);
		ways[count++].first = clock_first(view);
	}
	for (size_t i = 0; i < count; i++) {
		double error = ways[i].error <= PROGRESS_MOST
				       ? way_total_error(&ways[i], view, coverage)
				       : INFINITY;

		if (error < least) {
			least = error;
			best = i;
		}
	}
	ret->first = ways[best].first;
	for (size_t i = ret->first; i < view->count; i++)
		ret->seconds[i] = way_seconds(&ways[best], &view->windows[i]);
	ret->error = ways[best].error;
	ret->delay = ways[best].delay;
	ret->per_wall = best ? 0 : 1;
	ret->per_cpu = best ? 1 / own.rate : 0;
	ret->per_cost = best ? -PRICE / own.rate : 0;
	return ret->error <= PROGRESS_MOST;
}

double progress_between(const struct progress *p, const struct progress_span *span)
{
	return MAX(p->per_wall * span->wall + p->per_cpu * span->cpu + p->per_cost * span->cost,
		   0.0);
}

bool progress_tell(const struct progress_view *view, struct progress *ret)
{
	struct progress_span windows[PROGRESS_WINDOWS] = { 0 }, clocks[PROGRESS_WINDOWS] = { 0 };
	struct progress_view refined = *view;

	if (view->count > PROGRESS_WINDOWS)
		return false;
	if (!always_wants(&view->all))
		return tell(view, false, ret);
	refine(view->windows, view->count, windows);
	refine(view->clocks, view->count, clocks);
	refined.windows = windows;
	refined.clocks = clocks;
	return tell(&refined, true, ret);
}
