/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which pool an address belongs to, in one load: the size class of every pool, by pool number.
 * Backed by reserved address space of which only the parts near arenas are ever touched (at most a
 * page an arena).
 *
 * Written and read by several census threads at once: a cell is one byte, and a stale answer is
 * harmless (a pool that changes its class during a census is torn, and counted as such).
 */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <stdint.h>

struct poolmap {
	uint64_t lo, hi; /* addresses covered, multiples of the pool size */
	unsigned int shift;
	uint8_t *cells; /* 0: not a pool in use; POOLMAP_UNKNOWN; else size class index + 1 */
	uint64_t cells_count;
};

/* Covers [lo, hi). @pool_size is a power of two. 0, -EINVAL or -ENOMEM. */
int poolmap_init(struct poolmap *map, uint64_t lo, uint64_t hi, uint32_t pool_size);
void poolmap_fini(struct poolmap *map);

/* @size_class: 0 based; negative: the pool is empty. Addresses outside are ignored. */
void poolmap_set(struct poolmap *map, uint64_t pool, int size_class);

/* @count pools from @pool on have been carved, but their headers were not read yet. */
void poolmap_set_unknown(struct poolmap *map, uint64_t pool, uint64_t count);

/* Block sizes are multiples of this: pymalloc's ALIGNMENT where pointers have 64 bits
 * (Objects/obmalloc.c, 3.8 on). */
#define POOLMAP_GRAIN 16u
#define POOLMAP_UNKNOWN 0xffu
#define POOLMAP_SIZE_UNKNOWN (POOLMAP_UNKNOWN * POOLMAP_GRAIN)

/*
 * Size of the blocks of the pool around @addr in bytes; 0 where @addr is in no pool in use;
 * POOLMAP_SIZE_UNKNOWN where it is in one whose header nobody has looked at.
 */
static inline uint32_t poolmap_block_size(const struct poolmap *map, uint64_t addr)
{
	uint64_t i = (addr - map->lo) >> map->shift; /* below lo: more than there are cells */

	if (i >= map->cells_count)
		return 0;
	return __atomic_load_n(&map->cells[i], __ATOMIC_RELAXED) * POOLMAP_GRAIN;
}
