/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finds obmalloc's static variables without symbols, by what they must look like: usedpools is an
 * array of ring heads that point to themselves or to pools of their size class; `arenas` is the
 * word whose array has an address for the arenaindex of every pool on those rings. For CPython up
 * to 3.11.
 */
#pragma once

#include "layout/layout.h"
#include "target/memory.h"
#include "target/python.h"

#include <stdint.h>

/* 0 and the addresses of the variables (maxarenas 0 where it was not found), -ENOENT, or negative
 * errno. */
int scan_obmalloc(const struct python *py, const struct layout *layout, struct memory *mem,
		  uint64_t *ret_usedpools, uint64_t *ret_arenas, uint64_t *ret_maxarenas);

/* A pool as the rings give it. */
struct scan_pool {
	uint64_t addr;
	uint32_t arena_index;
};

/*
 * Walks the 32 usedpools rings from @usedpools. Returns the number of pools stored (at most @max),
 * -EINVAL where a ring does not close, goes to something that is no pool of its class, or head
 * words make no sense.
 */
ssize_t scan_rings(uint64_t usedpools, const struct layout *layout, struct memory *mem,
		   struct scan_pool *ret, size_t max);
