/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One thread's share of the attribution: its types and tallies, and the look-ups that it has put
 * off. Private to attribute/.
 *
 * What an object's row needs from elsewhere (the header of a dict's keys, the size of a malloc
 * chunk) is fetched at once when it lies in the arena at hand, and otherwise in batches of one
 * system call each.
 */
#pragma once

#include "attribute/addrcache.h"
#include "attribute/addrset.h"
#include "attribute/hooks.h"
#include "attribute/samples.h"
#include "attribute/strings.h"
#include "attribute/tally.h"
#include "attribute/types.h"
#include "attribute/whatif.h"
#include "base/util.h"
#include "census/census.h"
#include "target/maps.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An object, as far as its bytes are at hand. */
struct object {
	uint64_t addr;	     /* of the PyObject */
	const uint8_t *data; /* from addr on */
	uint32_t len;
	uint64_t block_addr, block_size;
};

/* The word at @offset, 0 where it is not at hand. */
static inline uint64_t object_word(const struct object *obj, uint32_t offset)
{
	return offset != LAYOUT_NONE && (uint64_t)offset + 8 <= obj->len
		       ? load_u64(obj->data + offset)
		       : 0;
}

struct worker;
struct fetch;

typedef void fetch_run(struct worker *worker, const struct fetch *fetch, const uint8_t *data);

#define FETCH_MAX 64
#define CHARGE_NO_DICT 0xff

/*
 * Whose a block is: it goes to the row and part @to. @from: NULL where nobody has it yet, else the
 * row that had it. Bytes of dicts are booked by owner and layout too; CHARGE_NO_DICT for everything
 * else.
 */
struct charge {
	struct type *to, *from;
	uint8_t to_part, from_part; /* enum tally_part */
	uint8_t owner;		    /* enum tally_dict_owner; what moves comes from PLAIN */
	uint8_t layout;		    /* enum tally_dict_layout; what moves is booked there already */
};

/* One put-off look-up: @len bytes at @addr for @run. a, b, flag: the runner's business. */
struct fetch {
	uint64_t addr;
	fetch_run *run;
	struct charge charge;
	uint64_t a, b;
	uint32_t size; /* of the block around, where that is needed later */
	uint16_t len;
	bool flag;
};

/* Shared by all workers of one census. */
struct attribution {
	struct census *census;
	const struct layout *layout;
	const struct maps *maps;
	uint64_t static_lo, static_hi; /* the interpreter's image: nothing there is heap */
	uint64_t dict_type;	       /* address of PyDict_Type */
	uint64_t general_lookup; /* dk_lookup of keys that are not all str; 0: not known, or dk_kind
				    tells */
	struct hooks hooks;
	uint64_t samples_type; /* address of the type of which samples are wanted; 0: none */
	void (*block)(void *ctx, uint64_t addr, uint64_t size,
		      bool sure); /* see heap.h; NULL: nobody asks */
	void *block_ctx;
	struct types *types;	 /* see worker_types_new() */
	struct whatif whatif;	 /* the allocator, for sizes that could be */
	struct addrcache *found; /* raw blocks that objects of unknown insides point to */
	struct addrset *claimed; /* dicts and keys that more than one reference holds, already given
				    a row */
};

struct worker_sum {
	uint64_t blocks, bytes;
};

static inline void worker_sum_add(struct worker_sum *sum, uint64_t blocks, uint64_t bytes)
{
	sum->blocks += blocks;
	sum->bytes += bytes;
}
/* The header of a keys table that many dicts share. */
struct shared_header {
	uint64_t addr;
	uint8_t data[40];
};

#define SHARED_HEADERS 256

/*
 * What one worker has counted of a type since the type came into this place, which it shares with
 * others: what it had counted of the one before has been settled in the types then. Few programs
 * have as many types as there are places.
 */
struct worker_row {
	struct type *type; /* NULL: none yet */
	struct tally tally;
	struct type_samples *samples; /* NULL: none met */
};

#define WORKER_ROWS 4096u

struct worker_scratch;

struct worker {
	struct attribution *shared;
	const struct layout *layout;
	struct memory *mem; /* own handle */
	struct census_visitor *visitor;
	struct types *types;	 /* as in shared */
	struct type *dict_row;	 /* of dict itself */
	struct worker_row *rows; /* by the types' index */
	bool failed;		 /* out of memory: what was counted is not all there */
	/* As in shared: at hand for the inner loop. */
	const struct poolmap *pools;
	uint32_t hooks_front, hooks_extra;
	uint64_t static_lo, static_hi;
	uint64_t heap_lo, heap_hi; /* malloc's main heap */
	bool is_low; /* one of the two begins where an address could pass for a count */
	uint64_t refcount_dead_mask;	     /* see refcount_dead_mask() */
	uint32_t ratios[CENSUS_CLASSES + 1]; /* 2^32 by block size, rounded up; by size in grains */
	bool pool_has_dead;		     /* some of the pool at hand may be on a free list */
	struct strings *strings;	     /* NULL: equal strs are not asked for */

	struct shared_header shared_headers[SHARED_HEADERS]; /* direct-mapped, filled by dicts.c */
	struct fetch *queue;
	struct worker_scratch *scratch;
	size_t queue_count, queue_room;
	bool flushing;

	/* pymalloc blocks by size class: neither object nor dead, and those of them that an owner
	 * claimed */
	uint64_t raw_blocks[CENSUS_CLASSES], claimed_blocks[CENSUS_CLASSES];
	uint64_t found_blocks[CENSUS_CLASSES]; /* raw ones that something points to: its owner, most
						  likely */
	uint64_t object_blocks[CENSUS_CLASSES], dead_blocks[CENSUS_CLASSES];
	struct worker_sum mi_objects, mi_raw, mi_claimed, mi_found,
		mi_dead;       /* the same of mimalloc, whatever their size */
	uint64_t malloc_bytes; /* chunks that were given to a row */
	struct tally_dicts by_layout[TALLY_DICT_LAYOUTS], by_owner[TALLY_DICT_OWNERS];
	struct samples_met samples;
	uint64_t torn; /* structures that made no sense: skipped and counted */
};

/* Fills static_lo and static_hi. */
void worker_find_static(struct attribution *shared, const struct python *py);

/* The types that all workers share, read through @mem by one thread at a time: before any worker is
 * there. 0 or -ENOMEM. */
int worker_types_new(struct attribution *shared, struct memory *mem);

int worker_init(struct worker *worker, struct attribution *shared, struct census_visitor *visitor,
		struct memory *mem);
void worker_fini(struct worker *worker);

/* Makes the row @type's. */
struct worker_row *worker_change_row(struct worker *worker, struct worker_row *row,
				     struct type *type);

static inline struct worker_row *worker_row(struct worker *worker, struct type *type)
{
	struct worker_row *row = &worker->rows[type->index % WORKER_ROWS];

	return row->type == type ? row : worker_change_row(worker, row, type);
}

/* Where to count what is met of @type. Another type's may be in the same place after the next call.
 */
static inline struct tally *worker_tally(struct worker *worker, struct type *type)
{
	return &worker_row(worker, type)->tally;
}

/* Likewise; NULL when out of memory. */
struct type_samples *worker_samples(struct worker *worker, struct type *type);

/* Settles in the types whatever is still counted here only: the worker's last deed. 0 or -ENOMEM.
 */
int worker_settle(struct worker *worker);

/* The bytes at @addr if they are in the arena at hand. */
static inline const uint8_t *worker_peek(const struct worker *worker, uint64_t addr, size_t len)
{
	const struct census_window *window = &worker->visitor->window;
	uint64_t offset = addr - window->base;

	if (addr < window->base || offset > window->len || window->len - offset < len)
		return NULL;
	return window->data + offset;
}

/* Runs @fetch now or puts it off. A fetch whose address cannot be read is counted as torn and
 * dropped. */
void worker_fetch(struct worker *worker, const struct fetch *fetch);

/*
 * Size of the pymalloc or mimalloc block at @addr (any address in it), 0 where it is in none. A
 * pool that the walk has not come to yet has its header read.
 */
uint64_t worker_block_size(struct worker *worker, uint64_t addr);

/* The same, but 0 as well where @addr is not a block's first usable byte. */
uint64_t worker_block_at(struct worker *worker, uint64_t addr);

/* Does Python have an allocator of its own, in which all small blocks are? */
static inline bool worker_has_small_blocks(const struct worker *worker)
{
	const struct census *census = worker->shared->census;

	return census->arenas.count || census->mimalloc.count;
}

/*
 * Does a block of @size, of a pool, begin at @block? A multiplication tells, for sizes and offsets
 * are small: a division takes longer than all the rest that is done for a buffer.
 */
static inline bool worker_begins_in_pool(const struct worker *worker, uint64_t block, uint32_t size)
{
	const struct layout *l = worker->layout;
	uint32_t offset = (uint32_t)(block & (l->pool_size - 1)) - l->pool_overhead;
	uint64_t ratio = worker->ratios[MIN(size / POOLMAP_GRAIN, (uint32_t)CENSUS_CLASSES)];

	return offset < l->pool_size && (uint32_t)(offset * ratio >> 32) * size == offset;
}

/*
 * The usual case in one piece: @addr is a block, of a pool that the walk has come to, with room for
 * @expected. Its size, else 0.
 */
static inline uint32_t worker_usual_block(const struct worker *worker, uint64_t addr,
					  uint64_t expected)
{
	uint32_t size = poolmap_block_size(worker->pools, addr);

	return size && size <= CENSUS_CLASSES * POOLMAP_GRAIN &&
			       expected + worker->hooks_extra <= size &&
			       worker_begins_in_pool(worker, addr - worker->hooks_front, size)
		       ? size
		       : 0;
}

/* @count blocks of @size, none of them an object, have an owner. */
void worker_claim(struct worker *worker, uint64_t size, uint64_t count);

/* A raw block of @size that an object of @type, of unknown insides, points to. It may be another's
 * after all, or free by now: settle_rows(). */
void worker_find(struct worker *worker, struct type *type, uint64_t size);

/* Runs all that was put off, and what comes of it. */
void worker_flush(struct worker *worker);

/*
 * Books the allocated block whose first usable byte is at @addr, whole: pymalloc block or malloc
 * chunk. @expected: bytes that were asked for, as far as known (checks a chunk's size word, and
 * stands in where malloc is not glibc's; 0: unknown). An address in no heap (static data) is left
 * alone.
 */
void worker_charge(struct worker *worker, const struct charge *charge, uint64_t addr,
		   uint64_t expected);

/* The common case: a buffer that belongs to @type. */
void worker_charge_buffer(struct worker *worker, struct type *type, uint64_t addr,
			  uint64_t expected);
