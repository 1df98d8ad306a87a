/* SPDX-License-Identifier: BSD-2-Clause */
#include "attribute/types.h"

#include "attribute/builtins.h"
#include "base/util.h"

#include <errno.h>

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

struct types {
	const struct layout *layout;
	struct memory *mem;
	bool (*is_possible)(const void *ctx, uint64_t addr);
	const void *ctx;
	struct type **slots; /* open addressing, a power of two */
	size_t slots_count;
	struct type **list;
	size_t count;
	int depth; /* of bases being loaded now */
	uint64_t negatives[NEGATIVES];
};

int types_new(const struct layout *layout, struct memory *mem,
	      bool (*is_possible)(const void *ctx, uint64_t addr), const void *ctx,
	      struct types **ret)
{
	struct types *types = calloc(1, sizeof(*types));

	if (!types)
		return -ENOMEM;
	types->layout = layout;
	types->mem = mem;
	types->is_possible = is_possible;
	types->ctx = ctx;
	types->slots_count = 1024;
	types->slots = calloc(types->slots_count, sizeof(struct type *));
	types->list = calloc(types->slots_count / 2, sizeof(struct type *));
	if (!types->slots || !types->list) {
		types_free(types);
		return -ENOMEM;
	}
	*ret = types;
	return 0;
}

void types_free(struct types *types)
{
	for (size_t i = 0; i < types->count; i++)
		free(types->list[i]);
	free(types->list);
	free(types->slots);
	free(types);
}

size_t types_count(const struct types *types)
{
	return types->count;
}

struct type *types_at(const struct types *types, size_t i)
{
	return types->list[i];
}

static size_t types_hash(uint64_t addr)
{
	return (size_t)((addr >> 3) * 0x9e3779b97f4a7c15ull >> 20);
}

static struct type **types_slot(const struct types *types, uint64_t addr)
{
	size_t mask = types->slots_count - 1, i = types_hash(addr) & mask;

	while (types->slots[i] && types->slots[i]->addr != addr)
		i = (i + 1) & mask;
	return &types->slots[i];
}

/* Twice the room. On failure the cache stays as it is, and full. */
static bool types_grow(struct types *types)
{
	size_t count = types->slots_count * 2;
	struct type **list = reallocarray(types->list, count / 2, sizeof(*list));
	struct type **slots;

	if (!list)
		return false;
	types->list = list;
	slots = calloc(count, sizeof(*slots));
	if (!slots)
		return false;
	free(types->slots);
	types->slots = slots;
	types->slots_count = count;
	for (size_t i = 0; i < types->count; i++)
		*types_slot(types, types->list[i]->addr) = types->list[i];
	return true;
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
		uint64_t flags, next;

		if (meta % 8 || meta < 0x1000)
			return false;
		if (*types_slot(types, meta))
			return (*types_slot(types, meta))->flags & TPFLAGS_TYPE_SUBCLASS;
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
static bool types_is_python_class(struct types *types, const struct type *type)
{
	const struct layout *l = types->layout;
	uint64_t utf8;

	if (!(type->flags & TPFLAGS_HEAPTYPE) || !type->ht_name)
		return false;
	if (type->name == type->ht_name + l->sizeof_ascii)
		return true;
	return !memory_read_u64(types->mem, type->ht_name + l->str_utf8, &utf8) &&
	       utf8 == type->name;
}

static uint32_t types_pre_size(const struct layout *l, uint64_t flags)
{
	uint32_t pre = flags & TPFLAGS_HAVE_GC ? l->gc_head_size : 0;

	return pre + (flags & l->flags_preheader ? l->preheader_size : 0);
}

/* Managed ones are in front of the object, whatever tp_weaklistoffset says
 * (Objects/typeobject.c, 3.12+). */
static int32_t types_weakref_at(const struct layout *l, const struct type *type)
{
	if (type->flags & l->flag_managed_weakref)
		return l->managed_weakref_offset;
	if (type->weaklistoffset > 0 && type->weaklistoffset + 8 <= type->basicsize)
		return (int32_t)type->weaklistoffset;
	return 0;
}

static enum type_dict types_dict_at(const struct layout *l, const struct type *type)
{
	int64_t front = MIN(l->managed_dict_offset, l->managed_values_offset);

	/* The words in front must lie in the block: a type that says otherwise lies. */
	if (type->flags & l->flag_managed_dict)
		return (int64_t)type->pre + front >= 0 ? TYPE_DICT_MANAGED : TYPE_DICT_NONE;
	if (type->dictoffset > 0 && type->dictoffset <= type->basicsize - 8)
		return TYPE_DICT_AT;
	if (type->dictoffset < 0 && type->itemsize > 0 && type->dictoffset >= -64)
		return TYPE_DICT_END;
	return TYPE_DICT_NONE;
}

static void types_decode(struct types *types, struct type *type, const uint8_t *head, size_t len)
{
	const struct layout *l = types->layout;

	type->meta = load_u64(head + l->ob_type);
	type->flags = load_u64(head + l->tp_flags);
	type->name = load_u64(head + l->tp_name);
	type->basicsize = load_i64(head + l->tp_basicsize);
	type->itemsize = load_i64(head + l->tp_itemsize);
	type->dictoffset = load_i64(head + l->tp_dictoffset);
	type->weaklistoffset = load_i64(head + l->tp_weaklistoffset);
	type->dict = load_u64(head + l->tp_dict);
	type->mro = load_u64(head + l->tp_mro);
	type->base = load_u64(head + l->tp_base);
	type->version_tag = load_u32(head + l->tp_version_tag);
	if ((type->flags & TPFLAGS_HEAPTYPE) && len >= l->sizeof_heap_type) {
		type->ht_name = load_u64(head + l->ht_name);
		type->qualname = load_u64(head + l->ht_qualname);
		type->cached_keys = load_u64(head + l->ht_cached_keys);
		/* Py_SIZE of a heap type: the number of its slot members (typeobject.c, type_new).
		 */
		type->has_slots = load_i64(head + l->ob_size) > 0;
	}
	type->pre = types_pre_size(l, type->flags);
	type->dict_at = types_dict_at(l, type);
	type->weakref_at = types_weakref_at(l, type);
	/* Compact str objects are shorter than the struct that the type is declared with. */
	type->min_size = type->pre + ((type->flags & TPFLAGS_UNICODE_SUBCLASS)
					      ? l->sizeof_ascii
					      : (uint64_t)type->basicsize);
	type->python_class = types_is_python_class(types, type);
	if (!type->python_class)
		type->has_slots = false;
}

/* Code in C adds fields to a base of which we know no more than that there is nothing to see. */
static bool types_adds_insides(const struct type *type, const struct type *base)
{
	return !type->python_class && base->builtin && !builtins_looks_inside(base->builtin) &&
	       type->basicsize > base->basicsize;
}

/* What the instances are made of: the nearest base that we know by name and size. */
static void types_inherit(struct types *types, struct type *type)
{
	struct type *base = NULL;

	if (type->base && types->depth < BASES_MAX) {
		types->depth++;
		base = types_get(types, type->base);
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
		type->min_size -= MIN((uint64_t)type->builtin->shorter, type->min_size);
	type->is_module = type->builtin && streq(type->builtin->name, "module");
	/* Attributes, slots and unknown insides make an instance more than its size. */
	if (type->dict_at == TYPE_DICT_NONE && !type->has_slots && type->builtin)
		type->shape = builtins_looks_inside(type->builtin) ? type->builtin->shape
			      : type->itemsize			   ? TYPE_SHAPE_ITEMS
								   : TYPE_SHAPE_FIXED;
	type->size = builtins_size(types->layout, type, type->shape);
	/* Its instances are too short for the number that tells their size: not what it says it is.
	 */
	if (type->basicsize < (int64_t)type->size.at + 8)
		type->shape = TYPE_SHAPE_OTHER;
	type->complete = true;
}

static struct type *types_load(struct types *types, uint64_t addr)
{
	uint8_t head[HEAP_TYPE_SIZE_MAX];
	struct type *type;
	size_t len;

	if (types->count >= TYPES_MAX ||
	    (types->count + 1 >= types->slots_count / 2 && !types_grow(types)))
		return NULL;
	if (!types_read_head(types, addr, head, &len) || !types_head_is_sane(types->layout, head) ||
	    !types_meta_is_sane(types, addr, load_u64(head + types->layout->ob_type)))
		return NULL;
	type = calloc(1, sizeof(*type));
	if (!type)
		return NULL;
	type->addr = addr;
	types_decode(types, type, head, len);
	/* In the cache before its bases are read: a circle of bases ends here. */
	*types_slot(types, addr) = type;
	types->list[types->count++] = type;
	types_inherit(types, type);
	return type;
}

struct type *types_get(struct types *types, uint64_t addr)
{
	struct type *type, **slot;
	size_t n = (addr >> 3) & (NEGATIVES - 1);

	slot = types_slot(types, addr);
	if (*slot)
		return *slot;
	if (!types_may_be_at(addr) || types->negatives[n] == addr)
		return NULL;
	if (!types->is_possible(types->ctx, addr))
		return NULL;
	type = types_load(types, addr);
	if (!type)
		types->negatives[n] = addr;
	return type;
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
