/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Dead objects that the interpreter keeps for reuse, where the block itself does not say that it is
 * dead.
 *
 * Most free-list objects keep their type and have a reference count of 0: those need no list. What
 * remains are the lists whose link overwrites the type word (float up to 3.13) or the count (3.14
 * on), and those that hold raw blocks (dict keys): walked here, bounded by CPython's own limits
 * (docs: Objects/floatobject.c, Objects/dictobject.c).
 */
#pragma once

#include "layout/layout.h"
#include "target/memory.h"
#include "target/python.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct freelists {
	uint64_t *addresses; /* sorted; as the lists hold them (the object, not its block) */
	size_t count;
};

/* Lists that cannot be found (static arrays without symbols) are left out. 0, -ENOMEM, -ESRCH,
 * -EPERM. */
int freelists_collect(const struct python *py, const struct layout *layout, struct memory *mem,
		      struct freelists *ret);
void freelists_fini(struct freelists *lists);

bool freelists_has(const struct freelists *lists, uint64_t addr);

/* Is any in [lo, hi)? */
bool freelists_have_any(const struct freelists *lists, uint64_t lo, uint64_t hi);
