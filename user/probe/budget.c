/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/budget.h"

#include "base/util.h"

#include <errno.h>
#include <math.h>

#define BUCKET_SECONDS 1.0  /* a full bucket lasts for this much of the limit */
#define WINDOW_LEAST_NS 2e6 /* a window shorter than this is not worth its turn */
#define LOOK_NS 2e6	    /* hits at those sites, and on the way in and out */
#define STEP_LEAST_NS 1000000ull
#define STEP_MOST_NS 50000000ull
#define LOAD_UNKNOWN 0.5 /* at most; what runs little allocates little */
#define LOAD_PER_RAN 10	 /* hits make the allocation of what runs at most so much dearer */
#define LOAD_HALF_LIFE_NS 60e9
#define SPARE 0.96 /* a window takes a little longer to close than foreseen */
#define SLOT_NS (BUDGET_SPAN_NS / (BUDGET_SLOTS - 1))
#define IDLE_SHARE 0.25 /* what time without CPU counts for */
#define CREDIT_SLOTS 20 /* for a first window soon; they are the first to be forgotten */

double budget_earned(double wall_ns, double ran_ns, int cores)
{
	ran_ns = MIN(ran_ns, wall_ns * MAX(cores, 1));
	return ran_ns + IDLE_SHARE * MAX(wall_ns - ran_ns, 0.0);
}

static double budget_turn_cost(const struct budget *b)
{
	return b->config.turn_cost_ns * b->config.ran;
}

/* What the way out still costs. */
static double budget_exit_cost(const struct budget *b)
{
	return (double)b->config.exit_ns * b->load + budget_turn_cost(b);
}

/*
 * Over any span T no more than capacity + share * T flows out. For the limit over BUDGET_SPAN_NS,
 * what the capacity takes is missing from the share. The capacity must pay for the turns of a
 * window and a little inside.
 */
static void budget_shape(struct budget *b)
{
	const struct budget_config *c = &b->config;
	double turns = 2 * ((double)c->exit_ns * MAX(b->load, 0.05) + budget_turn_cost(b));

	b->capacity_ns = MAX(c->limit * BUCKET_SECONDS * 1e9, 2 * turns + WINDOW_LEAST_NS);
	b->capacity_ns = MIN(b->capacity_ns, c->limit * (double)BUDGET_SPAN_NS * 0.9);
	b->share = c->limit - b->capacity_ns / (double)BUDGET_SPAN_NS;
	b->tokens_ns = MIN(b->tokens_ns, b->capacity_ns);
}

/* That it ran before as it does now is the best guess there is. */
int budget_init(struct budget *budget, const struct budget_config *config,
		const struct budget_reading *reading)
{
	const uint64_t slot_ns = SLOT_NS;
	struct budget b = { .config = *config,
			    .load = MIN(LOAD_UNKNOWN, 0.02 + LOAD_PER_RAN * config->ran),
			    .last = *reading,
			    .start_ns = reading->now_ns,
			    .slot = reading->now_ns / SLOT_NS };

	if (!(config->limit > 0 && config->limit <= 1) || !(config->price_ns > 0) ||
	    !(config->ran >= 0 && config->ran <= 1) || !(config->turn_cost_ns >= 0))
		return -EINVAL;
	b.config.cores = MAX(config->cores, 1);
	for (size_t i = 1; i <= CREDIT_SLOTS; i++)
		b.earned[(b.slot + i) % BUDGET_SLOTS] =
			budget_earned((double)slot_ns, (double)slot_ns * config->ran, 1);
	budget_shape(&b);
	b.tokens_ns = b.capacity_ns;
	*budget = b;
	return 0;
}

static void budget_remember(struct budget *b, uint64_t now_ns, double earned)
{
	uint64_t slot = now_ns / SLOT_NS;

	if (slot > b->slot + BUDGET_SLOTS)
		b->slot = slot - BUDGET_SLOTS;
	while (b->slot < slot) {
		size_t next = ++b->slot % BUDGET_SLOTS;

		b->spent[next] = b->earned[next] = 0;
	}
	b->earned[b->slot % BUDGET_SLOTS] += earned;
}

static void budget_spend(struct budget *b, double cost)
{
	b->spent_ns += cost;
	b->tokens_ns -= cost;
	b->spent[b->slot % BUDGET_SLOTS] += cost;
}

/* What may still be spent: by the bucket, and by what the last seconds have earned and cost. */
static double budget_room(const struct budget *b)
{
	double spent = 0, earned = 0;

	for (size_t i = 0; i < BUDGET_SLOTS; i++) {
		spent += b->spent[i];
		earned += b->earned[i];
	}
	earned = MIN(earned, (double)BUDGET_SPAN_NS * b->config.cores);
	return MIN(earned * b->config.limit * SPARE - spent, b->tokens_ns);
}

/* Returns the cost of the hits since the last reading. */
static double budget_account(struct budget *b, const struct budget_reading *reading)
{
	const struct budget_reading *last = &b->last;
	double wall = reading->now_ns > last->now_ns ? (double)(reading->now_ns - last->now_ns) : 0;
	double ran = reading->ran_ns > last->ran_ns ? (double)(reading->ran_ns - last->ran_ns) : 0;
	double cost = reading->hits > last->hits
			      ? (double)(reading->hits - last->hits) * b->config.price_ns
			      : 0;
	double earned = budget_earned(wall, ran, b->config.cores),
	       weight = MIN(wall / NSEC_PER_SEC, 1.0);

	budget_remember(b, reading->now_ns, earned);
	b->earned_ns += earned;
	b->tokens_ns = MIN(b->tokens_ns + earned * b->share, b->capacity_ns);
	budget_spend(b, cost);
	if (wall > 0)
		b->config.ran += weight * (MIN(ran / wall, 1.0) - b->config.ran);
	b->last = (struct budget_reading){ MAX(reading->now_ns, last->now_ns),
					   MAX(reading->ran_ns, last->ran_ns),
					   MAX(reading->hits, last->hits) };
	return cost;
}

static uint64_t clamp_step(double ns)
{
	return (uint64_t)MIN(MAX(ns, (double)STEP_LEAST_NS), (double)STEP_MOST_NS);
}

/* What came since the last reading. */
static void budget_see(struct budget *b, const struct budget_reading *reading)
{
	double wall = reading->now_ns > b->last.now_ns ? (double)(reading->now_ns - b->last.now_ns)
						       : 0;
	double cost = budget_account(b, reading);

	if (b->open) {
		b->open_ns += (uint64_t)wall;
		if (wall > 0)
			b->load = MIN(0.7 * b->load + 0.3 * cost / wall, (double)b->config.cores);
	} else {
		/* What was seen last counts for less and less. */
		b->load /= 1 + wall / LOAD_HALF_LIFE_NS;
	}
	budget_shape(b);
}

void budget_ended(struct budget *budget, const struct budget_reading *reading)
{
	budget_see(budget, reading);
}

uint64_t budget_allowed(const struct budget *b)
{
	return b->last.hits +
	       (uint64_t)(MAX(budget_room(b) - budget_exit_cost(b), 0.0) / b->config.price_ns);
}

enum budget_action budget_step(struct budget *budget, const struct budget_reading *reading,
			       uint64_t *next_ns)
{
	struct budget *b = budget;
	double reserve, enough, room;

	budget_see(b, reading);
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
	enough = MIN(2 * (reserve + budget_turn_cost(b)) + WINDOW_LEAST_NS, b->capacity_ns * 0.95);
	if (room >= enough) {
		*next_ns = STEP_LEAST_NS;
		return BUDGET_OPEN;
	}
	*next_ns = b->share > 0 ? clamp_step((enough - room) / b->share) : STEP_MOST_NS;
	return BUDGET_WAIT;
}

bool budget_may_look(const struct budget *b, double share)
{
	return !b->open && budget_room(b) > 2 * budget_turn_cost(b) * share + LOOK_NS;
}

void budget_looked(struct budget *budget, double share, const struct budget_reading *reading)
{
	budget_account(budget, reading);
	budget_spend(budget, 2 * budget_turn_cost(budget) * share);
}

/* The next way out may be a longer one: it is forgotten slower than it is learnt. */
static void budget_learn_exit(struct budget *b, double cost)
{
	double took = cost / MAX(b->load, 0.01);

	b->config.exit_ns = (uint64_t)MAX(took, 0.9 * (double)b->config.exit_ns + 0.1 * took);
}

/* The turn itself is not a time in which every operation was seen. */
void budget_turned(struct budget *budget, bool open, const struct budget_reading *reading)
{
	double cost = budget_account(budget, reading);

	if (!open)
		budget_learn_exit(budget, cost);
	budget_spend(budget, budget_turn_cost(budget));
	budget->open = open;
	budget_shape(budget);
}

double budget_coverage(const struct budget *budget, uint64_t now_ns)
{
	double elapsed = now_ns > budget->start_ns ? (double)(now_ns - budget->start_ns) : 0;

	return elapsed > 0 ? MIN((double)budget->open_ns / elapsed, 1.0) : 0;
}

double budget_overhead(const struct budget *budget)
{
	return budget->earned_ns > 0 ? budget->spent_ns / budget->earned_ns : 0;
}

double budget_student(size_t freedom)
{
	static const double t[] = { 0,	   12.706, 4.303, 3.182, 2.776, 2.571, 2.447,
				    2.365, 2.306,  2.262, 2.228, 2.201, 2.179, 2.160,
				    2.145, 2.131,  2.120, 2.110, 2.101, 2.093, 2.086 };

	if (freedom < ARRAY_SIZE(t))
		return t[freedom];
	return 1.96 + 2.5 / (double)freedom; /* close enough */
}

bool budget_estimate(const struct budget_sample *samples, size_t count, double coverage,
		     double delay, double *rate, double *half)
{
	double seconds = 0, events = 0, squares = 0, spread, poisson, delayed, r;

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
	spread = budget_student(count - 1) * sqrt(squares * (double)count / (double)(count - 1)) /
		 seconds;
	poisson = 1.96 * sqrt(MAX(events, 1.0)) / seconds;
	delayed = r * MIN(delay * (double)count / seconds, 1.0);
	*rate = r;
	*half = (MAX(spread, poisson) + delayed) * sqrt(1.0 - coverage);
	return true;
}
