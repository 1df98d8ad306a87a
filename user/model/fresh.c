/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/fresh.h"

#include "attribute/hooks.h"
#include "attribute/refcount.h"
#include "attribute/types.h"
#include "base/util.h"
#include "target/maps.h"

#include <errno.h>

#define BATCH 1024
#define QUEUE_LEAST 4096
#define HEAD_BYTES 48 /* as far as the type word behind the largest pre-header */
#define HOOKED_BYTES (2 * HOOKS_FRONT + HEAD_BYTES)
/* The mappings are read again when a type seems to lie outside of them, but not more often than
 * this. */
#define MAPS_AGE_NS NSEC_PER_SEC

struct fresh_block {
	uint64_t addr, time_ns;
};

/* Those that wait for the same look, the oldest first: a ring, a power of two. */
struct fresh_queue {
	struct fresh_block *blocks;
	size_t room, head, count;
};

struct fresh {
	const struct process *proc;
	const struct layout *layout;
	struct memory *mem;
	bool hooked;
	struct maps *maps;
	struct types *types;
	struct fresh_queue queues[FRESH_LOOKS];
	/* A batch under way. */
	struct fresh_block batch[BATCH];
	uint8_t data[BATCH][HOOKED_BYTES];
	struct memory_piece pieces[BATCH];
};

static bool fresh_may_be_type(const void *ctx, uint64_t addr)
{
	const struct fresh *fresh = ctx;

	return maps_find(fresh->maps, addr);
}

int fresh_new(const struct process *proc, const struct layout *layout, struct memory *mem,
	      bool hooked, struct fresh **ret)
{
	struct fresh *fresh = calloc(1, sizeof(*fresh));
	int r;

	if (!fresh)
		return -ENOMEM;
	fresh->proc = proc;
	fresh->layout = layout;
	fresh->mem = mem;
	fresh->hooked = hooked;
	r = maps_read(proc, &fresh->maps);
	if (!r)
		r = types_new(layout, mem, fresh_may_be_type, fresh, &fresh->types);
	if (r < 0) {
		fresh_free(fresh);
		return r;
	}
	*ret = fresh;
	return 0;
}

void fresh_free(struct fresh *fresh)
{
	for (size_t i = 0; i < FRESH_LOOKS; i++)
		free(fresh->queues[i].blocks);
	types_freep(&fresh->types);
	maps_freep(&fresh->maps);
	free(fresh);
}

static int fresh_grow(struct fresh_queue *queue)
{
	size_t room = queue->room ? 2 * queue->room : QUEUE_LEAST;
	struct fresh_block *blocks = reallocarray(NULL, room, sizeof(*blocks));

	if (!blocks)
		return -ENOMEM;
	for (size_t i = 0; i < queue->count; i++)
		blocks[i] = queue->blocks[(queue->head + i) & (queue->room - 1)];
	free(queue->blocks);
	*queue = (struct fresh_queue){ blocks, room, 0, queue->count };
	return 0;
}

static int fresh_add(struct fresh_queue *queue, const struct fresh_block *block)
{
	if (queue->count == queue->room) {
		int r = fresh_grow(queue);

		if (r < 0)
			return r;
	}
	queue->blocks[(queue->head + queue->count++) & (queue->room - 1)] = *block;
	return 0;
}

int fresh_push(struct fresh *fresh, uint64_t addr, uint64_t now_ns)
{
	return fresh_add(&fresh->queues[0], &(struct fresh_block){ addr, now_ns });
}

void fresh_clear(struct fresh *fresh)
{
	for (size_t i = 0; i < FRESH_LOOKS; i++)
		fresh->queues[i].count = 0;
}

/* The object's type when @data are the first bytes of a block with a live object, else 0. */
static uint64_t fresh_type_of_live(struct fresh *fresh, const uint8_t *data)
{
	const struct layout *l = fresh->layout;

	for (uint32_t pre = 0; pre <= 32; pre += 16) {
		const struct type *type;

		if (refcount_state(l, data + pre) != REFCOUNT_LIVE)
			continue;
		type = types_get(fresh->types, load_u64(data + pre + l->ob_type));
		if (type && type->pre == pre)
			return type->addr;
	}
	return 0;
}

/* What is behind the headers of debug hooks. */
static const uint8_t *content(const struct fresh *fresh, const uint8_t *data)
{
	return fresh->hooked ? data + HOOKS_FRONT * hooks_count(data, HOOKED_BYTES) : data;
}

/* @later: who has no type waits there for another look; NULL: it was the last. */
static int fresh_resolve_batch(struct fresh *fresh, size_t count, const struct fresh_asker *asker,
			       struct fresh_queue *later)
{
	size_t bytes = fresh->hooked ? HOOKED_BYTES : HEAD_BYTES;
	struct memory_piece *pieces = fresh->pieces;
	ssize_t r;

	for (size_t i = 0; i < count; i++)
		pieces[i] = (struct memory_piece){ fresh->batch[i].addr, fresh->data[i], bytes, 0 };
	r = memory_read_batch(fresh->mem, pieces, count);
	if (r >= 0)
		asker->catch_up(asker->ctx);
	for (size_t i = 0; r >= 0 && i < count; i++) {
		const struct fresh_block block = fresh->batch[i];
		uint64_t type;

		if (!asker->wanted(asker->ctx, block.addr, block.time_ns))
			continue;
		type = pieces[i].got ? fresh_type_of_live(fresh, content(fresh, fresh->data[i]))
				     : 0;
		asker->typed(asker->ctx, block.addr, type);
		if (!type && later)
			r = fresh_add(later, &block);
	}
	return r < 0 ? (int)r : 0;
}

/* Those of one queue that were handed out before @before_ns. It may grow meanwhile. */
static int fresh_resolve_queue(struct fresh *fresh, struct fresh_queue *queue, uint64_t before_ns,
			       const struct fresh_asker *asker, struct fresh_queue *later)
{
	size_t count = 0;
	int r = 0;

	for (;;) {
		const struct fresh_block *block = queue->count ? &queue->blocks[queue->head] : NULL;
		bool more = block && block->time_ns <= before_ns;

		if (!r && (count == BATCH || (!more && count))) {
			r = fresh_resolve_batch(fresh, count, asker, later);
			count = 0;
			continue;
		}
		if (!more || r < 0)
			return r;
		if (asker->wanted(asker->ctx, block->addr, block->time_ns))
			fresh->batch[count++] = *block;
		queue->head = (queue->head + 1) & (queue->room - 1);
		queue->count--;
	}
}

int fresh_resolve(struct fresh *fresh, uint64_t before_ns, const struct fresh_asker *asker)
{
	bool last = before_ns == UINT64_MAX;
	uint64_t age = FRESH_AGE_NS;
	int r = 0;

	for (size_t i = 0; !r && i < FRESH_LOOKS; i++, age *= 10) {
		uint64_t older = last ? 0 : age - FRESH_AGE_NS;
		struct fresh_queue *later = last || i + 1 == FRESH_LOOKS ? NULL
									 : &fresh->queues[i + 1];

		if (before_ns >= older)
			r = fresh_resolve_queue(fresh, &fresh->queues[i], before_ns - older, asker,
						later);
	}
	return r;
}

uint64_t fresh_type_of_dead(struct fresh *fresh, const struct session_event *event)
{
	static const uint8_t flags[] = { EVENT_FREE_DEAD_0, EVENT_FREE_DEAD_16,
					 EVENT_FREE_DEAD_32 };

	for (uint32_t i = 0; i < ARRAY_SIZE(flags); i++) {
		const struct type *type;

		if (!(event->flags & flags[i]))
			continue;
		type = types_get(fresh->types, event->types[i]);
		if (type && type->pre == 16 * i)
			return type->addr;
	}
	return 0;
}
