/* SPDX-License-Identifier: BSD-2-Clause */
#include "attribute/classify.h"

#include "attribute/attributes.h"
#include "attribute/builtins.h"
#include "attribute/generic.h"
#include "attribute/refcount.h"
#include "base/util.h"

/* What can be in front of an object: nothing, GC head or pre-header, both. The first words of a GC
 * head are no count, so the order is also the cheapest. */
static const uint32_t fronts[] = { 0, 16, 32 };

/* In programs without a load bias the image and malloc's heap lie low: an address there could pass
 * for a count. */
static bool is_low_address(const struct worker *w, uint64_t word)
{
	return !(word % 8) && ((word >= w->static_lo && word < w->static_hi) ||
			       (word >= w->heap_lo && word < w->heap_hi));
}

/*
 * With its type in place and a count of 0: dead, or a buffer that still has the first words of the
 * object that was there before? (The values of 3.11 and 3.12 begin with bytes that nobody sets.)
 * All that free lists keep with type and count is GC's. From 3.14 on their link stands in the
 * count, and leads to a block of the same size; the last of a list is told by the list.
 */
static bool may_be_dead(struct worker *w, const struct type *type, const uint8_t *obj,
			uint64_t size)
{
	uint64_t link = refcount_word(w->layout, obj);

	if (w->layout->refcount != LAYOUT_REFCOUNT_FLAGS || !link)
		return type->flags & TPFLAGS_HAVE_GC;
	return worker_block_at(w, link - type->pre) == size + w->shared->hooks.extra;
}

/* An object with @pre bytes in front? */
static enum block_kind classify_at(struct worker *w, const uint8_t *data, uint32_t pre,
				   uint64_t size, struct type **ret_type)
{
	const struct layout *l = w->layout;
	const uint8_t *obj = data + pre;
	enum refcount_state state = refcount_state(l, obj);
	struct type *type;

	if (state == REFCOUNT_NONSENSE)
		return BLOCK_RAW;
	type = types_get(w->types, load_u64(obj + l->ob_type));
	if (!type || type->pre != pre || type->min_size > size)
		return BLOCK_RAW;
	if (is_low_address(w, refcount_word(l, obj)) ||
	    (state == REFCOUNT_DEAD && !may_be_dead(w, type, obj, size)))
		return BLOCK_RAW;
	*ret_type = type;
	return state == REFCOUNT_LIVE ? BLOCK_OBJECT : BLOCK_DEAD;
}

/*
 * Only where nothing is in front can a count stand at the start of a header: a tuple of two classes
 * (a class's mro is one) has its length and its first item where an instance of that class has
 * count and type.
 */
static inline bool has_front(const struct worker *w, const uint8_t *data, uint32_t pre)
{
	uint64_t word = pre ? load_u64(data + pre - 16) : 0; /* GC head, or two pointers */

	return !word || word >= REFCOUNT_MAX ||
	       is_low_address(w, word & ~3ull); /* less the flags of gc_next */
}

/* Most neighbours are alike: is this a live object of a type that was just met? */
static inline bool is_another(const struct worker *w, const uint8_t *data, const struct type *type)
{
	const uint8_t *obj = data + type->pre;
	uint64_t word = refcount_word(w->layout, obj);

	if (load_u64(obj + w->layout->ob_type) != type->addr || !has_front(w, data, type->pre))
		return false;
	if (!w->refcount_dead_mask)
		return refcount_state(w->layout, obj) == REFCOUNT_LIVE;
	return (uint32_t)word && !(word & w->refcount_dead_mask) && !is_low_address(w, word);
}

enum block_kind classify_block(struct worker *worker, const uint8_t *data, uint32_t len,
			       uint64_t size, struct type **ret_type)
{
	for (size_t i = 0; i < ARRAY_SIZE(fronts); i++) {
		enum block_kind kind;

		/* Most buffers fail here: not worth a call. */
		if (fronts[i] + worker->layout->sizeof_object > len ||
		    refcount_state(worker->layout, data + fronts[i]) == REFCOUNT_NONSENSE)
			continue;
		kind = classify_at(worker, data, fronts[i], size, ret_type);
		if (kind != BLOCK_RAW)
			return kind;
	}
	return BLOCK_RAW;
}

/* Books one object to its row. Where it has no attributes, that follows from the count: heap.c,
 * complete_tally(). */
static void visit_object(struct worker *w, struct type *type, const uint8_t *data, uint32_t len,
			 uint64_t addr, uint64_t size)
{
	struct object obj = {
		.addr = addr + type->pre,
		.data = data + type->pre,
		.len = len - type->pre,
		.block_addr = addr,
		.block_size = size,
	};

	type->tally.objects++;
	type->tally.parts[TALLY_OBJECT] += (int64_t)size;
	if (type->addr == w->shared->samples_type)
		samples_meet(&w->samples, obj.addr, size);
	if (type->shape != TYPE_SHAPE_OTHER) {
		type->tally.sizeof_bytes += builtins_sizeof(&type->size, obj.data, size);
		return;
	}
	if (type->builtin && type->builtin->visit) {
		type->builtin->visit(w, type, &obj);
	} else {
		type->tally.sizeof_bytes +=
			builtins_plain_size(type, builtins_items(w, type, &obj)) +
			(type->builtin ? type->builtin->more : 0);
		if (!type->builtin)
			generic_visit(w, type, &obj);
	}
	if (type->dict_at != TYPE_DICT_NONE || type->has_slots)
		attributes_visit(w, type, &obj, data);
}

/* Dead objects that do not look it: their type word, or all of them, was overwritten. */
static bool is_on_free_list(const struct worker *w, uint64_t addr)
{
	const struct freelists *dead = &w->shared->census->dead;

	return freelists_has(dead, addr) || freelists_has(dead, addr + w->layout->gc_head_size);
}

/* Books a block of which the one before it said nothing. @len bytes of it are the program's, from
 * @addr on. */
static struct type *classify_new(struct worker *w, const uint8_t *data, uint64_t addr,
				 uint32_t class, uint32_t len)
{
	struct type *type = NULL;

	switch (classify_block(w, data, len, len, &type)) {
	case BLOCK_OBJECT:
		return type;
	case BLOCK_DEAD:
		w->dead_blocks[class]++;
		break;
	case BLOCK_RAW:
		if (w->pool_has_dead && is_on_free_list(w, addr))
			w->dead_blocks[class]++;
		else
			w->raw_blocks[class]++;
		break;
	}
	return NULL;
}

/* For the ledger: every block that the allocator has given out, dead objects included. */
static void hand_out_blocks(const struct attribution *shared, const struct pool *pool)
{
	for (uint32_t i = 0; i < pool->blocks_count; i++)
		if (!pool_is_free(pool, i))
			shared->block(shared->block_ctx, pool_block_addr(pool, shared->layout, i),
				      pool->block_size, true);
}

/* A type that was met in the pool at hand, and what was seen of it since: booked when another takes
 * its place. */
struct recent {
	struct type *type;
	int64_t objects, sizeof_bytes;
};

#define RECENT 4 /* pairs that are allocated together alternate */

static void recent_book(struct recent *recent, const struct pool *pool)
{
	if (!recent->objects)
		return;
	recent->type->tally.objects += recent->objects;
	recent->type->tally.parts[TALLY_OBJECT] += recent->objects * pool->block_size;
	recent->type->tally.sizeof_bytes += recent->sizeof_bytes;
	recent->objects = recent->sizeof_bytes = 0;
}

static inline struct recent *recent_find(const struct worker *w, struct recent *recent,
					 const uint8_t *data)
{
	for (int i = 0; i < RECENT; i++)
		if (recent[i].type && is_another(w, data, recent[i].type))
			return &recent[i];
	return NULL;
}

/* Block @i, of no recent type: what it is takes the place of the older one. NULL where it is no
 * live object. */
static struct recent *recent_replace(struct worker *w, struct recent *recent,
				     const struct pool *pool, const uint8_t *data, uint32_t i)
{
	struct type *type =
		classify_new(w, data, pool_block_addr(pool, w->layout, i) + w->shared->hooks.front,
			     pool->size_class, pool->block_size - w->shared->hooks.extra);

	if (!type)
		return NULL;
	recent_book(&recent[RECENT - 1], pool);
	memmove(recent + 1, recent, (RECENT - 1) * sizeof(*recent));
	recent[0] = (struct recent){ .type = type };
	return &recent[0];
}

void classify_pool(struct census_visitor *visitor, const struct pool *pool)
{
	struct worker *w = visitor->ctx;
	const uint8_t *data = pool->data + w->layout->pool_overhead + w->shared->hooks.front;
	bool full = pool->inuse_count == pool->blocks_count;
	struct recent recent[RECENT] = {};

	if (w->shared->block)
		hand_out_blocks(w->shared, pool);
	if (pool->block_size <=
	    w->shared->hooks.extra) { /* no room for what the hooks put around each block */
		w->raw_blocks[pool->size_class] += pool->inuse_count;
		return;
	}
	w->pool_has_dead = freelists_have_any(&w->shared->census->dead, pool->addr,
					      pool->addr + w->layout->pool_size);
	for (uint32_t i = 0; i < pool->blocks_count; i++, data += pool->block_size) {
		struct recent *found;

		if (!full && pool_is_free(pool, i))
			continue;
		found = recent_find(w, recent, data);
		if (!found)
			found = recent_replace(w, recent, pool, data, i);
		if (!found)
			continue;
		w->object_blocks[pool->size_class]++;
		if (found->type->shape == TYPE_SHAPE_OTHER) {
			visit_object(w, found->type, data,
				     pool->block_size - w->shared->hooks.extra,
				     pool_block_addr(pool, w->layout, i) + w->shared->hooks.front,
				     pool->block_size);
			continue;
		}
		if (found->type->addr == w->shared->samples_type)
			samples_meet(&w->samples,
				     pool_block_addr(pool, w->layout, i) + w->shared->hooks.front +
					     found->type->pre,
				     pool->block_size);
		found->objects++;
		found->sizeof_bytes += builtins_sizeof(&found->type->size, data + found->type->pre,
						       pool->block_size);
	}
	for (int i = 0; i < RECENT; i++)
		recent_book(&recent[i], pool);
}

/*
 * A chunk that comes from a fast bin keeps the bin's link until its owner writes: where a dead
 * object had its count stands an address of the heap or 0, mangled with the chunk's own place
 * (glibc's PROTECT_PTR, 2.32+). In a heap that lies low that passes for a count.
 */
static bool is_bin_link(const struct worker *w, uint64_t addr, uint64_t word)
{
	uint64_t next = word ^ (addr >> 12);

	return !next || (!(next % 16) && next >= w->heap_lo && next < w->heap_hi);
}

void classify_chunk(struct census_visitor *visitor, const struct glibc_chunk *chunk)
{
	struct worker *w = visitor->ctx;
	uint32_t hooks = w->shared->hooks.front ? hooks_count(chunk->data, chunk->data_len) : 0;
	const uint8_t *data = chunk->data + hooks * HOOKS_FRONT;
	uint32_t len = chunk->data_len - hooks * HOOKS_FRONT;
	struct type *type;
	/* The chunk's first word is malloc's. */
	uint64_t size = chunk->size - 8 - hooks * HOOKS_EXTRA;
	/* Where there are hooks, all objects have them. */
	bool object = (hooks || !w->shared->hooks.front) &&
		      classify_block(w, data, len, size, &type) == BLOCK_OBJECT &&
		      (hooks || type->pre || !is_bin_link(w, chunk->addr, load_u64(data)));

	if (w->shared->block)
		/* With mimalloc nothing that Python allocates comes from here. */
		w->shared->block(w->shared->block_ctx, chunk->addr, chunk->size,
				 object && !w->shared->census->mimalloc.count);
	if (!object)
		return; /* a buffer that its owner claims, a dead object, or memory of native code
			 */
	w->malloc_bytes += chunk->size;
	visit_object(w, type, data, len, chunk->addr + hooks * HOOKS_FRONT, chunk->size);
}

/* The heap that a block is of says whether it is an object, and what is in front of it. */
void classify_mimalloc(struct census_visitor *visitor, const struct mimalloc_block *block)
{
	static const int64_t pre_of[MIMALLOC_HEAPS] = {
		[MIMALLOC_RAW] = -1, [MIMALLOC_GC_PRE] = 16
	};
	struct worker *w = visitor->ctx;
	const struct hooks *hooks = &w->shared->hooks;
	uint64_t pre = (uint64_t)pre_of[block->heap], addr = block->addr + hooks->front;
	const uint8_t *data = block->data + hooks->front;
	enum block_kind kind = BLOCK_RAW;
	struct type *type = NULL;

	if (w->shared->block)
		w->shared->block(w->shared->block_ctx, block->addr, block->size, true);
	if (pre_of[block->heap] >= 0 && block->len >= hooks->extra + pre + w->layout->sizeof_object)
		kind = classify_at(w, data, (uint32_t)pre, block->size - hooks->extra, &type);
	if (kind == BLOCK_OBJECT) {
		worker_sum_add(&w->mi_objects, 1, block->size);
		visit_object(w, type, data, block->len - hooks->extra, addr, block->size);
	} else if (kind == BLOCK_DEAD || is_on_free_list(w, addr) ||
		   is_on_free_list(w, addr + pre)) {
		worker_sum_add(&w->mi_dead, 1, block->size);
	} else {
		worker_sum_add(&w->mi_raw, 1, block->size);
	}
}

void classify_done(struct census_visitor *visitor)
{
	worker_flush(visitor->ctx);
}
