/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/budget.h"

#include "base/util.h"

#include <errno.h>
#include <math.h>

#define BUCKET_SECONDS 1.0 /* a full bucket lasts for this much of the limit */
/* Of the limit: what is spent for good. The rest is for bursts, and for prices that prove too low.
 */
#define AIM 0.5
#define WINDOW_LEAST_NS 2e6 /* a window shorter than this is not worth its turn */
#define LOOK_NS 2e6	    /* hits at those sites, and on the way in and out */
#define STEP_LEAST_NS 1000000ull
#define STEP_MOST_NS 50000000ull
#define LOAD_UNKNOWN 0.5 /* at most; what runs little allocates little */
#define LOAD_PER_RAN 10	 /* hits make the allocation of what runs at most so much dearer */
#define LOAD_HALF_LIFE_NS 60e9
#define EXIT_HALF_LIFE_NS 5e9
#define SPARE 0.96 /* a window takes a little longer to close than foreseen */
#define SLOT_NS (BUDGET_SPAN_NS / (BUDGET_SLOTS - 1))
#define IDLE_SHARE 0.25 /* what time without CPU counts for */
#define MEMORY_NS 1e9	/* so much of open windows is what the next is foreseen by */
#define PART 0.8	/* of the bucket is what a window is meant to take at most */
#define TURNS_WORTH 8	/* and not more than so many times its turns: many short ones see more */
#define TURNS_HURRY 1	/* where turns are to cost less once there were some windows */
#define FULL 0.95	/* of the bucket is as good as all of it */
#define OVER 4		/* times that is what it may take: what is left is for other windows */
#define LITTLE 0.5	/* of what it was to take: the window goes on */
#define WANTED 1.0	/* times what is enough for a window there should be when it begins */
#define PAUSE_NS 2e9	/* it is not waited longer for more than that */
#define EARNING_NS 3e9
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
	b->share = MIN(AIM * c->limit, c->limit - b->capacity_ns / (double)BUDGET_SPAN_NS);
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
			    .exit_first_ns = config->exit_ns,
			    .start_ns = reading->now_ns,
			    .until_ns = UINT64_MAX,
			    .random = reading->now_ns | 1,
			    .earning = budget_earned(1, config->ran, 1),
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
	if (wall > 0) {
		b->config.ran += weight * (MIN(ran / wall, 1.0) - b->config.ran);
		b->earning += MIN(wall / EARNING_NS, 1.0) * (earned / wall - b->earning);
	}
	b->last = (struct budget_reading){ MAX(reading->now_ns, last->now_ns),
					   MAX(reading->ran_ns, last->ran_ns),
					   MAX(reading->hits, last->hits) };
	return cost;
}

static uint64_t clamp_step(double ns)
{
	return (uint64_t)MIN(MAX(ns, (double)STEP_LEAST_NS), (double)STEP_MOST_NS);
}

static void budget_see_load(struct budget *b, double cost, double wall)
{
	double kept = MEMORY_NS / (MEMORY_NS + wall);

	b->open_ns += (uint64_t)wall;
	b->open_cost = b->open_cost * kept + cost;
	b->open_wall = b->open_wall * kept + wall;
	if (wall > 0)
		b->load = MIN(0.7 * b->load + 0.3 * cost / wall, (double)b->config.cores);
	if (wall >= (double)STEP_LEAST_NS)
		b->step_load = MIN(cost / wall, (double)b->config.cores);
}

/* Both ways and the least that is worth them. */
static double budget_least(const struct budget *b)
{
	return budget_exit_cost(b) + budget_turn_cost(b) + b->first_ns * b->config.ran +
	       WINDOW_LEAST_NS;
}

/* Not at the first drop: a window costs its turns, so wait for one that is worth them. */
static double budget_enough(const struct budget *b)
{
	double reserve = budget_exit_cost(b);

	return MIN(2 * (reserve + budget_turn_cost(b)) + b->first_ns * b->config.ran +
			   WINDOW_LEAST_NS,
		   b->capacity_ns * FULL);
}

static double budget_chance(struct budget *b)
{
	b->random ^= b->random << 13; /* xorshift64, Marsaglia 2003 */
	b->random ^= b->random >> 7;
	b->random ^= b->random << 17;
	return (double)(b->random >> 11) / (double)(1ull << 53);
}

static void budget_plan_end(struct budget *b)
{
	double load = b->open_wall > WINDOW_LEAST_NS ? b->open_cost / b->open_wall : b->load;
	double drain = load - b->share * b->earning;
	double turns = b->hurry ? TURNS_HURRY : TURNS_WORTH;
	double worth = MAX(turns * 2 * budget_turn_cost(b), WINDOW_LEAST_NS);

	worth = MAX(worth, b->wanted_ns / OVER);
	b->plan_spent = b->spent_ns;
	b->plan_ns = b->last.now_ns;
	b->plan_room = MAX(PART * (budget_room(b) - budget_exit_cost(b)), 0.0);
	b->plan_room = MIN(b->plan_room, worth);
	b->until_ns = UINT64_MAX;
	if (drain > 0 && b->plan_room / drain < (double)BUDGET_SPAN_NS)
		b->until_ns = b->plan_ns + (uint64_t)(b->plan_room / drain);
}

/* It took little: the target does less than it did, or the first window was foreseen by a guess. */
static void budget_plan_anew(struct budget *b)
{
	b->open_cost = b->spent_ns - b->plan_spent;
	b->open_wall = (double)(b->last.now_ns - b->plan_ns);
	budget_plan_end(b);
}

static void budget_plan_next(struct budget *b)
{
	double enough = budget_enough(b), least = WANTED * enough;
	double missing, most, wait;

	/* What comes in lumps that are large against the bucket wants a fuller one. */
	b->wanted_ns = b->cut ? 2 * MAX(b->wanted_ns, enough) : 0.8 * b->wanted_ns;
	most = MIN(b->capacity_ns / 2, PAUSE_NS * b->share * b->earning);
	b->wanted_ns = MIN(MAX(b->wanted_ns, least), MAX(most, least));
	missing = MAX(b->wanted_ns - budget_room(b), 0.0);
	wait = missing / MAX(b->share * b->earning, 1e-9);

	b->next_ns = b->last.now_ns +
		     (uint64_t)MIN(wait * (0.67 + 0.66 * budget_chance(b)), (double)BUDGET_SPAN_NS);
}

/* For the open window, its way out included. One that is to end takes not much more than foreseen.
 */
static double budget_left(const struct budget *b)
{
	double left = budget_room(b) - budget_exit_cost(b);

	if (b->open && b->until_ns != UINT64_MAX)
		left = MIN(left, OVER * b->plan_room - (b->spent_ns - b->plan_spent));
	return left;
}

static enum budget_action budget_step_open(struct budget *b, uint64_t *next_ns)
{
	double left = budget_left(b);
	uint64_t now = b->last.now_ns;

	b->cut = left <= 0 && now < b->until_ns;
	*next_ns = clamp_step(left / b->config.cores);
	if (now >= b->until_ns && b->spent_ns - b->plan_spent < LITTLE * b->plan_room)
		budget_plan_anew(b);
	if (left <= 0 || now >= b->until_ns)
		return BUDGET_CLOSE;
	*next_ns = MAX(MIN(*next_ns, b->until_ns - now), STEP_LEAST_NS);
	return BUDGET_WAIT;
}

static enum budget_action budget_step_closed(struct budget *b, uint64_t *next_ns)
{
	double room = budget_room(b), enough = budget_enough(b);
	uint64_t now = b->last.now_ns;

	*next_ns = STEP_MOST_NS;
	/* Nothing could be paid but its beginning and its end: many sites, each with a slow link of
	 * its own. */
	if (budget_least(b) > b->capacity_ns * FULL)
		return BUDGET_WAIT;
	if (now < b->next_ns) {
		*next_ns = clamp_step((double)(b->next_ns - now));
		return BUDGET_WAIT;
	}
	if (room >= enough) {
		*next_ns = STEP_LEAST_NS;
		return BUDGET_OPEN;
	}
	if (b->share > 0)
		*next_ns = clamp_step((enough - room) / b->share);
	return BUDGET_WAIT;
}

/* A closing that a burst fell into, or that a busy machine drew out, is no reason to open no window
 * for minutes: the next one tells. */
static void budget_forget_exit(struct budget *b, double wall)
{
	double more = (double)b->config.exit_ns - (double)b->exit_first_ns;

	if (more > 0)
		b->config.exit_ns =
			b->exit_first_ns + (uint64_t)(more / (1 + wall / EXIT_HALF_LIFE_NS));
}

/* What came since the last reading. */
static void budget_see(struct budget *b, const struct budget_reading *reading)
{
	double wall = reading->now_ns > b->last.now_ns ? (double)(reading->now_ns - b->last.now_ns)
						       : 0;
	double cost = budget_account(b, reading);

	if (b->open) {
		budget_see_load(b, cost, wall);
	} else { /* What was seen last counts for less and less. */
		b->load /= 1 + wall / LOAD_HALF_LIFE_NS;
		budget_forget_exit(b, wall);
	}
	budget_shape(b);
}

void budget_ended(struct budget *budget, const struct budget_reading *reading)
{
	budget_see(budget, reading);
	budget->cut = reading->now_ns < budget->until_ns;
}

double budget_surge(const struct budget *b, double load)
{
	double end = MAX(b->step_load, b->load);

	return b->cut && b->until_ns == UINT64_MAX && end > load ? end / MAX(load, 1e-9) : 0;
}

uint64_t budget_allowed(const struct budget *b)
{
	return b->last.hits + (uint64_t)(MAX(budget_left(b), 0.0) / b->config.price_ns);
}

enum budget_action budget_step(struct budget *budget, const struct budget_reading *reading,
			       uint64_t *next_ns)
{
	budget_see(budget, reading);
	return budget->open ? budget_step_open(budget, next_ns)
			    : budget_step_closed(budget, next_ns);
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

/* The next way out may be a longer one: it is forgotten slower than it is learnt. Hits went on for
 * as long as it took at most: a burst in it does not make it longer. */
static void budget_learn_exit(struct budget *b, double cost, double wall)
{
	double load = MAX(b->load, b->step_load), took = MIN(cost / MAX(load, 0.01), wall);

	b->config.exit_ns = (uint64_t)MAX(took, 0.7 * (double)b->config.exit_ns + 0.3 * took);
}

void budget_turn_costs(struct budget *budget, double turn_ns, double first_ns)
{
	budget->config.turn_cost_ns = turn_ns;
	budget->first_ns = MAX(first_ns - turn_ns, 0.0);
	budget_shape(budget);
}

void budget_hurry(struct budget *budget, bool on)
{
	budget->hurry = on;
}

void budget_passed(struct budget *budget, double ns)
{
	budget_spend(budget, ns * budget->config.ran);
}

/* The turn itself is not a time in which every operation was seen. */
void budget_turned(struct budget *budget, bool open, double turn_ns,
		   const struct budget_reading *reading)
{
	uint64_t begun_ns = budget->last.now_ns;
	double cost = budget_account(budget, reading);

	if (!open)
		budget_learn_exit(budget, cost, (double)(budget->last.now_ns - begun_ns));
	budget_passed(budget, turn_ns);
	budget->open = open;
	budget_shape(budget);
	if (open)
		budget_plan_end(budget);
	else
		budget_plan_next(budget);
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
