/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/tracer_private.h"

#include <errno.h>

static uint64_t event_size(const struct session_event *e)
{
	if (e->kind == EVENT_ALLOC)
		return e->size;
	return e->chunk ? e->chunk & ~7ull : e->size;
}

static int on_alloc(struct tracer *t, const struct session_event *e)
{
	uint32_t note = blocks_untyped(&t->blocks, t->now_ns);
	int r = blocks_put(&t->blocks, e->addr, event_size(e), note);

	return r < 0 ? r : fresh_push(t->fresh, e->addr, t->now_ns);
}

static int on_free(struct tracer *t, const struct session_event *e)
{
	uint64_t type = fresh_type_of_dead(t->fresh, e);
	struct ledger_block block;
	int r = blocks_take(&t->blocks, e->addr, &block);

	if (t->blocks.whole && !block.addr)
		t->unknown_frees++;
	if (!r && (block.note & LEDGER_UNTYPED))
		r = flows_add(t->flows, type, FLOWS_ALLOC_OBJECTS, block.size);
	return r < 0 ? r
		     : flows_add(t->flows, type, FLOWS_FREE_OBJECTS,
				 block.addr ? block.size : pools_block_size(t->pools, e->addr));
}

static int on_move(struct tracer *t, const struct session_event *e)
{
	struct ledger_block block;
	int r = blocks_take(&t->blocks, e->old, &block);
	bool untyped = block.note & LEDGER_UNTYPED;

	/* It is as old as it was where it came from. */
	if (!r)
		r = blocks_put(&t->blocks, e->addr, event_size(e),
			       untyped ? blocks_untyped(&t->blocks, t->now_ns)
				       : block.note & LEDGER_TIME);
	if (!r && untyped)
		r = fresh_push(t->fresh, e->addr, t->now_ns);
	return r;
}

int tracer_on_event(const struct session_event *e, void *arg)
{
	struct tracer *t = arg;

	t->consumed++;
	metronome_count(&t->metronome, e);
	/* No block: only a target that calls its allocator in odd ways has such records. */
	if (!e->addr || (e->kind == EVENT_MOVE && !e->old))
		return 0;
	switch (e->kind) {
	case EVENT_ALLOC:
	case EVENT_ALLOC_LARGE:
		return on_alloc(t, e);
	case EVENT_FREE:
		return on_free(t, e);
	case EVENT_MOVE:
		return on_move(t, e);
	case EVENT_GROW:
		if (e->size < TRACER_CLASSES)
			t->grown[e->size]++;
		break;
	}
	return 0;
}

void tracer_on_typed(void *arg, uint64_t addr, uint64_t type)
{
	struct tracer *t = arg;
	struct ledger_block block;

	/* Where none was found it may have died since: its free brings the type. */
	if (!type || !blocks_find(&t->blocks, addr, &block) || !(block.note & LEDGER_UNTYPED))
		return;
	if (blocks_typed(&t->blocks, &block) < 0 ||
	    flows_add(t->flows, type, FLOWS_ALLOC_OBJECTS, block.size) < 0)
		t->error = -ENOMEM;
}

bool tracer_is_wanted(void *arg, uint64_t addr, uint64_t time_ns)
{
	struct tracer *t = arg;
	struct ledger_block block;

	return blocks_find(&t->blocks, addr, &block) &&
	       (block.note & ~LEDGER_MAYBE) == blocks_untyped(&t->blocks, time_ns);
}
