/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What size of block a pool is cut into: said by the event of its opening, else read from its
 * header once. A pool keeps its size class until it is opened again, so that an answer stays right
 * as long as no such event is lost. With mimalloc the same of the slices of its pages: there each
 * allocation says it.
 */
#pragma once

#include "base/cleanup.h"
#include "layout/layout.h"
#include "target/memory.h"

#include <stdint.h>

struct pools;

/* Both are borrowed. */
int pools_new(const struct layout *layout, struct memory *mem, struct pools **ret);
void pools_free(struct pools *pools);
DEFINE_CLEANUP(struct pools, pools_free)
#define _cleanup_pools_ cleanup(pools_freep)

/* Bytes of the blocks in the pool around @addr, 0 where its header is none. */
uint32_t pools_block_size(struct pools *pools, uint64_t addr);

/* The pool at @pool serves @size_class (size / alignment - 1) from now on. */
void pools_opened(struct pools *pools, uint64_t pool, uint32_t size_class);

/* mimalloc: a block of @size was handed out at @addr. */
void pools_allocated(struct pools *pools, uint64_t addr, uint64_t size);

/* Allocations are watched from now on: mimalloc's pages may have changed hands before. */
void pools_watch(struct pools *pools);

/* Forgets all: openings were missed. */
void pools_clear(struct pools *pools);
