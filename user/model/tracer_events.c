/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/tracer_private.h"

#include <errno.h>
#include <uthash.h>

static uint64_t event_size(const struct session_event *e)
{
	if (e->kind == EVENT_ALLOC)
		return e->size;
	return e->chunk ? e->chunk & ~7ull : e->size;
}

static struct moved *moved_find(struct tracer *t, uint64_t addr)
{
	struct moved *moved = NULL;

	if (t->moved)
		HASH_FIND(hh, t->moved, &addr, sizeof(addr), moved);
	return moved;
}

/* The old size of the block at @addr, 0 where it was not moved. It is forgotten. */
static uint64_t moved_take(struct tracer *t, uint64_t addr)
{
	struct moved *moved = moved_find(t, addr);
	uint64_t size = moved ? moved->size : 0;

	if (moved)
		HASH_DEL(t->moved, moved);
	free(moved);
	return size;
}

static int moved_note(struct tracer *t, uint64_t addr, uint64_t size)
{
	struct moved *moved = calloc(1, sizeof(*moved));

	if (!moved)
		return -ENOMEM;
	(void)moved_take(t, addr);
	*moved = (struct moved){ .addr = addr, .time_ns = t->now_ns, .size = size };
	HASH_ADD(hh, t->moved, addr, sizeof(moved->addr), moved);
	return 0;
}

void tracer_forget_moved(struct tracer *t)
{
	struct moved *moved, *next;

	HASH_ITER (hh, t->moved, moved, next) {
		HASH_DEL(t->moved, moved);
		free(moved);
	}
}

static int on_alloc(struct tracer *t, const struct session_event *e)
{
	uint32_t note = blocks_untyped(&t->blocks, t->now_ns);
	int r = blocks_put(&t->blocks, e->addr, event_size(e), note);

	(void)moved_take(t, e->addr);
	return r < 0 ? r : fresh_push(t->fresh, e->addr, t->now_ns);
}

/* What @block is has come out. */
static int count_allocation(struct tracer *t, const struct ledger_block *block, uint64_t type)
{
	uint64_t moved = moved_take(t, block->addr);
	int r = flows_add(t->flows, type, FLOWS_ALLOC_OBJECTS, block->size);

	return !r && moved ? flows_add(t->flows, type, FLOWS_FREE_OBJECTS, moved) : r;
}

static int on_free(struct tracer *t, const struct session_event *e)
{
	uint64_t type = fresh_type_of_dead(t->fresh, e);
	struct ledger_block block;
	int r = blocks_take(&t->blocks, e->addr, &block);

	if (t->blocks.whole && !block.addr)
		t->unknown_frees++;
	if (!r && (block.note & LEDGER_UNTYPED))
		r = count_allocation(t, &block, type);
	return r < 0 ? r
		     : flows_add(t->flows, type, FLOWS_FREE_OBJECTS,
				 block.addr ? block.size : pools_block_size(t->pools, e->addr));
}

/*
 * As with small blocks, what was there is freed and what is there now is allocated; of what type
 * that is shows later. A block that has no type yet, or that was not seen before, has counted
 * nowhere. It is as old as it was where it came from.
 */
static int on_move(struct tracer *t, const struct session_event *e)
{
	struct ledger_block block;
	int r = blocks_take(&t->blocks, e->old, &block);
	bool untyped = block.note & LEDGER_UNTYPED;
	uint64_t counted = untyped ? moved_take(t, e->old) : block.addr ? block.size : 0;
	uint32_t note = untyped && !counted ? blocks_untyped(&t->blocks, t->now_ns)
					    : block.note & LEDGER_TIME;

	if (!r)
		r = blocks_put(&t->blocks, e->addr, event_size(e),
			       counted ? note | LEDGER_UNTYPED : note);
	if (!r && counted)
		r = moved_note(t, e->addr, counted);
	if (!r && (untyped || counted))
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
	if (e->kind != EVENT_GROW)
		t->pending[t->pending_count++ % TRACER_PENDING] = e->addr;
	if (e->kind == EVENT_MOVE)
		t->pending[t->pending_count++ % TRACER_PENDING] = e->old;
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
	if (blocks_typed(&t->blocks, &block) < 0 || count_allocation(t, &block, type) < 0)
		t->error = -ENOMEM;
}

bool tracer_is_wanted(void *arg, uint64_t addr, uint64_t time_ns)
{
	struct tracer *t = arg;
	const struct moved *moved = moved_find(t, addr);
	struct ledger_block block;

	if (!blocks_find(&t->blocks, addr, &block))
		return false;
	if (moved)
		return moved->time_ns == time_ns;
	return (block.note & ~LEDGER_MAYBE) == blocks_untyped(&t->blocks, time_ns);
}
