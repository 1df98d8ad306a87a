/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * glibc's malloc, walked from outside: main heap, thread heaps, chunks with a mapping of their own.
 *
 * Each chunk is preceded by its size word; the low bits are flags, and bit 0 of the *next* chunk
 * says whether this one is in use. Chunks in a tcache or a fast bin still say "in use": those are
 * told by the tcache key in their second word, and by walking the fast bins. (glibc
 * malloc/malloc.c, 2.26 to 2.41.)
 */
#pragma once

#include "census/arenas.h"
#include "target/maps.h"
#include "target/memory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of a chunk's contents that the callback may look at (less where the chunk is smaller): a
 * whole class. */
#define GLIBC_PEEK 1024

struct glibc_chunk {
	uint64_t addr;	     /* what malloc() returned */
	uint64_t size;	     /* the whole chunk, its header included */
	const uint8_t *data; /* data_len bytes from addr on */
	uint32_t data_len;
};

enum glibc_region_kind { GLIBC_MAIN, GLIBC_THREAD, GLIBC_MMAPPED };

struct glibc_region {
	enum glibc_region_kind kind;
	uint64_t start, end; /* first chunk header; end of the last chunk. MMAPPED: one chunk */
};

struct glibc_stats {
	uint64_t heap_bytes;  /* all chunks and the tops */
	uint64_t inuse_bytes; /* chunks in use */
	uint64_t free_bytes;
	uint64_t chunks, torn;	/* torn: places where the chain broke and was found again, or not */
	uint64_t skipped_bytes; /* not walked because of that: in heap_bytes and in nothing else */
};

struct glibc {
	struct glibc_region *regions;
	size_t count;
	uint64_t tcache_key;	  /* 0: none known */
	uint64_t *fastbin_chunks; /* sorted header addresses */
	size_t fastbins_count;
	bool present; /* a glibc heap was found */
};

/* Where the resident pages are: an fd of /proc/PID/pagemap, or -1: everything counts as resident.
 */
int glibc_find(struct memory *mem, const struct maps *maps, const struct arenas *arenas,
	       uint64_t arena_size, int pagemap_fd, struct glibc *ret);
void glibc_fini(struct glibc *glibc);

/*
 * Walks one region; @chunk is called for each chunk in use. Adds to @stats. 0, -ESRCH, -EPERM,
 * -ENOMEM.
 */
int glibc_walk(const struct glibc *glibc, const struct glibc_region *region, struct memory *mem,
	       void (*chunk)(void *ctx, const struct glibc_chunk *chunk), void *ctx,
	       struct glibc_stats *stats);
