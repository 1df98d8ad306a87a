/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/tracer_private.h"

#include "base/clock.h"
#include "base/util.h"

/*
 * A record comes before what it speaks of, and whose thread has no CPU then has not done it yet.
 * Where records were lost since, another may have had the block.
 */
static int tracer_touch_pending(struct tracer *t)
{
	size_t count = MIN(t->pending_count, (size_t)TRACER_PENDING);
	int r = 0;

	tracer_check_loss(t);
	for (size_t i = 0; !r && i < count && t->lost == t->pending_lost; i++)
		r = blocks_retouch(&t->blocks, t->pending[i]);
	return r;
}

/*
 * What still waits in the ring is from before: of a block whose free was lost behind it, it would
 * be the last word on what the census finds. So it is consumed first, and the losses that count as
 * those of this census begin before that.
 */
int tracer_census_begin(struct tracer *t)
{
	int r;

	tracer_take_lock(t);
	tracer_check_loss(t);
	t->lost_begin = t->lost;
	tracer_catch_up(t);
	r = blocks_begin(&t->blocks);
	if (!r)
		r = tracer_touch_pending(t);
	tracer_unlock(t);
	return r;
}

void tracer_census_block(void *arg, uint64_t addr, uint64_t size, bool sure)
{
	struct tracer *t = arg;

	/* Only the caller's thread has to do with the truth until _end. */
	blocks_found(&t->blocks, addr, size, sure);
}

static int tracer_freeze(struct tracer *t)
{
	int r;

	tracer_take_lock(t);
	tracer_mind_end(t);
	tracer_catch_up(t);
	r = t->error ? t->error : blocks_freeze(&t->blocks);
	tracer_unlock(t);
	return r;
}

int tracer_census_end(struct tracer *t, struct blocks_drift *ret_drift)
{
	int r = tracer_freeze(t);

	/* The thread goes on consuming meanwhile: the ring would run full. */
	if (!r)
		r = blocks_merge(&t->blocks);
	tracer_take_lock(t);
	tracer_mind_end(t);
	tracer_check_loss(t);
	if (!r)
		r = blocks_end(&t->blocks, t->lost != t->lost_begin, clock_monotonic(), ret_drift);
	else
		blocks_abort(&t->blocks);
	tracer_unlock(t);
	return r;
}

void tracer_census_abort(struct tracer *t)
{
	tracer_take_lock(t);
	blocks_abort(&t->blocks);
	tracer_unlock(t);
}
