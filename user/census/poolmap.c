/* SPDX-License-Identifier: BSD-2-Clause */
#include "census/poolmap.h"

#include "base/util.h"

#include <errno.h>
#include <sys/mman.h>

int poolmap_init(struct poolmap *map, uint64_t lo, uint64_t hi, uint32_t pool_size)
{
	uint64_t cells;
	void *mem;

	if (!pool_size || (pool_size & (pool_size - 1)) || lo > hi || hi > (1ull << 47))
		return -EINVAL;

	lo &= ~((uint64_t)pool_size - 1);
	hi = round_up(hi, pool_size);
	cells = (hi - lo) / pool_size;
	mem = mmap(NULL, cells ? cells : 1, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mem == MAP_FAILED)
		return -ENOMEM;
	/* A huge page here would cost 2 MiB for an arena of 64 cells. */
	madvise(mem, cells ? cells : 1, MADV_NOHUGEPAGE);

	*map = (struct poolmap){
		.lo = lo,
		.hi = hi,
		.shift = (unsigned int)__builtin_ctz(pool_size),
		.cells = mem,
		.cells_count = cells,
	};
	return 0;
}

void poolmap_fini(struct poolmap *map)
{
	if (map->cells)
		munmap(map->cells, map->cells_count ? map->cells_count : 1);
	*map = (struct poolmap){};
}

void poolmap_set(struct poolmap *map, uint64_t pool, int size_class)
{
	uint64_t i = (pool - map->lo) >> map->shift;

	if (pool < map->lo || i >= map->cells_count)
		return;
	__atomic_store_n(&map->cells[i], (uint8_t)(size_class < 0 ? 0 : size_class + 1),
			 __ATOMIC_RELAXED);
}

void poolmap_set_unknown(struct poolmap *map, uint64_t pool, uint64_t count)
{
	uint64_t i = (pool - map->lo) >> map->shift;

	if (pool < map->lo || i >= map->cells_count)
		return;
	memset(map->cells + i, POOLMAP_UNKNOWN, MIN(count, map->cells_count - i));
}
