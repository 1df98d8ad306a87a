/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/pools.h"

#include "base/util.h"

#include <errno.h>

/* Direct-mapped by address: as many pools as make a heap of 1 GiB. */
#define POOLS 65536
#define HEADER_BYTES 64

struct pools_entry {
	uint64_t pool;
	uint32_t size;
};

struct pools {
	const struct layout *layout;
	struct memory *mem;
	struct pools_entry entries[POOLS];
};

int pools_new(const struct layout *layout, struct memory *mem, struct pools **ret)
{
	struct pools *pools = calloc(1, sizeof(*pools));

	if (!pools)
		return -ENOMEM;
	pools->layout = layout;
	pools->mem = mem;
	*ret = pools;
	return 0;
}

void pools_free(struct pools *pools)
{
	free(pools);
}

static uint32_t valid_size(const struct layout *layout, uint32_t size_class)
{
	uint64_t size = ((uint64_t)size_class + 1) * layout->alignment;

	return size <= layout->small_request_max ? (uint32_t)size : 0;
}

/* A pool's header says its size class twice; memory that is no pool rarely does. */
static uint32_t read_size(struct pools *pools, uint64_t pool)
{
	const struct layout *l = pools->layout;
	uint8_t header[HEADER_BYTES];
	uint32_t size;

	if (l->pool_overhead > sizeof(header) ||
	    memory_read(pools->mem, pool, header, l->pool_overhead) < 0)
		return 0;
	size = valid_size(l, load_u32(header + l->pool_size_index));
	if (load_u32(header + l->pool_max_next_offset) != l->pool_size - size)
		return 0;
	return size;
}

static struct pools_entry *entry_of(struct pools *pools, uint64_t pool)
{
	return &pools->entries[pool / pools->layout->pool_size % POOLS];
}

uint32_t pools_block_size(struct pools *pools, uint64_t addr)
{
	uint64_t pool = addr & ~((uint64_t)pools->layout->pool_size - 1);
	struct pools_entry *entry = entry_of(pools, pool);

	if (entry->pool != pool)
		*entry = (struct pools_entry){ pool, read_size(pools, pool) };
	return entry->size;
}

void pools_opened(struct pools *pools, uint64_t pool, uint32_t size_class)
{
	*entry_of(pools, pool) =
		(struct pools_entry){ pool, valid_size(pools->layout, size_class) };
}

void pools_clear(struct pools *pools)
{
	memset(pools->entries, 0, sizeof(pools->entries));
}
