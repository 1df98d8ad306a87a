/* SPDX-License-Identifier: BSD-2-Clause */
#include "attribute/classify.h"

#include "attribute/attributes.h"
#include "attribute/builtins.h"
#include "attribute/generic.h"
#include "attribute/refcount.h"
#include "base/util.h"

/* What can be in front of an object: nothing, GC head or pre-header, both. The first words of a GC
 * head are no count, so the order is also the cheapest. */
#define FRONT 16u
static const uint32_t fronts[] = { 0, FRONT, 2 * FRONT };

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

/* What there is to say of one object beyond that it is there and how large its block is. Where it
 * has no attributes, that follows from the count: heap.c, complete_tally(). */
static inline void visit_insides(struct worker *w, struct type *type, const uint8_t *data,
				 uint32_t len, uint64_t addr, uint64_t size)
{
	struct object obj = {
		.addr = addr + type->pre,
		.data = data + type->pre,
		.len = len - type->pre,
		.block_addr = addr,
		.block_size = size,
	};

	if (type->builtin && type->builtin->visit) {
		type->builtin->visit(w, type, &obj);
	} else {
		worker_tally(w, type)->sizeof_bytes +=
			builtins_plain_size(type, builtins_items(w, type, &obj)) +
			(type->builtin ? type->builtin->more : 0);
		if (!type->builtin)
			generic_visit(w, type, &obj);
	}
	if (type->dict_at != TYPE_DICT_NONE || type->has_slots)
		attributes_visit(w, type, &obj, data);
}

/* Books one object to its row. */
static void visit_object(struct worker *w, struct type *type, const uint8_t *data, uint32_t len,
			 uint64_t addr, uint64_t size)
{
	struct tally *tally = worker_tally(w, type);

	tally->objects++;
	tally->parts[TALLY_OBJECT] += (int64_t)size;
	if (type->addr == w->shared->samples_type)
		samples_meet(&w->samples, addr + type->pre, size);
	if (type->shape < TYPE_SHAPE_FIXED)
		visit_insides(w, type, data, len, addr, size);
	else
		tally->sizeof_bytes += builtins_sizeof(&type->size, data + type->pre, size);
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

/*
 * A type that was met in the pool at hand, and what was seen of it since: booked when another takes
 * its place. What tells its instances is at hand here: most neighbours are alike, and this is
 * looked at for each block there is.
 */
struct recent {
	struct type *type;
	uint64_t addr;		    /* of the type */
	uint32_t type_at, count_at; /* where in a block an instance has them */
	uint32_t pre;
	enum type_shape shape;
	bool sampled;
	struct recent *next; /* that came after it the last time */
	int64_t objects, sizeof_bytes;
	int64_t lists, items, buffers_bytes; /* of lists that were seen to be usual */
};

#define RECENT 4 /* what is allocated together alternates */

/* The pool at hand. */
struct walk {
	struct worker *worker;
	const struct pool *pool;
	uint64_t first;	       /* address of the first block's first usable byte */
	uint64_t dead_mask;    /* see refcount_dead_mask() */
	uint32_t usable;       /* bytes of a block that are the program's */
	uint32_t fronts_count; /* of those in front of an object, as many as fit */
	bool is_low, has_dead; /* as in the worker */
	size_t recent_count, recent_made;
	struct recent recent[RECENT];
};

static void recent_book(struct recent *recent, const struct walk *walk)
{
	struct tally *tally = worker_tally(walk->worker, recent->type);

	if (recent->shape == TYPE_SHAPE_FIXED)
		recent->sizeof_bytes = recent->objects * recent->type->size.base;
	if (recent->shape == TYPE_SHAPE_LIST) {
		recent->sizeof_bytes = recent->lists * recent->type->size.base + 8 * recent->items;
		tally->capacity_used += recent->items;
		tally->capacity_owned += recent->items;
		tally->parts[TALLY_BUFFER] += recent->buffers_bytes;
	}
	tally->objects += recent->objects;
	tally->parts[TALLY_OBJECT] += recent->objects * walk->pool->block_size;
	tally->sizeof_bytes += recent->sizeof_bytes;
	walk->worker->object_blocks[walk->pool->size_class] += (uint64_t)recent->objects;
}

/* Is this a live object of that type? */
static inline bool is_another(const struct walk *walk, const uint8_t *data,
			      const struct recent *recent)
{
	uint64_t word;

	if (load_u64(data + recent->type_at) != recent->addr)
		return false;
	if (walk->dead_mask) {
		word = load_u64(data + recent->count_at);
		if (!(uint32_t)word || (word & walk->dead_mask) ||
		    (walk->is_low && is_low_address(walk->worker, word)))
			return false;
	} else if (refcount_state(walk->worker->layout, data + recent->pre) != REFCOUNT_LIVE) {
		return false;
	}
	return !recent->pre || has_front(walk->worker, data, recent->pre);
}

/* Most buffers hold nothing that could be a count and a type, wherever an object could have them.
 */
static inline bool is_plainly_raw(const struct walk *walk, const uint8_t *data)
{
	const struct layout *l = walk->worker->layout;

	for (uint32_t i = 0; i < walk->fronts_count; i++, data += FRONT)
		if (types_may_be_at(load_u64(data + l->ob_type)) &&
		    refcount_state(l, data) != REFCOUNT_NONSENSE)
			return false;
	return !walk->has_dead;
}

/* The place of the oldest one is @type's. */
static struct recent *recent_add(struct walk *walk, struct type *type)
{
	struct recent *recent = &walk->recent[walk->recent_made++ % RECENT];
	const struct worker *w = walk->worker;

	if (walk->recent_count < RECENT)
		walk->recent_count++;
	else
		recent_book(recent, walk);
	*recent = (struct recent){
		.type = type,
		.addr = type->addr,
		.type_at = type->pre + w->layout->ob_type,
		.count_at = type->pre + w->layout->ob_refcnt,
		.pre = type->pre,
		.shape = type->shape,
		.sampled = type->addr == w->shared->samples_type,
		.next = recent,
	};
	return recent;
}

/* A live object at @data of one of the recent types, or NULL. */
static inline struct recent *recent_find(struct walk *walk, const uint8_t *data)
{
	for (size_t k = 0; k < walk->recent_count; k++)
		if (is_another(walk, data, &walk->recent[k]))
			return &walk->recent[k];
	return NULL;
}

/* Block @i, of no recent type. NULL: no live object. */
static __attribute__((noinline)) struct recent *recent_make(struct walk *walk, const uint8_t *data,
							    uint32_t i)
{
	struct type *type = classify_new(walk->worker, data,
					 walk->first + (uint64_t)i * walk->pool->block_size,
					 walk->pool->size_class, walk->usable);

	return type ? recent_add(walk, type) : NULL;
}

/* Full, its items in a block of a pool: nearly all lists are. What visit_list() says of others
 * costs twice the time. */
static inline bool visit_usual_list(struct walk *walk, struct recent *recent, const uint8_t *obj)
{
	struct worker *w = walk->worker;
	const struct layout *l = w->layout;
	uint64_t items = load_u64(obj + l->list_items), count = load_u64(obj + l->ob_size);
	uint32_t front = l->list_items_front, size;

	if (!items || load_u64(obj + l->list_allocated) != count || count > l->small_request_max)
		return false;
	size = worker_usual_block(w, items - front, 8 * count + front);
	if (!size)
		return false;
	w->claimed_blocks[size / POOLMAP_GRAIN - 1]++;
	recent->lists++;
	recent->items += (int64_t)count;
	recent->buffers_bytes += size;
	return true;
}

/* ASCII, with its characters behind its header, and no other representation. */
static inline bool visit_usual_str(struct walk *walk, struct recent *recent, const uint8_t *obj)
{
	const struct layout *l = walk->worker->layout;
	uint32_t compact_ascii = l->str_compact_mask | l->str_ascii_mask;
	uint64_t length = load_u64(obj + l->str_length);

	if ((load_u32(obj + l->str_state) & compact_ascii) != compact_ascii ||
	    walk->worker->strings || length > l->small_request_max ||
	    (l->str_wstr != LAYOUT_NONE && load_u64(obj + l->str_wstr)))
		return false;
	recent->sizeof_bytes += (int64_t)(recent->pre + l->sizeof_ascii + length + 1);
	return true;
}

static inline bool visit_usual(struct walk *walk, struct recent *recent, const uint8_t *obj)
{
	if (recent->shape == TYPE_SHAPE_LIST)
		return visit_usual_list(walk, recent, obj);
	return recent->shape == TYPE_SHAPE_STR && visit_usual_str(walk, recent, obj);
}

static inline void visit_block(struct walk *walk, struct recent *recent, const uint8_t *data,
			       uint64_t addr)
{
	uint32_t size = walk->pool->block_size;

	recent->objects++;
	if (recent->sampled)
		samples_meet(&walk->worker->samples, addr + recent->pre, size);
	if (recent->shape < TYPE_SHAPE_FIXED) {
		if (!visit_usual(walk, recent, data + recent->pre))
			visit_insides(walk->worker, recent->type, data, walk->usable, addr, size);
	} else if (recent->shape != TYPE_SHAPE_FIXED) {
		recent->sizeof_bytes +=
			builtins_sizeof(&recent->type->size, data + recent->pre, size);
	}
}

static void walk_blocks(struct walk *walk)
{
	const struct pool *pool = walk->pool;
	const uint8_t *start =
		pool->data + walk->worker->layout->pool_overhead + walk->worker->hooks_front;
	bool full = pool->inuse_count == pool->blocks_count;
	uint32_t count = pool->blocks_count, size = pool->block_size;
	struct recent *last = NULL; /* met */
	uint64_t raw = 0;

	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *data = start + (size_t)i * size;
		struct recent *found = last ? last->next : NULL;

		if (!full && pool_is_free(pool, i))
			continue;
		if (!found || !is_another(walk, data, found)) {
			found = recent_find(walk, data);
			if (!found && is_plainly_raw(walk, data)) {
				raw++;
				continue;
			}
			if (!found)
				found = recent_make(walk, data, i);
			if (!found)
				continue;
			if (last)
				last->next = found;
		}
		last = found;
		visit_block(walk, found, data, walk->first + (uint64_t)i * size);
	}
	walk->worker->raw_blocks[pool->size_class] += raw;
}

void classify_pool(struct census_visitor *visitor, const struct pool *pool)
{
	struct worker *w = visitor->ctx;
	struct walk walk;

	if (w->shared->block)
		hand_out_blocks(w->shared, pool);
	if (pool->block_size <=
	    w->hooks_extra) { /* no room for what the hooks put around each block */
		w->raw_blocks[pool->size_class] += pool->inuse_count;
		return;
	}
	w->pool_has_dead = freelists_have_any(&w->shared->census->dead, pool->addr,
					      pool->addr + w->layout->pool_size);
	/* One by one: what of the recent types is there, recent_count says. */
	walk.worker = w;
	walk.pool = pool;
	walk.first = pool_block_addr(pool, w->layout, 0) + w->hooks_front;
	walk.dead_mask = w->refcount_dead_mask;
	walk.usable = pool->block_size - w->hooks_extra;
	walk.is_low = w->is_low;
	walk.has_dead = w->pool_has_dead;
	walk.recent_count = walk.recent_made = 0;
	walk.fronts_count = 0;
	while (walk.fronts_count < ARRAY_SIZE(fronts) &&
	       fronts[walk.fronts_count] + w->layout->sizeof_object <= walk.usable)
		walk.fronts_count++;
	walk_blocks(&walk);
	for (size_t i = 0; i < walk.recent_count; i++)
		recent_book(&walk.recent[i], &walk);
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
