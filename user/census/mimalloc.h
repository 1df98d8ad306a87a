/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The heaps of free-threaded builds: each thread has its own of mimalloc, one for raw memory and
 * three for objects.
 *
 * Pages lie in aligned segments that list them. Segments are found through the threads' heaps and,
 * where a thread left blocks behind when it ended, through the interpreter's pool of abandoned
 * ones. A block is free when it is on one of its page's three free lists, on the list of its heap
 * (what another thread frees of a full page goes there first), or was never carved.
 * (Objects/mimalloc/, Include/internal/mimalloc/mimalloc/types.h.)
 */
#pragma once

#include "layout/layout.h"
#include "target/memory.h"
#include "target/python.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which heap a block is of says what it may hold (_Py_mimalloc_heap_id,
 * Include/internal/pycore_mimalloc.h). */
enum mimalloc_heap {
	MIMALLOC_RAW,	 /* no object */
	MIMALLOC_OBJECT, /* objects without and with garbage collection: they begin with the block
			  */
	MIMALLOC_GC,
	MIMALLOC_GC_PRE, /* objects with a pre-header */
	MIMALLOC_HEAPS,
};

struct mimalloc_page {
	uint64_t header;     /* of the mi_page_t */
	uint64_t start, end; /* of the blocks that fit */
	uint64_t block_size;
	uint32_t heap; /* enum mimalloc_heap */
};

/* Sums over segments: segment_bytes is the sum of the four others. What is not booked to another is
 * free_page_bytes. */
struct mimalloc_books {
	uint64_t segments_count, segment_bytes;
	uint64_t inuse_bytes, free_block_bytes, free_page_bytes, overhead_bytes;
};

struct mimalloc {
	struct mimalloc_page *pages; /* in use, by address */
	size_t count;
	uint64_t *delayed; /* blocks on the lists of heaps, by address */
	size_t delayed_count;
	struct mimalloc_books books; /* of the segments; blocks are booked by the walk */
	bool incomplete; /* this version keeps the abandoned segments where we do not look */
	size_t bad;	 /* segments and pages that made no sense, and were left out */
};

/* What the walk hands out: a block in use. */
struct mimalloc_block {
	uint64_t addr, size;
	const uint8_t *data; /* len bytes: all of it, or its beginning */
	uint32_t len;
	enum mimalloc_heap heap;
};

struct mimalloc_walk {
	void (*block)(void *ctx, const struct mimalloc_block *block);
	/* What is at hand without another read, from now on: the page's blocks; len 0: nothing. */
	void (*window)(void *ctx, uint64_t addr, const uint8_t *data, size_t len);
	void *ctx;
	const struct mimalloc *mimalloc;
	struct mimalloc_books *books; /* inuse_bytes and free_block_bytes are added to */
	size_t *torn;		      /* pages that did not agree with themselves */
};

/* 0 (count 0 where the layout has no mimalloc); -ESRCH, -EPERM, -ENOMEM. */
int mimalloc_find(const struct python *py, const struct layout *layout, struct memory *mem,
		  struct mimalloc *ret);
void mimalloc_fini(struct mimalloc *mimalloc);

/* Hands out the blocks in use of one page. 0; -ESRCH, -EPERM, -ENOMEM. */
int mimalloc_walk_page(const struct mimalloc_page *page, const struct layout *layout,
		       struct memory *mem, const struct mimalloc_walk *walk);

/* The page that @addr is a block of, or NULL. */
const struct mimalloc_page *mimalloc_page_of(const struct mimalloc *mimalloc, uint64_t addr);
