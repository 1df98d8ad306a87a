/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses that were met lately, for several threads and in fixed memory: for what may be as many
 * as the objects. */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <stdint.h>

struct addrcache;

/* NULL when out of memory. */
struct addrcache *addrcache_new(void);
void addrcache_free(struct addrcache *cache);
DEFINE_CLEANUP(struct addrcache, addrcache_free)

/* False when @addr was added before and not forgotten since: each address shares its place with one
 * in half a million others, and the last of them is kept. */
bool addrcache_add(struct addrcache *cache, uint64_t addr);
