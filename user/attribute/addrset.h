/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sets of addresses for several threads, bounded: one that is exact, for the few things that must
 * be met only once, and one that forgets, for what may be as many as the objects.
 */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct addrset;

/* NULL when out of memory. */
struct addrset *addrset_new(size_t max);
void addrset_free(struct addrset *set);
DEFINE_CLEANUP(struct addrset, addrset_free)

/* True when @addr was not in it before. False as well when the set is full: addrset_is_full()
 * tells. */
bool addrset_add(struct addrset *set, uint64_t addr);
bool addrset_is_full(struct addrset *set);

struct addrcache;

/* NULL when out of memory. */
struct addrcache *addrcache_new(void);
void addrcache_free(struct addrcache *cache);
DEFINE_CLEANUP(struct addrcache, addrcache_free)

/* False when @addr was added before and not forgotten since: each address shares its place with one
 * in half a million others, and the last of them is kept. */
bool addrcache_add(struct addrcache *cache, uint64_t addr);
