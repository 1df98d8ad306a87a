/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/budget.h"

#include "base/util.h"

#include <errno.h>
#include <math.h>

#define BUCKET_SECONDS 1.0  /* a full bucket lasts for this much of the limit */
#define WINDOW_LEAST_NS 2e6 /* a window shorter than this is not worth its turn */
#define STEP_LEAST_NS 1000000ull
#define STEP_MOST_NS 50000000ull
#define LOAD_UNKNOWN 0.5
#define LOAD_HALF_LIFE_NS 60e9
#define SPARE 0.96 /* a window takes a little longer to close than foreseen */
#define SLOT_NS (BUDGET_SPAN_NS / (BUDGET_SLOTS - 1))

/*
 * Over any span T no more than capacity + share * T flows out. For the limit over BUDGET_SPAN_NS,
 * what the capacity takes is missing from the share. The capacity must pay for the turns of a
 * window and a little inside.
 */
static void budget_shape(struct budget *b)
{
	const struct budget_config *c = &b->config;
	double turn = (double)c->turn_ns * MAX(b->load, 0.05);

	b->capacity_ns = MAX(c->limit * BUCKET_SECONDS * 1e9, 2 * turn + WINDOW_LEAST_NS);
	b->capacity_ns = MIN(b->capacity_ns, c->limit * (double)BUDGET_SPAN_NS * 0.9);
	b->share = c->limit - b->capacity_ns / (double)BUDGET_SPAN_NS;
	b->tokens_ns = MIN(b->tokens_ns, b->capacity_ns);
}

int budget_init(struct budget *budget, const struct budget_config *config, uint64_t now_ns,
		uint64_t hits)
{
	struct budget b = { .config = *config,
			    .load = LOAD_UNKNOWN,
			    .last_ns = now_ns,
			    .start_ns = now_ns,
			    .last_hits = hits,
			    .slot = now_ns / SLOT_NS };

	if (!(config->limit > 0 && config->limit <= 1) || !(config->price_ns > 0))
		return -EINVAL;
	b.config.cores = MAX(config->cores, 1);
	budget_shape(&b);
	b.tokens_ns = b.capacity_ns;
	*budget = b;
	return 0;
}

static void budget_remember(struct budget *b, uint64_t now_ns, double cost)
{
	uint64_t slot = now_ns / SLOT_NS;

	if (slot > b->slot + BUDGET_SLOTS)
		b->slot = slot - BUDGET_SLOTS;
	while (b->slot < slot)
		b->slots[++b->slot % BUDGET_SLOTS] = 0;
	b->slots[b->slot % BUDGET_SLOTS] += cost;
}

/* What may still be spent: by the bucket, and by what the last seconds have cost. */
static double budget_room(const struct budget *b)
{
	double room = b->config.limit * (double)BUDGET_SPAN_NS * SPARE;

	for (size_t i = 0; i < BUDGET_SLOTS; i++)
		room -= b->slots[i];
	return MIN(room, b->tokens_ns);
}

static void budget_account(struct budget *b, uint64_t now_ns, uint64_t hits)
{
	double elapsed = now_ns > b->last_ns ? (double)(now_ns - b->last_ns) : 0;
	double cost = hits > b->last_hits ? (double)(hits - b->last_hits) * b->config.price_ns : 0;

	b->spent_ns += cost;
	budget_remember(b, now_ns, cost);
	b->tokens_ns = MIN(b->tokens_ns + elapsed * b->share, b->capacity_ns) - cost;
	if (b->open) {
		b->open_ns += (uint64_t)elapsed;
		if (elapsed > 0)
			b->load =
				MIN(0.7 * b->load + 0.3 * cost / elapsed, (double)b->config.cores);
	} else {
		/* What was seen last counts for less and less. */
		b->load /= 1 + elapsed / LOAD_HALF_LIFE_NS;
	}
	b->last_ns = MAX(now_ns, b->last_ns);
	b->last_hits = hits;
	budget_shape(b);
}

/* What the way out still costs: hits go on until the last probe is gone. */
static double budget_exit_cost(const struct budget *b)
{
	return (double)b->config.turn_ns / 2 * b->load;
}

static uint64_t clamp_step(double ns)
{
	return (uint64_t)MIN(MAX(ns, (double)STEP_LEAST_NS), (double)STEP_MOST_NS);
}

enum budget_action budget_step(struct budget *budget, uint64_t now_ns, uint64_t hits,
			       uint64_t *next_ns)
{
	struct budget *b = budget;
	double reserve, enough, room;

	budget_account(b, now_ns, hits);
	reserve = budget_exit_cost(b);
	room = budget_room(b);
	if (b->open) {
		*next_ns = clamp_step((room - reserve) / b->config.cores);
		return room <= reserve ? BUDGET_CLOSE : BUDGET_WAIT;
	}
	/* Its end alone could not be paid: many sites, each with a slow link of its own. */
	if (reserve > b->capacity_ns) {
		*next_ns = STEP_MOST_NS;
		return BUDGET_WAIT;
	}
	/* Not at the first drop: a window costs its turns, so wait for one that is worth them. */
	enough = MIN(2 * reserve + WINDOW_LEAST_NS + 0.5 * b->capacity_ns, b->capacity_ns * 0.95);
	if (room >= enough) {
		*next_ns = STEP_LEAST_NS;
		return BUDGET_OPEN;
	}
	*next_ns = b->share > 0 ? clamp_step((enough - room) / b->share) : STEP_MOST_NS;
	return BUDGET_WAIT;
}

void budget_turned(struct budget *budget, bool open, uint64_t now_ns, uint64_t took_ns)
{
	/* The turn itself is not a time in which every operation was seen. */
	budget->tokens_ns +=
		now_ns > budget->last_ns ? (double)(now_ns - budget->last_ns) * budget->share : 0;
	budget->last_ns = MAX(now_ns, budget->last_ns);
	budget->open = open;
	if (took_ns)
		budget->config.turn_ns = (3 * budget->config.turn_ns + 2 * took_ns) / 4;
	budget_shape(budget);
}

void budget_set_price(struct budget *budget, double price_ns)
{
	if (price_ns > 0)
		budget->config.price_ns = price_ns;
}

double budget_coverage(const struct budget *budget, uint64_t now_ns)
{
	double elapsed = now_ns > budget->start_ns ? (double)(now_ns - budget->start_ns) : 0;

	return elapsed > 0 ? MIN((double)budget->open_ns / elapsed, 1.0) : 0;
}

double budget_overhead(const struct budget *budget, uint64_t now_ns)
{
	double elapsed = now_ns > budget->start_ns ? (double)(now_ns - budget->start_ns) : 0;

	return elapsed > 0 ? budget->spent_ns / elapsed : 0;
}

/* Student's t, two-sided 95%, by degrees of freedom; 1.96 from there on is close enough. */
static double student_95(size_t freedom)
{
	static const double t[] = { 0,	   12.706, 4.303, 3.182, 2.776, 2.571, 2.447,
				    2.365, 2.306,  2.262, 2.228, 2.201, 2.179, 2.160,
				    2.145, 2.131,  2.120, 2.110, 2.101, 2.093, 2.086 };

	if (freedom < ARRAY_SIZE(t))
		return t[freedom];
	return 1.96 + 2.5 / (double)freedom;
}

bool budget_estimate(const struct budget_sample *samples, size_t count, double coverage,
		     double *rate, double *half)
{
	double seconds = 0, events = 0, squares = 0, spread, poisson, r;

	for (size_t i = 0; i < count; i++) {
		seconds += samples[i].seconds;
		events += samples[i].count;
	}
	if (!(seconds > 0))
		return false;
	r = events / seconds;
	if (coverage >= 1.0) {
		*rate = r;
		*half = 0;
		return true;
	}
	if (count < 2)
		return false;
	for (size_t i = 0; i < count; i++) {
		double residual = samples[i].count - r * samples[i].seconds;

		squares += residual * residual;
	}
	spread = student_95(count - 1) * sqrt(squares * (double)count / (double)(count - 1)) /
		 seconds;
	poisson = 1.96 * sqrt(MAX(events, 1.0)) / seconds;
	*rate = r;
	*half = MAX(spread, poisson) * sqrt(1.0 - coverage);
	return true;
}
