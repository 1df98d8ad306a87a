/* SPDX-License-Identifier: BSD-2-Clause */
#include "attribute/types.h"

#include "attribute/builtins.h"
#include "base/util.h"

#include <errno.h>
#include <pthread.h>

/* A class statement in a loop can make many; a hostile target must not make us keep more. */
#define TYPES_MAX (1u << 20)
#define BASICSIZE_MAX (1 << 20)
#define META_DEPTH_MAX 5
/* How many bases are followed at once: each is a call inside the other, and a thread's stack has an
 * end. */
#define BASES_MAX 256
/* Addresses that turned out to be no types: a direct-mapped memory of the last ones. */
#ifndef NEGATIVES /* the fuzzers have fewer */
#define NEGATIVES 65536
#endif
#define HEAP_TYPE_SIZE_MAX 1024

/* Types stay where they are, so that one can be looked at while others are added. */
#define SLAB 1024u
#define SLABS (TYPES_MAX / SLAB)

/* Where types are, by address: open addressing, a power of two. */
struct types_table {
	struct types_table *former; /* that it took the place of: somebody may still look there */
	size_t room;
	uint32_t slots[]; /* index + 1; 0: empty */
};

struct types {
	const struct layout *layout;
	struct memory *mem;
	bool (*is_possible)(const void *ctx, uint64_t addr);
	const void *ctx;
	/* Held where anything changes. What is there and complete is found without. */
	pthread_mutex_t lock;
	struct types_table *table;
	struct type *slabs[SLABS];
	size_t count;
	int depth; /* of bases being loaded now */
	uint64_t negatives[NEGATIVES];
};

static struct types_table *types_table_new(size_t room, struct types_table *former)
{
	struct types_table *table = calloc(1, sizeof(*table) + room * sizeof(table->slots[0]));

	if (!table)
		return NULL;
	table->room = room;
	table->former = former;
	return table;
}

int types_new(const struct layout *layout, struct memory *mem,
	      bool (*is_possible)(const void *ctx, uint64_t addr), const void *ctx,
	      struct types **ret)
{
	struct types *types = calloc(1, sizeof(*types));
	pthread_mutexattr_t attr;

	if (!types)
		return -ENOMEM;
	types->layout = layout;
	types->mem = mem;
	types->is_possible = is_possible;
	types->ctx = ctx;
	/* A base is looked up while its heir is read. */
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&types->lock, &attr);
	pthread_mutexattr_destroy(&attr);
	types->table = types_table_new(2 * SLAB, NULL);
	if (!types->table) {
		types_free(types);
		return -ENOMEM;
	}
	*ret = types;
	return 0;
}

void types_free(struct types *types)
{
	struct types_table *former;

	for (size_t i = 0; i < types->count; i++) {
		tally_packed_fini(&types_at(types, i)->settled);
		free(types_at(types, i)->samples);
	}
	for (size_t i = 0; i < SLABS; i++)
		free(types->slabs[i]);
	for (struct types_table *table = types->table; table; table = former) {
		former = table->former;
		free(table);
	}
	pthread_mutex_destroy(&types->lock);
	free(types);
}

size_t types_count(const struct types *types)
{
	return types->count;
}

struct type *types_at(const struct types *types, size_t i)
{
	return &types->slabs[i / SLAB][i % SLAB];
}

/* The slot of @addr, or the empty one that it would have. */
static inline uint32_t *types_slot(const struct types *types, struct types_table *table,
				   uint64_t addr)
{
	size_t mask = table->room - 1, i = (addr >> 3) * 0x9e3779b97f4a7c15ull >> 20 & mask;

	for (;; i = (i + 1) & mask) {
		uint32_t slot = __atomic_load_n(&table->slots[i], __ATOMIC_ACQUIRE);

		if (!slot || types_at(types, slot - 1)->addr == addr)
			return &table->slots[i];
	}
}

/* NULL: not met yet. It may be incomplete. */
static inline struct type *types_find(const struct types *types, uint64_t addr)
{
	struct types_table *table = __atomic_load_n(&types->table, __ATOMIC_ACQUIRE);
	uint32_t slot = __atomic_load_n(types_slot(types, table, addr), __ATOMIC_ACQUIRE);

	return slot ? types_at(types, slot - 1) : NULL;
}

/* So much more room that the former tables come to little. On failure the cache stays as it is, and
 * full. */
static bool types_grow(struct types *types)
{
	struct types_table *table = types_table_new(types->table->room * 4, types->table);

	if (!table)
		return false;
	for (size_t i = 0; i < types->count; i++)
		*types_slot(types, table, types_at(types, i)->addr) = (uint32_t)i + 1;
	__atomic_store_n(&types->table, table, __ATOMIC_RELEASE);
	return true;
}

/* Room for one more, which nobody sees yet. NULL: there is none. */
static struct type *types_room(struct types *types)
{
	struct type **slab = &types->slabs[types->count / SLAB % SLABS];

	if (types->count >= TYPES_MAX ||
	    (types->count + 1 >= types->table->room / 2 && !types_grow(types)))
		return NULL;
	if (!*slab)
		*slab = calloc(SLAB, sizeof(**slab));
	return *slab ? &(*slab)[types->count % SLAB] : NULL;
}

static bool types_read_head(struct types *types, uint64_t addr, uint8_t *head, size_t *len)
{
	const struct layout *l = types->layout;
	size_t want = MIN(l->sizeof_heap_type, (uint32_t)HEAP_TYPE_SIZE_MAX);

	/* A static type may end where its mapping ends. */
	*len = want;
	if (!memory_read(types->mem, addr, head, want))
		return true;
	*len = l->sizeof_type;
	return !memory_read(types->mem, addr, head, l->sizeof_type);
}

static bool types_head_is_sane(const struct layout *l, const uint8_t *head)
{
	uint64_t flags = load_u64(head + l->tp_flags);
	int64_t basicsize = load_i64(head + l->tp_basicsize),
		itemsize = load_i64(head + l->tp_itemsize);

	/* Static ones need not be ready: functools._lru_list_elem is not up to 3.9
	 * (Modules/_functoolsmodule.c). Nobody has set its base and mro, then. */
	if (!(flags & TPFLAGS_READY) && ((flags & TPFLAGS_HEAPTYPE) || load_u64(head + l->tp_mro) ||
					 load_u64(head + l->tp_base)))
		return false;
	return !(flags >> 32) && basicsize >= (int64_t)l->sizeof_object &&
	       basicsize < BASICSIZE_MAX && itemsize >= 0 && itemsize < BASICSIZE_MAX;
}

/* The metatypes must be types, up to one that is its own. */
static bool types_meta_is_sane(struct types *types, uint64_t addr, uint64_t meta)
{
	const struct layout *l = types->layout;

	for (int depth = 0; depth < META_DEPTH_MAX; depth++) {
		const struct type *known;
		uint64_t flags, next;

		if (meta % 8 || meta < 0x1000)
			return false;
		known = types_find(types, meta);
		if (known)
			return known->flags & TPFLAGS_TYPE_SUBCLASS;
		if (memory_read_u64(types->mem, meta + l->tp_flags, &flags) < 0 ||
		    memory_read_u64(types->mem, meta + l->ob_type, &next) < 0)
			return false;
		if (!(flags & TPFLAGS_TYPE_SUBCLASS) || flags >> 32)
			return false;
		if (next == meta || meta == addr)
			return true;
		meta = next;
	}
	return false;
}

/*
 * type_new() points tp_name at the text of the str that is __name__; C code brings its own text.
 * (Objects/typeobject.c, type_new_set_names and type_set_name, 3.8 to 3.15.)
 */
static bool types_is_python_class(struct types *types, const struct type *type, uint64_t ht_name)
{
	const struct layout *l = types->layout;
	uint64_t utf8;

	if (!(type->flags & TPFLAGS_HEAPTYPE) || !ht_name)
		return false;
	if (type->name == ht_name + l->sizeof_ascii)
		return true;
	return !memory_read_u64(types->mem, ht_name + l->str_utf8, &utf8) && utf8 == type->name;
}

static uint32_t types_pre_size(const struct layout *l, uint64_t flags)
{
	uint32_t pre = flags & TPFLAGS_HAVE_GC ? l->gc_head_size : 0;

	return pre + (flags & l->flags_preheader ? l->preheader_size : 0);
}

/* Managed ones are in front of the object, whatever tp_weaklistoffset says
 * (Objects/typeobject.c, 3.12+). */
static int32_t types_weakref_at(const struct layout *l, const struct type *type, int64_t offset)
{
	if (type->flags & l->flag_managed_weakref)
		return l->managed_weakref_offset;
	return offset > 0 && offset <= type->basicsize - 8 ? (int32_t)offset : 0;
}

static enum type_dict types_dict_at(const struct layout *l, const struct type *type, int64_t offset)
{
	int64_t front = MIN(l->managed_dict_offset, l->managed_values_offset);

	/* The words in front must lie in the block: a type that says otherwise lies. */
	if (type->flags & l->flag_managed_dict)
		return (int64_t)type->pre + front >= 0 ? TYPE_DICT_MANAGED : TYPE_DICT_NONE;
	if (offset > 0 && offset <= type->basicsize - 8)
		return TYPE_DICT_AT;
	if (offset < 0 && type->itemsize > 0 && offset >= -64)
		return TYPE_DICT_END;
	return TYPE_DICT_NONE;
}

static void types_decode_heap(struct types *types, struct type *type, const uint8_t *head)
{
	const struct layout *l = types->layout;

	type->qualname = load_u64(head + l->ht_qualname);
	type->cached_keys = load_u64(head + l->ht_cached_keys);
	type->python_class = types_is_python_class(types, type, load_u64(head + l->ht_name));
	/* Py_SIZE of a heap type: the number of its slot members (typeobject.c, type_new). */
	type->has_slots = type->python_class && load_i64(head + l->ob_size) > 0;
}

static void types_decode(struct types *types, struct type *type, const uint8_t *head, size_t len)
{
	const struct layout *l = types->layout;
	int64_t dictoffset = load_i64(head + l->tp_dictoffset);

	type->meta = load_u64(head + l->ob_type);
	type->flags = (uint32_t)load_u64(head + l->tp_flags);
	type->name = load_u64(head + l->tp_name);
	type->basicsize = (int32_t)load_i64(head + l->tp_basicsize);
	type->itemsize = (int32_t)load_i64(head + l->tp_itemsize);
	type->dict = load_u64(head + l->tp_dict);
	type->mro = load_u64(head + l->tp_mro);
	type->pre = (uint8_t)types_pre_size(l, type->flags);
	type->dict_at = types_dict_at(l, type, dictoffset);
	if (type->dict_at == TYPE_DICT_AT || type->dict_at == TYPE_DICT_END)
		type->dictoffset = (int32_t)dictoffset;
	type->weakref_at = types_weakref_at(l, type, load_i64(head + l->tp_weaklistoffset));
	/* Compact str objects are shorter than the struct that the type is declared with. */
	type->min_size = type->pre + ((type->flags & TPFLAGS_UNICODE_SUBCLASS)
					      ? l->sizeof_ascii
					      : (uint32_t)type->basicsize);
	if ((type->flags & TPFLAGS_HEAPTYPE) && len >= l->sizeof_heap_type)
		types_decode_heap(types, type, head);
}

/* Code in C adds fields to a base of which we know no more than that there is nothing to see. */
static bool types_adds_insides(const struct type *type, const struct type *base)
{
	return !type->python_class && base->builtin && !builtins_looks_inside(base->builtin) &&
	       type->basicsize > base->basicsize;
}

/* What the instances are made of: the nearest base that we know by name and size. */
static void types_inherit(struct types *types, struct type *type, uint64_t base_addr)
{
	struct type *base = NULL;

	if (base_addr && types->depth < BASES_MAX) {
		types->depth++;
		base = types_get(types, base_addr);
		types->depth--;
	}
	/* One that waits for its own base to be read derives from this one: a circle, which no real
	 * types form. */
	if (base && !base->complete)
		base = NULL;
	type->base_type = base;
	type->builtin = type->python_class ? NULL : builtins_find(types->layout, types->mem, type);
	if (base) {
		type->has_slots |= type->python_class && base->has_slots;
		if (!type->builtin && !types_adds_insides(type, base))
			type->builtin = base->builtin;
	}
	if (type->builtin && !type->python_class)
		type->min_size -= MIN((uint32_t)type->builtin->shorter, type->min_size);
	type->is_module = type->builtin && streq(type->builtin->name, "module");
	/* Attributes, slots and unknown insides make an instance more than its size. */
	if (type->dict_at == TYPE_DICT_NONE && !type->has_slots && type->builtin)
		type->shape = builtins_looks_inside(type->builtin) ? type->builtin->shape
			      : type->itemsize			   ? TYPE_SHAPE_ITEMS
								   : TYPE_SHAPE_FIXED;
	type->size = builtins_size(types->layout, type, type->shape);
	/* Its instances are too short for the number that tells their size: not what it says it is.
	 */
	if (type->basicsize < (int32_t)type->size.at + 8)
		type->shape = TYPE_SHAPE_OTHER;
	__atomic_store_n(&type->complete, true, __ATOMIC_RELEASE);
}

static struct type *types_load(struct types *types, uint64_t addr)
{
	uint8_t head[HEAP_TYPE_SIZE_MAX];
	struct type *type;
	size_t len;

	if (!types_read_head(types, addr, head, &len) || !types_head_is_sane(types->layout, head) ||
	    !types_meta_is_sane(types, addr, load_u64(head + types->layout->ob_type)))
		return NULL;
	type = types_room(types);
	if (!type)
		return NULL;
	type->addr = addr;
	type->index = (uint32_t)types->count;
	types_decode(types, type, head, len);
	/* In the cache before its bases are read: a circle of bases ends here. */
	types->count++;
	__atomic_store_n(types_slot(types, types->table, addr), type->index + 1, __ATOMIC_RELEASE);
	types_inherit(types, type, load_u64(head + types->layout->tp_base));
	return type;
}

/* One that has not been met yet, or that another thread is about to read: the lock tells. */
static __attribute__((noinline)) struct type *types_look(struct types *types, uint64_t addr)
{
	struct type *type;

	pthread_mutex_lock(&types->lock);
	type = types_find(types, addr);
	if (!type)
		type = types_load(types, addr);
	if (!type)
		__atomic_store_n(&types->negatives[(addr >> 3) & (NEGATIVES - 1)], addr,
				 __ATOMIC_RELAXED);
	pthread_mutex_unlock(&types->lock);
	return type;
}

struct type *types_get(struct types *types, uint64_t addr)
{
	struct type *type = types_find(types, addr);

	if (type && __atomic_load_n(&type->complete, __ATOMIC_ACQUIRE))
		return type;
	if (!type) {
		const uint64_t *negative = &types->negatives[(addr >> 3) & (NEGATIVES - 1)];

		if (!types_may_be_at(addr) || __atomic_load_n(negative, __ATOMIC_RELAXED) == addr ||
		    !types->is_possible(types->ctx, addr))
			return NULL;
	}
	return types_look(types, addr);
}

/* As few bytes as hold the keys that are there. */
static size_t samples_bytes(const struct type_samples *samples)
{
	return offsetof(struct type_samples, keys) +
	       MIN(samples->met, (uint64_t)TYPE_SAMPLES) * sizeof(samples->keys[0]);
}

struct type_samples types_samples(const struct type *type)
{
	struct type_samples ret = {};

	if (type->samples)
		memcpy(&ret, type->samples, samples_bytes(type->samples));
	return ret;
}

void types_merge_samples(struct type_samples *sum, const struct type_samples *s)
{
	for (uint64_t i = 0; i < MIN(s->met, (uint64_t)TYPE_SAMPLES); i++)
		type_sample_keys(sum, s->keys[i]);
	if (s->orphan)
		sum->orphan = s->orphan;
}

static int types_settle_samples(struct type *type, const struct type_samples *samples)
{
	struct type_samples sum = types_samples(type), *grown;

	types_merge_samples(&sum, samples);
	grown = realloc(type->samples, samples_bytes(&sum));
	if (!grown)
		return -ENOMEM;
	memcpy(grown, &sum, samples_bytes(&sum));
	type->samples = grown;
	return 0;
}

int types_settle(struct types *types, struct type *type, const struct tally *tally,
		 const struct type_samples *samples)
{
	static const struct tally nothing;
	int r = 0;

	pthread_mutex_lock(&types->lock);
	if (memcmp(tally, &nothing, sizeof(nothing)) != 0) {
		struct tally sum = tally_unpack(&type->settled);

		tally_add(&sum, tally);
		r = tally_pack(&type->settled, &sum);
	}
	if (!r && samples)
		r = types_settle_samples(type, samples);
	pthread_mutex_unlock(&types->lock);
	return r;
}

void types_replace_sample(struct type_samples *samples, uint64_t keys)
{
	size_t count = MIN(samples->met - 1, (uint64_t)TYPE_SAMPLES), worst = 0;

	if (count < TYPE_SAMPLES) {
		samples->keys[count++] = keys;
	} else {
		for (size_t i = 1; i < count; i++)
			if (type_sample_hash(samples->keys[i]) >
			    type_sample_hash(samples->keys[worst]))
				worst = i;
		samples->keys[worst] = keys;
	}
	samples->largest = 0;
	for (size_t i = 0; i < count; i++)
		samples->largest = MAX(samples->largest, type_sample_hash(samples->keys[i]));
}
