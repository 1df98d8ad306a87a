/* SPDX-License-Identifier: BSD-2-Clause */
/* A set of addresses for several threads, bounded: used for the few things that must be met only
 * once. */
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
