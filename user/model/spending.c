/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/spending.h"

#include "base/clock.h"
#include "base/util.h"
#include "target/running.h"

#include <sys/sysinfo.h>

/* Whose waiting is looked at. */
#define THREADS_MAX 64
#define LATE_NS (3 * NSEC_PER_MSEC)
/* Later than what is measured is remembered (cost_recall()). */
#define HOPE_NS (61 * NSEC_PER_SEC)

/* A target that is gone has run as long as it was seen to: not less. */
static uint64_t spending_ran(const struct spending *s)
{
	return MAX(running_cpu(s->pid), s->ran_ns);
}

void spending_look(struct spending *s)
{
	uint64_t now = clock_monotonic(), ran = spending_ran(s);

	if (s->seen_ns && now > s->seen_ns)
		s->ran = MIN((double)(ran - s->ran_ns) / (double)(now - s->seen_ns), 1.0);
	s->seen_ns = now;
	s->ran_ns = ran;
}

void spending_price(struct spending *s, const struct plan *plan)
{
	s->hit_ns = cost_hit_ns(&s->cost, plan);
	s->opening_ns = cost_opening_ns(&s->cost, plan);
	s->sites = plan->sites.count;
	for (size_t i = 0; i < s->sites; i++)
		s->own_ns[i] = cost_site_ns(&s->cost, &plan->sites.list[i]);
	/* With a GIL one thread allocates at a time. */
	s->cores = plan->allocator.kind == ALLOCATOR_MIMALLOC ? get_nprocs() : 1;
}

double spending_fresh(const struct spending *s)
{
	return MAX(s->opening_ns / s->hit_ns, 1.0);
}

/* Of mean price: where pools are opened, and at candidates that are single-stepped, they are
 * dearer. */
static uint64_t spending_hits(const struct spending *s, const struct session_stats *stats)
{
	double fresh = spending_fresh(s) - 1;
	double moved = MAX(s->cost.stepped_ns / s->hit_ns - 1, 0.0);

	return stats->hits +
	       (uint64_t)((double)stats->growth_hits * fresh + (double)stats->moved_hits * moved);
}

static struct budget_reading spending_read(const struct spending *s,
					   const struct session_stats *stats)
{
	return (struct budget_reading){ .now_ns = clock_monotonic(),
					.ran_ns = spending_ran(s),
					.hits = spending_hits(s, stats) };
}

int spending_limit(struct spending *s, double limit, size_t sites,
		   const struct session_stats *stats)
{
	struct budget_config config = {
		.limit = limit,
		.price_ns = s->hit_ns,
		.exit_ns = cost_exit_ns(&s->cost, sites),
		.turn_cost_ns = cost_turn_ns(&s->cost, sites),
		.ran = s->ran,
		.cores = s->cores,
	};
	struct budget_reading reading = spending_read(s, stats);
	int r = budget_init(&s->budget, &config, &reading);

	if (r)
		return r;
	pulse_init(&s->pulse, limit, s->opening_ns, 0);
	s->hope_ns = reading.now_ns;
	s->has_budget = true;
	return 0;
}

/*
 * Where turns are too dear for any window nobody learns that they are not: they may have been
 * measured while the machine was busy, which only adds.
 */
static void spending_hope(struct spending *s, uint64_t now_ns)
{
	struct cost again, *cost = &s->cost;
	struct budget *b = &s->budget;
	double ratio;

	s->hope_ns = now_ns;
	if (cost_recall(cost->link, &again, NULL) || again.turn_ns >= cost->turn_ns)
		return;
	ratio = cost_turn_ns(&again, 1) / cost_turn_ns(cost, 1);
	cost->turn_ns = again.turn_ns;
	budget_turn_costs(b, b->config.turn_cost_ns * ratio,
			  (b->config.turn_cost_ns + b->first_ns) * ratio);
}

enum budget_action spending_step(struct spending *s, const struct session_stats *stats,
				 bool is_open, uint64_t *ret_next_ns)
{
	struct budget_reading reading = spending_read(s, stats);
	uint64_t next = 0;
	enum budget_action what = budget_step(&s->budget, &reading, &next);

	pulse_step(&s->pulse, (uint64_t)s->budget.earned_ns, stats->growth_hits,
		   is_open || s->pulse.on);
	*ret_next_ns = reading.now_ns + next;
	if (is_open || what != BUDGET_WAIT)
		s->hope_ns = reading.now_ns;
	else if (reading.now_ns - s->hope_ns > HOPE_NS)
		spending_hope(s, reading.now_ns);
	return what;
}

void spending_next(struct spending *s, struct session_turns next)
{
	budget_turn_costs(&s->budget, cost_turn_ns(&s->cost, next.close),
			  cost_turn_ns(&s->cost, next.open));
}

void spending_hurry(struct spending *s, bool on)
{
	budget_hurry(&s->budget, on);
}

void spending_turned(struct spending *s, const struct session_stats *stats, bool is_open,
		     size_t sites, struct session_turns next)
{
	struct budget_reading reading = spending_read(s, stats);

	if (!s->has_budget)
		return;
	spending_next(s, next);
	budget_turned(&s->budget, is_open, cost_turn_ns(&s->cost, sites), &reading);
}

void spending_passed(struct spending *s, size_t sites, struct session_turns next)
{
	budget_passed(&s->budget, cost_turn_ns(&s->cost, sites));
	spending_next(s, next);
}

bool spending_may_look(const struct spending *s, double share)
{
	return budget_may_look(&s->budget, share);
}

void spending_looked(struct spending *s, const struct session_stats *stats, double share)
{
	struct budget_reading reading = spending_read(s, stats);

	budget_looked(&s->budget, share, &reading);
}

void spending_ended(struct spending *s, const struct session_stats *stats)
{
	struct budget_reading reading = { .now_ns = stats->closing_ns,
					  .ran_ns = spending_ran(s),
					  .hits = stats->closing_hits };

	if (s->has_budget)
		budget_ended(&s->budget, &reading);
}

uint64_t spending_allowed(const struct spending *s)
{
	return budget_allowed(&s->budget);
}

uint64_t spending_end(const struct spending *s)
{
	uint64_t until = s->budget.until_ns;

	return s->budget.open && until < UINT64_MAX - LATE_NS ? until + LATE_NS : UINT64_MAX;
}

double spending_bare(const struct spending *s, size_t site)
{
	return s->cost.empty_ns / MAX(s->own_ns[site], 1.0);
}

void spending_moment(const struct spending *s, const struct session *session,
		     struct events_moment *ret)
{
	uint64_t waited = UINT64_MAX, slices = 0;

	if (running_waited(s->pid, THREADS_MAX, &waited, &slices))
		waited = UINT64_MAX;
	ret->waited_ns = waited;
	ret->slices = slices;
	ret->is_running = false;
	for (size_t i = 0; i < SITES_MAX; i++)
		ret->hits[i] = session_site_hits(session, i);
	ret->cpu_ns = spending_ran(s);
	ret->ns = clock_monotonic();
}

struct progress_span spending_span(const struct spending *s, const struct events_moment *moment)
{
	struct progress_span span = { .wall = (double)moment->ns / 1e9,
				      .cpu = (double)moment->cpu_ns / 1e9,
				      .waited = (double)moment->waited_ns / 1e9,
				      .is_whole = moment->is_running };

	/* Where it is not known: as if it waited all the time. */
	if (moment->waited_ns == UINT64_MAX) {
		span.waited = span.wall;
		span.is_whole = false;
	}
	for (size_t i = 0; i < s->sites; i++)
		span.cost += (double)moment->hits[i] * s->own_ns[i] / 1e9;
	return span;
}

bool spending_is_long(const struct spending *s, uint64_t least_ns)
{
	return s->budget.until_ns >= s->budget.last.now_ns + least_ns;
}

double spending_missed(const struct spending *s, uint64_t end_ns, uint64_t most_ns)
{
	uint64_t until = MIN(s->budget.until_ns, most_ns);

	return s->has_budget && s->budget.cut && until > end_ns ? (double)(until - end_ns) / 1e9
								: 0;
}

void spending_sample(struct spending *s)
{
	s->sample_spent = s->budget.spent_ns;
	s->sample_ns = s->budget.last.now_ns;
}

double spending_surge(const struct spending *s, uint64_t end_ns)
{
	double seconds = end_ns > s->sample_ns ? (double)(end_ns - s->sample_ns) : 0;

	if (!s->has_budget || !(seconds > 0))
		return 0;
	return budget_surge(&s->budget, (s->budget.spent_ns - s->sample_spent) / seconds);
}

double spending_overhead(const struct spending *s, const struct session_stats *stats)
{
	double earned = budget_earned((double)(clock_monotonic() - s->seen_ns),
				      (double)(spending_ran(s) - s->ran_ns), s->cores);
	double cost = s->has_budget ? s->budget.spent_ns
				    : (double)spending_hits(s, stats) * s->hit_ns;

	return cost / MAX(earned, 1.0);
}
