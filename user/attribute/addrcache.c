/* SPDX-License-Identifier: BSD-2-Clause */
#include "attribute/addrcache.h"

#include <stdlib.h>

/* Half of a small second-level cache. */
#define CACHE_SLOTS (1u << 16)

struct addrcache {
	uint64_t slots[CACHE_SLOTS];
};

struct addrcache *addrcache_new(void)
{
	return calloc(1, sizeof(struct addrcache));
}

void addrcache_free(struct addrcache *cache)
{
	free(cache);
}

bool addrcache_add(struct addrcache *cache, uint64_t addr)
{
	uint64_t *slot =
		&cache->slots[(addr >> 4) * 0x9e3779b97f4a7c15ull >> 48 & (CACHE_SLOTS - 1)];

	/* What many point to is mostly there: it is not written again, so that threads can share
	 * it. */
	if (__atomic_load_n(slot, __ATOMIC_RELAXED) == addr)
		return false;
	return __atomic_exchange_n(slot, addr, __ATOMIC_RELAXED) != addr;
}
