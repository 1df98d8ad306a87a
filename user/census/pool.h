/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One pymalloc pool, from a copy of its bytes: which blocks are in use.
 *
 * A block is free when it is on the pool's free list or past its high-water mark (nextoffset); the
 * rest is in use and must be as many as the pool's count says. Objects/obmalloc.c, struct
 * pool_header, 3.8 to 3.15.
 */
#pragma once

#include "layout/layout.h"

#include <stdbool.h>
#include <stdint.h>

#define POOL_SIZE_MAX 16384
/* 16-byte blocks of the largest pool. */
#define POOL_BLOCKS_MAX 1024
#define POOL_WORDS (POOL_BLOCKS_MAX / 64)

struct pool {
	uint64_t addr;
	const uint8_t *data; /* pool_size bytes; borrowed */
	uint32_t size_class; /* index, 0 based */
	uint32_t block_size;
	uint32_t blocks_count; /* carved so far: the blocks that free_bits speaks of */
	uint32_t blocks_max;   /* that fit in the pool */
	uint32_t inuse_count;
	uint64_t free_bits[POOL_WORDS]; /* bit i: block i is on the free list */
};

enum pool_state {
	POOL_EMPTY, /* count is 0: the whole pool is free, its contents mean nothing */
	POOL_WHOLE, /* free list and count agree */
	POOL_TORN,  /* they do not: it changed while it was read, or is not a pool. Blocks as far as
		       they make sense */
	POOL_BAD,   /* the header makes no sense: nothing was filled in but addr */
};

/* Parses the @layout->pool_size bytes at @data, which were read from @addr. */
enum pool_state pool_parse(struct pool *pool, const struct layout *layout, uint64_t addr,
			   const uint8_t *data);

static inline bool pool_is_free(const struct pool *pool, uint32_t i)
{
	return pool->free_bits[i / 64] >> (i % 64) & 1;
}

static inline uint64_t pool_block_addr(const struct pool *pool, const struct layout *layout,
				       uint32_t i)
{
	return pool->addr + layout->pool_overhead + (uint64_t)i * pool->block_size;
}
