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

static bool is_mimalloc(const struct layout *l)
{
	return l->obmalloc == LAYOUT_OBMALLOC_MIMALLOC;
}

/* What one entry stands for: a pool, or a slice of a segment. */
static uint64_t unit(const struct layout *l)
{
	return is_mimalloc(l) ? 1ull << l->mi_slice_shift : l->pool_size;
}

/*
 * The page that a slice belongs to is that of its first slice, which lies so many bytes before it
 * (mi_slice_t.slice_offset, behind the 4 bytes of slice_count: mimalloc/types.h).
 */
static uint32_t read_page_size(struct pools *pools, uint64_t slice)
{
	const struct layout *l = pools->layout;
	uint64_t segment = slice & ~((1ull << l->mi_segment_shift) - 1), page, size = 0;
	uint64_t bytes = l->mi_page_start == LAYOUT_NONE ? 4 : 8;
	uint32_t back;

	page = segment + l->mi_segment_slices +
	       ((slice - segment) >> l->mi_slice_shift) * l->sizeof_mi_page;
	if (memory_read(pools->mem, page + l->mi_page_slice_count + 4, &back, sizeof(back)) < 0 ||
	    back > page - segment ||
	    memory_read(pools->mem, page - back + l->mi_page_block_size, &size, bytes) < 0)
		return 0;
	return size <= UINT32_MAX ? (uint32_t)size : 0;
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
	return &pools->entries[pool / unit(pools->layout) % POOLS];
}

uint32_t pools_block_size(struct pools *pools, uint64_t addr)
{
	uint64_t pool = addr & ~(unit(pools->layout) - 1);
	struct pools_entry *entry = entry_of(pools, pool);

	if (entry->pool != pool)
		*entry = (struct pools_entry){ pool, is_mimalloc(pools->layout)
							     ? read_page_size(pools, pool)
							     : read_size(pools, pool) };
	return entry->size;
}

void pools_allocated(struct pools *pools, uint64_t addr, uint64_t size)
{
	uint64_t pool = addr & ~(unit(pools->layout) - 1);

	if (is_mimalloc(pools->layout))
		*entry_of(pools, pool) = (struct pools_entry){ pool, (uint32_t)size };
}

void pools_opened(struct pools *pools, uint64_t pool, uint32_t size_class)
{
	*entry_of(pools, pool) =
		(struct pools_entry){ pool, valid_size(pools->layout, size_class) };
}

void pools_watch(struct pools *pools)
{
	if (is_mimalloc(pools->layout))
		pools_clear(pools);
}

void pools_clear(struct pools *pools)
{
	memset(pools->entries, 0, sizeof(pools->entries));
}
