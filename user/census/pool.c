/* SPDX-License-Identifier: BSD-2-Clause */
#include "census/pool.h"

#include "base/util.h"

/* Follows the free list inside the pool; false where it leaves the pool, is misaligned or runs in a
 * circle. */
static bool pool_mark_free(struct pool *pool, const struct layout *layout, uint32_t *ret_count)
{
	uint64_t block = load_u64(pool->data + layout->pool_freeblock);
	uint32_t count = 0;

	while (block) {
		uint64_t offset = block - pool->addr - layout->pool_overhead;
		/* In 32 bits: a division of 64 takes twice as long. */
		uint32_t i = (uint32_t)offset / pool->block_size;

		if (block < pool->addr + layout->pool_overhead || offset >= layout->pool_size ||
		    i * pool->block_size != (uint32_t)offset || i >= pool->blocks_count ||
		    pool_is_free(pool, i))
			break;
		pool->free_bits[i / 64] |= 1ull << (i % 64);
		count++;
		block = load_u64(pool->data + (block - pool->addr));
	}
	*ret_count = count;
	return !block;
}

enum pool_state pool_parse(struct pool *pool, const struct layout *layout, uint64_t addr,
			   const uint8_t *data)
{
	uint32_t count = load_u32(data + layout->pool_count);
	uint32_t size_class = load_u32(data + layout->pool_size_index);
	uint32_t next_offset = load_u32(data + layout->pool_next_offset);
	uint32_t max_offset = load_u32(data + layout->pool_max_next_offset);
	uint32_t room = layout->pool_size - layout->pool_overhead;
	uint32_t free_count;
	bool whole;

	pool->addr = addr;
	pool->data = data;
	if (!count)
		return POOL_EMPTY;
	if (size_class >= layout->small_request_max / layout->alignment)
		return POOL_BAD;

	pool->size_class = size_class;
	pool->block_size = (size_class + 1) * layout->alignment;
	pool->blocks_max = room / pool->block_size;
	if (max_offset != layout->pool_size - pool->block_size || next_offset > layout->pool_size ||
	    next_offset < layout->pool_overhead ||
	    (next_offset - layout->pool_overhead) % pool->block_size)
		return POOL_BAD;

	pool->blocks_count = (next_offset - layout->pool_overhead) / pool->block_size;
	if (pool->blocks_count > pool->blocks_max)
		return POOL_BAD;

	memset(pool->free_bits, 0, sizeof(pool->free_bits));
	whole = pool_mark_free(pool, layout, &free_count);
	pool->inuse_count = pool->blocks_count - free_count;
	return whole && pool->inuse_count == count ? POOL_WHOLE : POOL_TORN;
}
