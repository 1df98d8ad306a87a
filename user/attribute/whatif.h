/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What things would take if they were kept otherwise, in this version's layout: blocks of the
 * allocator, all bytes. Private to attribute/.
 */
#pragma once

#include "attribute/hooks.h"
#include "attribute/types.h"

#include <stdbool.h>
#include <stdint.h>

/* Most attributes that the keys of a class can share from 3.11 on: the first instance needs one
 * slot to spare. */
#define WHATIF_SHARED_MAX 29

struct whatif {
	const struct layout *layout;
	bool pymalloc;	    /* serves small requests */
	bool glibc;	    /* serves the others */
	struct hooks hooks; /* around each block */
};

/* The block that a request of @bytes gets; 0 for 0. */
uint64_t whatif_block(const struct whatif *w, uint64_t bytes);

/* The request for the smallest key table that holds @count entries, general or with str keys only.
 */
uint64_t whatif_keys(const struct whatif *w, uint64_t count, bool general);

/* The request for the smallest table of a set with @count members beside the one that is part of
 * the set. */
uint64_t whatif_set_table(const struct whatif *w, uint64_t count);

/*
 * One instance of the Python class @type with @count attributes: in slots, or in values that share
 * the keys of their class. 0 where that cannot be.
 */
uint64_t whatif_slots(const struct whatif *w, const struct type *type, uint64_t count);
uint64_t whatif_shared(const struct whatif *w, const struct type *type, uint64_t count);

/* The nearest base of @type that no class statement made; NULL where it is not known. */
const struct type *whatif_core(const struct type *type);
