/* SPDX-License-Identifier: BSD-2-Clause */
#include "attribute/whatif.h"

#include "base/util.h"

#define BASES_MAX 64
/* glibc: a size word in front of each chunk, chunks of 32 bytes at least (malloc/malloc.c). */
#define CHUNK_OVERHEAD 8
#define CHUNK_LEAST 32
#define TABLE_LEAST 8 /* hash slots: PyDict_MINSIZE, PySet_MINSIZE */

/* mimalloc: words up to 8, two at a time, then four sizes for each power of two (src/heap.c,
 * mi_bin). */
static uint64_t whatif_mimalloc_block(uint64_t bytes)
{
	uint64_t words = (bytes + 7) / 8;
	unsigned int shift;

	if (words <= 8)
		return 8 * (words <= 1 ? words : round_up(words, 2));
	shift = 61 - (unsigned int)__builtin_clzll(words - 1);
	return 8 * ((((words - 1) >> shift) + 1) << shift);
}

uint64_t whatif_block(const struct whatif *w, uint64_t bytes)
{
	if (!bytes)
		return 0;
	if (w->layout->obmalloc == LAYOUT_OBMALLOC_MIMALLOC)
		return whatif_mimalloc_block(bytes + w->hooks.extra);
	if (w->pymalloc && bytes + w->hooks.extra <= w->layout->small_request_max)
		return round_up(bytes + w->hooks.extra, w->layout->alignment);
	bytes += w->hooks.large_extra;
	if (w->glibc)
		return MAX(round_up(bytes + CHUNK_OVERHEAD, 16), (uint64_t)CHUNK_LEAST);
	return round_up(bytes, 16);
}

static uint64_t power_of_two(uint64_t least)
{
	uint64_t size = TABLE_LEAST;

	while (size < least)
		size <<= 1;
	return size;
}

/* A copy of a dict is made for (3n+1)/2 slots: ESTIMATE_SIZE, Objects/dictobject.c. */
uint64_t whatif_keys(const struct whatif *w, uint64_t count, bool general)
{
	const struct layout *l = w->layout;
	uint64_t size, index;
	uint32_t entry = l->keys == LAYOUT_KEYS_SIZE || general ? l->sizeof_key_entry
								: l->sizeof_unicode_entry;

	if (!count)
		return 0;
	size = power_of_two((count * 3 + 1) / 2);
	index = size <= 0xff ? 1 : size <= 0xffff ? 2 : size <= 0xffffffff ? 4 : 8;
	return l->dk_indices + size * index + ((size << 1) / 3) * entry;
}

/* A copy of a set is made for twice its members: set_merge, Objects/setobject.c. Up to four stay
 * inside. */
uint64_t whatif_set_table(const struct whatif *w, uint64_t count)
{
	if (count * 5 < (TABLE_LEAST - 1) * 3)
		return 0;
	return power_of_two(2 * count + 1) * w->layout->sizeof_set_entry;
}

const struct type *whatif_core(const struct type *type)
{
	for (int i = 0; i < BASES_MAX && type && type->python_class; i++)
		type = type->base_type;
	return type && !type->python_class ? type : NULL;
}

/* Bytes of the object itself without the pointers that class statements added for dict and weak
 * references. */
static uint64_t whatif_bare_size(const struct type *type, const struct type *core)
{
	int64_t size = type->basicsize;

	if (type->dict_at == TYPE_DICT_AT && type->dictoffset >= core->basicsize)
		size -= 8;
	if (type->weakref_at > 0 && type->weakref_at >= core->basicsize)
		size -= 8;
	return size > 0 ? (uint64_t)size : 0;
}

/* With slots and nothing else a class has a GC head if it has any slot, and no pre-header of its
 * own. */
uint64_t whatif_slots(const struct whatif *w, const struct type *type, uint64_t count)
{
	const struct type *core = whatif_core(type);
	uint64_t size;

	if (!core || core->itemsize || core->dict_at != TYPE_DICT_NONE ||
	    type->dict_at == TYPE_DICT_NONE)
		return 0;
	size = whatif_bare_size(type, core) + 8 * count;
	if (size > (uint64_t)core->basicsize || core->pre)
		size += w->layout->gc_head_size;
	if (core->flags & w->layout->flags_preheader)
		size += w->layout->preheader_size;
	return whatif_block(w, size);
}

/* Slots of a values array up to 3.10: as many as the keys have, which double when they are full. */
static uint64_t whatif_plain_values(uint64_t count)
{
	uint64_t size = TABLE_LEAST;

	while ((size << 1) / 3 < count)
		size <<= 1;
	return 8 * ((size << 1) / 3);
}

/*
 * Values from 3.11 on, once the first thirty instances are made: one slot more than there are keys
 * (Objects/dictobject.c: each new instance takes one off dk_usable, down to 1).
 */
uint64_t whatif_shared(const struct whatif *w, const struct type *type, uint64_t count)
{
	const struct layout *l = w->layout;
	uint64_t object = type->pre + (uint64_t)type->basicsize, slots = count + 1;
	uint64_t dict = l->gc_head_size + l->sizeof_dict;

	if (type->itemsize || !count)
		return 0;
	if (l->instance == LAYOUT_INSTANCE_DICT)
		return whatif_block(w, object) + whatif_block(w, dict) +
		       whatif_block(w, whatif_plain_values(count));
	if (count > WHATIF_SHARED_MAX || type->dict_at != TYPE_DICT_MANAGED)
		return 0;
	if (l->values == LAYOUT_VALUES_PREFIX)
		return whatif_block(w, object) +
		       whatif_block(w, round_up(slots + 2, 8) + 8 * slots);
	if (type->flags & l->flag_inline_values)
		return whatif_block(w, object + l->values_items + 8 * slots + round_up(slots, 8));
	return whatif_block(w, object) + whatif_block(w, dict) +
	       whatif_block(w, l->values_items + 8 * slots + round_up(slots, 8));
}
