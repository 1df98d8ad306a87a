/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A whole heap, attributed: one row per type and the books that they balance against.
 *
 * Every block in use belongs to one row or to `unattributed`; the rows' bytes in pymalloc and the
 * unattributed ones are pymalloc's bytes in use, to the byte.
 */
#pragma once

#include "attribute/facts.h"
#include "attribute/names.h"
#include "attribute/samples.h"
#include "attribute/tally.h"
#include "base/cleanup.h"
#include "census/census.h"
#include "census/resident.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_type {
	uint64_t addr;
	char *name;
	struct tally_packed tally;
	struct names_keys *shared_keys; /* NULL: none */
	struct facts *facts; /* of a Python class of which there is much, or that everything was
				asked about; else NULL */
	bool heap;	     /* not a static type */
	bool has_capacity;   /* its instances have room that they may not use */
};

#define HEAP_VALUES_MAX 5

/* strs with equal contents. */
struct heap_duplicates {
	bool known;	       /* false: they were not asked for */
	int64_t copies, bytes; /* beyond the first of each */
	int64_t unseen_bytes;  /* of strs that could not be read */
	unsigned int sampling; /* 1: all were counted, else one in so many */
	struct {
		char *text;
		int64_t copies, bytes;
	} values[HEAP_VALUES_MAX]; /* the dearest, where they were asked for */
	size_t values_count;
};

struct heap {
	struct heap_type *types; /* those with objects or bytes */
	size_t types_count;
	struct census_books books;		  /* dead objects moved from "in use" to "free" */
	uint64_t freelist_blocks, freelist_bytes; /* those */
	uint64_t unattributed_blocks, unattributed_bytes;
	uint64_t python_bytes; /* all rows */
	uint64_t malloc_python_bytes;
	struct sample samples[SAMPLES_MAX]; /* of the type that the request names */
	size_t samples_count;
	struct tally_dicts by_layout[TALLY_DICT_LAYOUTS], by_owner[TALLY_DICT_OWNERS];
	struct heap_duplicates duplicates;
	uint64_t blocks;	  /* looked at: pymalloc's in use and malloc's chunks in use */
	uint64_t torn_structures; /* that made no sense and were left out */
	bool interrupted;	  /* ended before it was complete: by *stop, or with the target */
	bool has_glibc;
	const char *malloc_name; /* "glibc" only where that is walked; NULL: unknown. Static */
	bool has_mimalloc;	 /* instead of pymalloc: books.mimalloc */
	bool incomplete;	 /* what threads that ended left behind could not be looked up */
	bool has_resident;
	struct resident resident;
	uint64_t duration_ns;
};

/*
 * A block that the allocator has given out. @size: of the pymalloc block, or of the malloc chunk
 * with its header.
 * @sure: it is Python's; a malloc chunk that is not itself an object may be native code's as well.
 */
typedef void heap_block_fn(void *ctx, uint64_t addr, uint64_t size, bool sure);

struct heap_request {
	const struct python *py;
	const struct layout *layout;
	const struct arenas_root *root; /* NULL: no pymalloc */
	const struct maps *maps;
	const struct smaps *smaps; /* NULL: what is resident is not asked */
	struct memory *mem;
	int pagemap_fd;
	bool by_shares;		   /* what is resident, see census/resident.h */
	bool debug_hooks;	   /* each block has their header and trailer (probe/allocator.h) */
	unsigned int threads;	   /* 1 to CENSUS_THREADS_MAX */
	const volatile bool *stop; /* may be NULL */
	uint64_t samples_type;	   /* address of the type of which samples are wanted; 0: none */
	bool samples_values;	   /* with their values */
	bool duplicates;	   /* look for equal strs: takes a little longer */
	bool values;		   /* and read what stands in the dearest */
	bool thorough;		   /* facts of every class, not only of those that take much */
	/* Called for each block in use; NULL: not wanted. With it, threads must be 1. */
	heap_block_fn *block;
	void *block_ctx;
};

/* 0; -ESRCH, -EPERM, -ENOMEM; an interruption with anything seen gives 0 and heap->interrupted. */
int heap_take(const struct heap_request *request, struct heap **ret);
/* Gives up the last row, and its room. */
void heap_drop_last(struct heap *heap);
void heap_free(struct heap *heap);
DEFINE_CLEANUP(struct heap, heap_free)
