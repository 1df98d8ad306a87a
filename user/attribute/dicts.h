/* SPDX-License-Identifier: BSD-2-Clause */
/* Dicts: their keys, their values, whose they are. Private to attribute/. */
#pragma once

#include "attribute/worker.h"

/* The header of a PyDictKeysObject, decoded and checked. */
struct dict_keys {
	int64_t refcnt, usable, nentries;
	uint64_t size;	/* hash slots: a power of two */
	uint64_t slots; /* entries that fit: USABLE_FRACTION(size) */
	uint64_t bytes; /* of the whole object, as asked from the allocator */
	int64_t spare; /* bytes that a copy of the dict would not take; set by who knows how much is
			  used */
	uint64_t entries; /* offset of the first entry */
	uint32_t entry_size, entry_key;
	bool general, split_kind; /* dk_kind; up to 3.10 both false */
};

/* Longest header of any version. */
#define DICT_KEYS_HEADER 40

/* False where the header makes no sense; *ret is unspecified then. */
bool dicts_decode_keys(const struct layout *layout, const uint8_t *header, struct dict_keys *ret);

/* A dict (or an instance of a subclass) that the walk has met: books its keys and values to @type.
 */
void dicts_visit(struct worker *worker, struct type *type, const struct object *obj);

/*
 * @dict is the __dict__ of an instance of @type: moves it and all that it owns from dict's row to
 * that of
 * @type, and books how the instance stores its attributes.
 */
void dicts_adopt(struct worker *worker, struct type *type, uint64_t dict,
		 enum tally_dict_owner owner);

/* The same for the dict of a static type, which is no object of the heap itself: its metatype's row
 * gets it. */
void dicts_adopt_static(struct worker *worker, struct type *metatype, uint64_t dict);

/* The values array of 3.11 and 3.12 whose values[0] is at @values, with no dict object: storage
 * "inline". */
void dicts_adopt_values(struct worker *worker, struct type *type, uint64_t values);

/* The keys that all instances of @type share: to its row, once. The getsizeof of its @metatype's
 * objects counts them; NULL: it does not. */
void dicts_charge_shared_keys(struct worker *worker, struct type *type, struct type *metatype);
