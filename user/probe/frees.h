/* SPDX-License-Identifier: BSD-2-Clause */
/* Where blocks are freed and reallocated. See sites.h. */
#pragma once

#include "layout/layout.h"
#include "probe/code.h"
#include "probe/sites.h"

#include <stdint.h>

/* All first looks into the radix tree: frees and reallocs. */
int frees_find_lookups(struct code *code, const struct layout *layout, struct sites *sites);

/* The same up to 3.9, where the arena's number in the pool's header is looked at first. */
int frees_find_ranges(struct code *code, const struct layout *layout, struct sites *sites);

/*
 * Frees that share the radix lookup of something in front of them (a realloc that moves a block and
 * frees the old one): found by how they push the block on its pool's free list. Those that a
 * SITE_FREE in @sites leads to, and those in the function that starts at @but (0: none) or that it
 * calls, are left out.
 */
int frees_find_pushes(struct code *code, const struct layout *layout, uint64_t but,
		      struct sites *sites);
