/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/progress.h"

#include "base/util.h"
#include "probe/budget.h"

#include <math.h>

/* What a hit costs real programs, as a multiple of what it costs our own loop: 1.02 to 1.46 over 16
 * workloads (docs/overhead.md). */
#define PRICE_LEAST 1.0
#define PRICE_MOST 1.5
#define PRICE ((PRICE_LEAST + PRICE_MOST) / 2)
#define PRICE_ERROR ((PRICE_MOST - PRICE_LEAST) / 2)
/* How far the prices of different sites differ from what they differ by in our own loop. */
#define MIX_ERROR 0.05
/* A window's opening holds the target up by so much, which one that keeps a pace catches up inside.
 */
#define TURN_DELAY_SECONDS 0.003
#define ALL 0.9
#define TICK 0.01      /* seconds, at most: CONFIG_HZ is 100 or more */
#define IDLE_MOST 0.04 /* of the time: taken for none */
#define CLOCKS_LEAST 4
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
				       .records = MAX(end->records - begin->records, 0.0) };
}

struct sums {
	double wall, cpu, waited, cost, ticks;
	double booked_late; /* how far cpu may be off */
	double cpu_error;   /* of cpu / ticks: half-width of the 95% interval */
};

static struct sums add(const struct progress_span *spans, size_t count, double tick)
{
	struct sums s = { .booked_late = tick * sqrt((double)count) };
	double squares = 0;

	for (size_t i = 0; i < count; i++) {
		s.wall += spans[i].wall;
		s.cpu += spans[i].cpu;
		s.waited += spans[i].waited;
		s.cost += spans[i].cost;
		s.ticks += spans[i].ticks;
	}
	for (size_t i = 0; i < count; i++) {
		double residual = spans[i].cpu - s.cpu / s.ticks * spans[i].ticks;

		squares += residual * residual;
	}
	s.cpu_error = count > 1 ? budget_student(count - 1) *
					  sqrt(squares * (double)count / (double)(count - 1)) /
					  s.ticks
				: INFINITY;
	return s;
}

/* A way to tell: seconds of a window are sum of factor * its count. */
struct way {
	double per_wall, per_cpu, per_cost, per_tick, error, delay;
};

static struct way by_wall(const struct sums *w)
{
	/* Who waits for a CPU has no time to spare. */
	double share = MIN(PRICE_MOST * w->cost / MAX(w->wall - w->waited, w->cpu), 0.99);
	double delay = share / (1 - share);

	return (struct way){ .per_wall = 1 / (1 + delay / 2),
			     .error = delay / (2 + delay),
			     .delay = TURN_DELAY_SECONDS };
}

static struct way by_price(const struct sums *w, double own_rate)
{
	double own = w->cpu - PRICE * w->cost, error = PRICE_ERROR * w->cost + w->booked_late;

	return (struct way){ .per_cpu = 1 / own_rate,
			     .per_cost = -PRICE / own_rate,
			     .error = own > 0 ? error / own : INFINITY };
}

static struct way by_clock(const struct sums *w, const struct sums *c, double own_rate)
{
	double window = w->cost / w->ticks, clock = c->cost / c->ticks, lever = window - clock;
	double own = c->cpu / c->ticks - PRICE * clock, error = PRICE_ERROR * clock + c->cpu_error;

	if (window > LEVER * clock) {
		double price = (w->cpu / w->ticks - c->cpu / c->ticks) / lever;
		double solved = hypot(w->cpu_error * clock, c->cpu_error * window) / lever +
				MIX_ERROR * price * clock;

		if (price > PRICE_LEAST / 2 && price < PRICE_MOST * 2 && solved < error) {
			own = c->cpu / c->ticks - price * clock;
			error = solved;
		}
	}
	return (struct way){ .per_tick = own / own_rate,
			     .error = own > 0 ? error / own : INFINITY };
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
	struct budget_sample samples[PROGRESS_WINDOWS];
	struct budget_estimate mean;

	for (size_t i = 0; i < view->windows_count; i++)
		samples[i] = (struct budget_sample){
			.seconds = way_seconds(way, &view->windows[i]),
			.count = view->windows[i].records,
			.missed = way->delay,
		};
	if (!budget_mean(samples, view->windows_count, coverage, &mean) || !(mean.rate > 0))
		return way->error;
	return mean.half / mean.rate + way->error;
}

/*
 * The kernel books the time of a thread that runs when a tick comes, which is too seldom for a
 * window (kernel/sched/cputime.c, thread_group_cputime()). But who is never idle, and has a CPU for
 * itself, runs all the time.
 */
static bool always_runs(const struct progress_span *all)
{
	return all->waited < IDLE_MOST * all->wall && fabs(all->cpu / all->wall - 1) < IDLE_MOST;
}

static const struct progress_span *refine(const struct progress_span *spans, size_t count,
					  struct progress_span *room)
{
	for (size_t i = 0; i < count; i++) {
		room[i] = spans[i];
		room[i].cpu = spans[i].wall;
	}
	return room;
}

static bool tell(const struct progress_view *view, double tick, struct progress *ret)
{
	struct sums w = add(view->windows, view->windows_count, tick);
	struct sums c = add(view->clocks, view->clocks_count, 0);
	double own_rate = (view->all.cpu - PRICE * view->all.cost) / view->all.wall;
	double coverage = MIN(w.wall / view->all.wall, 1.0), least = INFINITY;
	struct way ways[3] = { 0 };
	size_t best = 0, count = 0;

	if (!(w.wall > 0))
		return false;
	/* One look at a part of the time says nothing of the rest. */
	if (view->windows_count < 2 && coverage < ALL)
		return false;
	ways[count++] = by_wall(&w);
	if (own_rate > 0)
		ways[count++] = by_price(&w, own_rate);
	if (own_rate > 0 && view->clocks_count >= CLOCKS_LEAST && w.ticks >= TICKS_LEAST &&
	    c.ticks >= TICKS_LEAST)
		ways[count++] = by_clock(&w, &c, own_rate);
	for (size_t i = 0; i < count; i++) {
		double error = ways[i].error <= PROGRESS_MOST
				       ? way_total_error(&ways[i], view, coverage)
				       : INFINITY;

		if (error < least) {
			least = error;
			best = i;
		}
	}
	for (size_t i = 0; i < view->windows_count; i++)
		ret->seconds[i] = way_seconds(&ways[best], &view->windows[i]);
	ret->error = ways[best].error;
	ret->delay = ways[best].delay;
	return ret->error <= PROGRESS_MOST;
}

bool progress_tell(const struct progress_view *view, struct progress *ret)
{
	struct progress_span windows[PROGRESS_WINDOWS];
	struct progress_view refined = *view;

	if (view->windows_count > PROGRESS_WINDOWS)
		return false;
	if (!always_runs(&view->all))
		return tell(view, TICK, ret);
	refined.windows = refine(view->windows, view->windows_count, windows);
	return tell(&refined, 0, ret);
}
