/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The census: every block of pymalloc and of glibc's malloc, handed to a visitor, with the books
 * kept.
 *
 * Two threads share the arenas and heaps; each reads one arena at a time and hands out its pools
 * while the other reads. Nothing is kept per object: memory grows with arenas only. The target runs
 * on meanwhile; a pool that contradicts itself is read again, and counted as torn where it stays
 * so.
 */
#pragma once

#include "census/arenas.h"
#include "census/freelists.h"
#include "census/glibc.h"
#include "census/mimalloc.h"
#include "census/pool.h"
#include "census/poolmap.h"
#include "layout/layout.h"
#include "target/maps.h"
#include "target/memory.h"
#include "target/python.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CENSUS_CLASSES 32
#define CENSUS_THREADS_MAX 8

/* What a visitor may look at without a read of its own: the arena at hand. */
struct census_window {
	uint64_t base;
	const uint8_t *data;
	size_t len;
};

/* One per thread. The functions are called from that thread only. */
struct census_visitor {
	void *ctx;
	struct memory *mem;	     /* this thread's own handle; set by census_walk() */
	struct census_window window; /* kept by census_walk() */
	void (*pool)(struct census_visitor *visitor, const struct pool *pool);
	void (*chunk)(struct census_visitor *visitor, const struct glibc_chunk *chunk);
	void (*block)(struct census_visitor *visitor, const struct mimalloc_block *block);
	void (*done)(struct census_visitor *visitor); /* the thread's last call */
};

/* The allocator's own books. Bytes and blocks; arena_bytes is the sum of the four that follow it.
 */
struct census_books {
	uint64_t arenas_count, arena_bytes;
	uint64_t inuse_bytes, free_block_bytes, free_pool_bytes, overhead_bytes;
	uint64_t class_pools[CENSUS_CLASSES], class_inuse[CENSUS_CLASSES],
		class_free[CENSUS_CLASSES];
	uint64_t torn_pools; /* contradicted themselves to the end, of whatever cause */
	uint64_t bad_arenas, gone_arenas;
	struct glibc_stats glibc;
	struct mimalloc_books mimalloc;
	uint64_t bytes_read;
	uint64_t helpers_cpu_ns; /* CPU time of the threads besides the caller's */
};

struct census {
	const struct python *py;
	const struct layout *layout;
	struct arenas arenas;
	struct poolmap pools;
	struct glibc glibc;
	struct mimalloc mimalloc;
	struct freelists dead;
	struct census_books books;
};

/*
 * Reads where everything is: arenas, pool headers, malloc's heaps, free lists. @root NULL: no
 * pymalloc here.
 * @maps: as of now. @pagemap_fd: see glibc_find(). Negative errno: -ESRCH, -EPERM, -ENOMEM.
 */
int census_prepare(struct census *census, const struct python *py, const struct layout *layout,
		   const struct arenas_root *root, const struct maps *maps, struct memory *mem,
		   int pagemap_fd);

/*
 * Walks it all with @count threads, one visitor each; the caller's thread is the first. Fills
 * census->books. 0; -EINTR when *stop (may be NULL) became true; -ESRCH when the target ended: what
 * was seen is kept.
 */
int census_walk(struct census *census, struct memory *mem, struct census_visitor *visitors,
		size_t count, const volatile bool *stop);

void census_fini(struct census *census);
