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
	TYPE_SHAPE_FIXED, /* nothing: all have the same size */
	TYPE_SHAPE_ITEMS, /* a size that ob_size tells */
	TYPE_SHAPE_INT,	  /* a size that its digits tell */
};

/* sys.getsizeof of an instance: base + item * max(|word at `at`| >> shift, least). */
struct type_size {
	int64_t base, item, least;
	uint32_t at, shift;
};

/* Key tables that instances own: a random choice of them, to see later which names are in there. */
#define TYPE_SAMPLES 32

struct type_samples {
	uint64_t met;		     /* how many there were to choose from */
	uint64_t keys[TYPE_SAMPLES]; /* those with the smallest hashes, in no order */
	uint64_t largest;	     /* hash among them, once there are so many */
	uint64_t orphan; /* up to 3.10: one that its class gave up and instances still share; 0:
			    none met */
};

struct type {
	uint64_t addr;
	uint64_t meta, base, flags, dict, name, qualname, ht_name, cached_keys;
	uint64_t mro;
	int64_t basicsize, itemsize, dictoffset, weaklistoffset;
	uint32_t version_tag;
	int32_t weakref_at; /* of the list of weak references, from the object; 0: none */
	uint64_t min_size;  /* no instance is smaller; its header in front included */
	uint32_t pre;	    /* bytes in front of the object: GC head, pre-header */
	bool python_class;  /* made by a class statement, not by C code */
	bool is_module;	    /* types.ModuleType or a subclass */
	bool has_slots;	    /* it or a base declares __slots__ with names */
	enum type_shape shape;
	struct type_size size; /* for all shapes but OTHER */
	enum type_dict dict_at;
	const struct builtin *builtin; /* the nearest base whose instances we know; NULL: none */
	bool complete;		       /* its bases have been read too */
	struct tally tally;
	struct type_samples samples;
	struct type *base_type; /* NULL: object, or not read */
};

struct types; /* the cache */

/*
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

/* All types seen so far, in the order of their first sight; the list may grow while it is walked by
 * index. */
size_t types_count(const struct types *types);
struct type *types_at(const struct types *types, size_t i);

static inline uint64_t type_sample_hash(uint64_t keys)
{
	return keys * 0x9e3779b97f4a7c15ull;
}

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
