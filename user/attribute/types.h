/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The types of a target, read once each and cached by address.
 *
 * A word is a type only if it points to an object that is one: ready, of sane size, and with a
 * chain of metatypes that ends in a type of itself. Everything read is checked; what fails is no
 * type.
 */
#pragma once

#include "attribute/tally.h"
#include "layout/layout.h"
#include "target/memory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct builtin;

/* Where the instances of a type have their __dict__. */
enum type_dict {
	TYPE_DICT_NONE,
	TYPE_DICT_MANAGED, /* in front of the object, as layout->instance says */
	TYPE_DICT_AT,	   /* pointer at tp_dictoffset */
	TYPE_DICT_END,	   /* negative tp_dictoffset: behind the items of a variable-size object */
};

/* What there is to say of an instance beyond that it is there. */
enum type_shape {
	TYPE_SHAPE_OTHER, /* more than its size: visited one by one */
	TYPE_SHAPE_LIST,  /* likewise, but usually it has a block of a pool and nothing else */
	TYPE_SHAPE_STR,	  /* likewise, but usually its length says it all */
	TYPE_SHAPE_FIXED, /* nothing: all have the same size */
	TYPE_SHAPE_ITEMS, /* a size that ob_size tells */
	TYPE_SHAPE_INT,	  /* a size that its digits tell */
};

/* sys.getsizeof of an instance: base + item * max(|word at `at`| >> shift, least). */
struct type_size {
	int32_t base, item;
	uint16_t at;
	uint8_t least, shift;
};

/* Key tables that instances own: a random choice of them, to see later which names are in there. */
#define TYPE_SAMPLES 32

struct type_samples {
	uint64_t met;	  /* how many there were to choose from */
	uint64_t largest; /* hash among them, once there are so many */
	uint64_t orphan;  /* up to 3.10: one that its class gave up and instances still share; 0:
			     none met */
	uint64_t keys[TYPE_SAMPLES]; /* those with the smallest hashes, in no order */
};

/* As small as can be: a program may make a hundred thousand of them. */
struct type {
	uint64_t addr;
	uint64_t meta, dict, name, qualname, cached_keys, mro;
	const struct builtin *builtin; /* the nearest base whose instances we know; NULL: none */
	struct type *base_type;	       /* NULL: object, or not read */
	struct tally_packed settled;   /* what types_settle() was told */
	struct type_samples *samples;  /* likewise; with room for as many keys as were met */
	uint32_t index;		       /* among all types, in the order of their first sight */
	uint32_t flags;
	int32_t basicsize, itemsize; /* below 1 MiB */
	int32_t dictoffset;	     /* 0 where dict_at does without it */
	int32_t weakref_at;	     /* of the list of weak references, from the object; 0: none */
	uint32_t min_size;	     /* no instance is smaller; its header in front included */
	struct type_size size;	     /* for FIXED and what follows; LIST: its base only */
	uint8_t pre;		     /* bytes in front of the object: GC head, pre-header */
	uint8_t shape;		     /* enum type_shape */
	uint8_t dict_at;	     /* enum type_dict */
	bool python_class;	     /* made by a class statement, not by C code */
	bool is_module;		     /* types.ModuleType or a subclass */
	bool has_slots;		     /* it or a base declares __slots__ with names */
	bool complete;		     /* its bases have been read too */
};

struct types; /* the cache */

/*
 * For several threads at once: each type is read once for all of them.
 *
 * @is_possible: false for addresses where no type object lives: unmapped ones, and pymalloc's pools
 * (a type object is too large for them). Asked before anything is read.
 */
int types_new(const struct layout *layout, struct memory *mem,
	      bool (*is_possible)(const void *ctx, uint64_t addr), const void *ctx,
	      struct types **ret);
void types_free(struct types *types);
DEFINE_CLEANUP(struct types, types_free)

/* The type at @addr, or NULL where there is none. Borrowed; lives as long as the cache. */
struct type *types_get(struct types *types, uint64_t addr);

/* False for words that point to no type, whatever lies there: nothing needs to be looked up. */
static inline bool types_may_be_at(uint64_t addr)
{
	return !(addr % 8) && addr >= 0x10000 && !(addr >> 47);
}

/* Adds what was counted of @type, and the samples if any. 0 or -ENOMEM. */
int types_settle(struct types *types, struct type *type, const struct tally *tally,
		 const struct type_samples *samples);

/* What was settled of samples. */
struct type_samples types_samples(const struct type *type);

/* All types seen so far, in the order of their first sight; the list may grow while it is walked by
 * index. */
size_t types_count(const struct types *types);
struct type *types_at(const struct types *types, size_t i);

static inline uint64_t type_sample_hash(uint64_t keys)
{
	return keys * 0x9e3779b97f4a7c15ull;
}

/* Adds those of @s to the ones in @sum to choose from. */
void types_merge_samples(struct type_samples *sum, const struct type_samples *s);

void types_replace_sample(struct type_samples *samples, uint64_t keys);

/* One more table to choose from: by a hash of its address, so that no pattern in time or place
 * matters. */
static inline void type_sample_keys(struct type_samples *samples, uint64_t keys)
{
	uint64_t n = samples->met++;

	if (n < TYPE_SAMPLES || type_sample_hash(keys) < samples->largest)
		types_replace_sample(samples, keys);
}

static inline bool type_is_subclass(const struct type *type, uint64_t flag)
{
	return type->flags & flag;
}
