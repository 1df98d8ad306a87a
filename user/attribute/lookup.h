/* SPDX-License-Identifier: BSD-2-Clause */
/* Types by address, without a census: for those of which no object is alive. */
#pragma once

#include "base/cleanup.h"
#include "layout/layout.h"
#include "target/memory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOOKUP_NAME_MAX 1024

struct lookup;

int lookup_new(const struct layout *layout, struct memory *mem, struct lookup **ret);
void lookup_free(struct lookup *lookup);
DEFINE_CLEANUP(struct lookup, lookup_free)

/* Name of the type at @addr, as a census has it, and whether it was made at run time. -ENOENT where
 * there is no type (any more). */
int lookup_type(struct lookup *lookup, uint64_t addr, char name[LOOKUP_NAME_MAX], bool *ret_heap);
