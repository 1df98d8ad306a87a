/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/fresh.h"

#include "attribute/hooks.h"
#include "attribute/refcount.h"
#include "attribute/types.h"
#include "base/util.h"
#include "target/maps.h"

#include <errno.h>

#define BATCH 1024
#define HEAD_BYTES 48 /* as far as the type word behind the largest pre-header */
#define HOOKED_BYTES (2 * HOOKS_FRONT + HEAD_BYTES)
/* The mappings are read again when a type seems to lie outside of them, but not more often than
 * this. */
#define MAPS_AGE_NS NSEC_PER_SEC

struct fresh_block {
	uint64_t addr, time_ns;
};

struct fresh {
	const struct process *proc;
	const struct layout *layout;
	struct memory *mem;
	bool hooked;
	struct maps *maps;
	struct types *types;
	struct fresh_block *queue; /* a ring, a power of two */
	size_t room, head, count;
	/* A batch under way. */
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
	fresh->room = 4096;
	fresh->queue = calloc(fresh->room, sizeof(*fresh->queue));
	r = fresh->queue ? maps_read(proc, &fresh->maps) : -ENOMEM;
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
	free(fresh->queue);
	types_freep(&fresh->types);
	maps_freep(&fresh->maps);
	free(fresh);
}

static int fresh_grow(struct fresh *fresh)
{
	struct fresh_block *queue = reallocarray(NULL, fresh->room * 2, sizeof(*queue));

	if (!queue)
		return -ENOMEM;
	for (size_t i = 0; i < fresh->count; i++)
		queue[i] = fresh->queue[(fresh->head + i) & (fresh->room - 1)];
	free(fresh->queue);
	fresh->queue = queue;
	fresh->room *= 2;
	fresh->head = 0;
	return 0;
}

int fresh_push(struct fresh *fresh, uint64_t addr, uint64_t now_ns)
{
	if (fresh->count == fresh->room) {
		int r = fresh_grow(fresh);

		if (r < 0)
			return r;
	}
	fresh->queue[(fresh->head + fresh->count++) & (fresh->room - 1)] =
		(struct fresh_block){ addr, now_ns };
	return 0;
}

void fresh_clear(struct fresh *fresh)
{
	fresh->count = 0;
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

static ssize_t fresh_resolve_batch(struct fresh *fresh, const uint64_t *addrs, size_t count,
				   fresh_typed_fn *typed, void *ctx)
{
	uint8_t(*data)[HOOKED_BYTES] = fresh->data;
	struct memory_piece *pieces = fresh->pieces;
	size_t bytes = fresh->hooked ? HOOKED_BYTES : HEAD_BYTES;
	ssize_t r;

	for (size_t i = 0; i < count; i++)
		pieces[i] = (struct memory_piece){ addrs[i], data[i], bytes, 0 };
	r = memory_read_batch(fresh->mem, pieces, count);
	for (size_t i = 0; r >= 0 && i < count; i++)
		typed(ctx, addrs[i],
		      pieces[i].got ? fresh_type_of_live(fresh, content(fresh, data[i])) : 0);
	return r;
}

int fresh_resolve(struct fresh *fresh, uint64_t before_ns, fresh_wanted_fn *wanted,
		  fresh_typed_fn *typed, void *ctx)
{
	uint64_t addrs[BATCH];
	size_t count = 0;

	for (;;) {
		const struct fresh_block *block = &fresh->queue[fresh->head];
		bool more = fresh->count && block->time_ns <= before_ns;

		if (count == BATCH || (!more && count)) {
			ssize_t r = fresh_resolve_batch(fresh, addrs, count, typed, ctx);

			if (r < 0)
				return (int)r;
			count = 0;
		}
		if (!more)
			return 0;
		if (wanted(ctx, block->addr, block->time_ns))
			addrs[count++] = block->addr;
		fresh->head = (fresh->head + 1) & (fresh->room - 1);
		fresh->count--;
	}
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
