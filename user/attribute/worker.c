/* SPDX-License-Identifier: BSD-2-Clause */
#include "attribute/worker.h"

#include "attribute/refcount.h"
#include "base/cleanup.h"
#include "base/util.h"

#include <errno.h>

#ifndef QUEUE_BATCH /* the fuzzers have a smaller one */
#define QUEUE_BATCH 1024
#endif
/* Flushed well before this; what a flush itself puts off may grow it to here and no further. */
#define QUEUE_MAX (64 * QUEUE_BATCH)
/* malloc's own bookkeeping in front of a chunk's contents (glibc malloc/malloc.c). */
#define CHUNK_OVERHEAD 8
#define CHUNK_HEADER 16u
#define CHUNK_MMAP_SLACK 4096
/* Segments of one file lie next to each other, alignment apart. */
#define SEGMENTS_GAP_MAX (4 * MiB)
/* The largest block that is believed to lie in a mapping made since the mappings were read. */
#define NEW_MAPPING_MAX (64 * GiB)

/* Look-ups in one page are one read: what is allocated together lies together. */
#define PAGE 4096u
#define RANGES (QUEUE_BATCH / 16)
#define RANGE_SLOTS (4 * RANGES)

/* A batch under way. */
struct worker_scratch {
	struct fetch batch[QUEUE_BATCH];
	uint16_t range_of[QUEUE_BATCH]; /* where a look-up's bytes are */
	struct memory_piece ranges[RANGES];
	size_t ranges_count;
	uint16_t slots[RANGE_SLOTS]; /* ranges by page, open addressing: index + 1 */
	uint8_t data[RANGES][PAGE];
};

/* Of a captured heap, which has no file: the mappings of the interpreter and the anonymous one
 * behind (bss). */
static void find_static_mappings(const struct python *py, const struct maps *maps,
				 struct attribution *shared)
{
	for (size_t i = 0; py->map && i < maps->count; i++) {
		const struct mapping *map = &maps->list[i];
		bool behind = shared->static_hi && map->start == shared->static_hi &&
			      map->kind == MAPPING_ANON;

		if (map->start < py->map->start)
			continue;
		if (shared->static_hi && map->start - shared->static_hi > SEGMENTS_GAP_MAX)
			break; /* the same file once more, mapped as data */
		if (!behind &&
		    (map->kind != MAPPING_FILE || map->inode != py->map->inode ||
		     map->dev_major != py->map->dev_major || map->dev_minor != py->map->dev_minor))
			continue;
		if (!shared->static_lo)
			shared->static_lo = map->start;
		shared->static_hi = map->end;
		if (behind)
			break;
	}
}

/*
 * Where static objects are: in the interpreter's loaded segments. Not simply in its file's
 * mappings: a program may map that file again, far away, and the kernel may merge bss with an arena
 * that lies behind it.
 */
void worker_find_static(struct attribution *shared, const struct python *py)
{
	const struct elf_segment *segs;
	uint64_t lo = UINT64_MAX, hi = 0;
	size_t count = 0;

	if (!py->image) {
		find_static_mappings(py, shared->maps, shared);
		return;
	}
	segs = elf_segments(py->image, &count);
	for (size_t i = 0; i < count; i++) {
		lo = MIN(lo, segs[i].vaddr + py->bias);
		hi = MAX(hi, segs[i].vaddr + py->bias + segs[i].memsz);
	}
	if (lo < hi) {
		shared->static_lo = lo;
		shared->static_hi = hi;
	}
}

/* Type objects are static data or too large for pymalloc: in no pool of it, and somewhere that is
 * mapped. */
static bool worker_may_be_type(const void *ctx, uint64_t addr)
{
	const struct attribution *shared = ctx;

	return !poolmap_block_size(&shared->census->pools, addr) && maps_find(shared->maps, addr);
}

int worker_types_new(struct attribution *shared, struct memory *mem)
{
	return types_new(shared->layout, mem, worker_may_be_type, shared, &shared->types);
}

int worker_init(struct worker *worker, struct attribution *shared, struct census_visitor *visitor,
		struct memory *mem)
{
	int r;

	*worker = (struct worker){
		.shared = shared,
		.layout = shared->layout,
		.types = shared->types,
		.visitor = visitor,
		.pools = &shared->census->pools,
		.hooks_front = shared->hooks.front,
		.hooks_extra = shared->hooks.extra,
		.static_lo = shared->static_lo,
		.static_hi = shared->static_hi,
		.refcount_dead_mask = refcount_dead_mask(shared->layout),
		.queue_room = 2 * QUEUE_BATCH,
	};
	for (size_t i = 0; i < shared->maps->count; i++)
		if (shared->maps->list[i].kind == MAPPING_HEAP) {
			worker->heap_lo = shared->maps->list[i].start;
			worker->heap_hi = shared->maps->list[i].end;
		}
	worker->is_low =
		(worker->static_lo < worker->static_hi && worker->static_lo < REFCOUNT_MAX) ||
		(worker->heap_lo < worker->heap_hi && worker->heap_lo < REFCOUNT_MAX);
	for (uint32_t i = 1; i < ARRAY_SIZE(worker->ratios); i++)
		worker->ratios[i] = UINT32_MAX / (i * POOLMAP_GRAIN) + 1;
	worker->rows = calloc(WORKER_ROWS, sizeof(*worker->rows));
	worker->queue = calloc(worker->queue_room, sizeof(*worker->queue));
	worker->scratch = malloc(sizeof(*worker->scratch));
	if (!worker->rows || !worker->queue || !worker->scratch)
		return -ENOMEM;
	r = memory_clone(mem, &worker->mem);
	if (r < 0)
		return r;
	worker->dict_row = types_get(worker->types, shared->dict_type);
	return 0;
}

void worker_fini(struct worker *worker)
{
	free(worker->queue);
	free(worker->scratch);
	for (size_t i = 0; worker->rows && i < WORKER_ROWS; i++)
		free(worker->rows[i].samples);
	free(worker->rows);
	strings_freep(&worker->strings);
	memory_freep(&worker->mem);
}

static void worker_settle_row(struct worker *worker, struct worker_row *row)
{
	if (types_settle(worker->types, row->type, &row->tally, row->samples) < 0)
		worker->failed = true;
	free(row->samples);
	*row = (struct worker_row){};
}

struct worker_row *worker_change_row(struct worker *worker, struct worker_row *row,
				     struct type *type)
{
	if (row->type)
		worker_settle_row(worker, row);
	row->type = type;
	return row;
}

struct type_samples *worker_samples(struct worker *worker, struct type *type)
{
	struct worker_row *row = worker_row(worker, type);

	if (!row->samples)
		row->samples = calloc(1, sizeof(*row->samples));
	worker->failed |= !row->samples;
	return row->samples;
}

int worker_settle(struct worker *worker)
{
	for (size_t i = 0; i < WORKER_ROWS; i++)
		if (worker->rows[i].type)
			worker_settle_row(worker, &worker->rows[i]);
	cleanup_free(&worker->rows);
	cleanup_free(&worker->queue);
	cleanup_free(&worker->scratch);
	return worker->failed ? -ENOMEM : 0;
}

/* Of a block in a pool that the walk has not come to. */
static __attribute__((noinline)) uint64_t worker_read_block_size(struct worker *worker,
								 uint64_t addr)
{
	const struct layout *l = worker->layout;
	struct poolmap *pools = &worker->shared->census->pools;
	uint64_t pool = addr & ~((uint64_t)l->pool_size - 1);
	const uint8_t *header = worker_peek(worker, pool, l->pool_overhead);
	uint8_t bytes[64];
	uint32_t class;

	if (!header && memory_read(worker->mem, pool, bytes, l->pool_overhead) < 0)
		return 0;
	if (!header)
		header = bytes;
	class = load_u32(header + l->pool_size_index);
	if (!load_u32(header + l->pool_count) || class >= CENSUS_CLASSES)
		return 0;
	poolmap_set(pools, pool, (int)class);
	return (class + 1) * l->alignment;
}

uint64_t worker_block_size(struct worker *worker, uint64_t addr)
{
	const struct census *census = worker->shared->census;
	uint32_t size = poolmap_block_size(&census->pools, addr);
	const struct mimalloc_page *page;

	if (size)
		return size == POOLMAP_SIZE_UNKNOWN ? worker_read_block_size(worker, addr) : size;
	page = census->mimalloc.count ? mimalloc_page_of(&census->mimalloc, addr) : NULL;
	return page ? page->block_size : 0;
}

/* Does a block of @size begin at @block, which is in one? */
static bool worker_begins_at(const struct worker *worker, uint64_t block, uint64_t size)
{
	const struct mimalloc *mimalloc = &worker->shared->census->mimalloc;
	const struct mimalloc_page *page;

	if (!mimalloc->count)
		return worker_begins_in_pool(worker, block, (uint32_t)size);
	page = mimalloc_page_of(mimalloc, block);
	return page && !((block - page->start) % size);
}

uint64_t worker_block_at(struct worker *worker, uint64_t addr)
{
	uint64_t block = addr - worker->shared->hooks.front;
	uint64_t size = worker_block_size(worker, block);

	return size && worker_begins_at(worker, block, size) ? size : 0;
}

void worker_claim(struct worker *worker, uint64_t size, uint64_t count)
{
	if (worker->shared->census->mimalloc.count)
		worker_sum_add(&worker->mi_claimed, count, count * size);
	else
		worker->claimed_blocks[size / POOLMAP_GRAIN - 1] += count;
}

void worker_find(struct worker *worker, struct type *type, uint64_t size)
{
	struct tally *tally = worker_tally(worker, type);

	tally->parts[TALLY_BUFFER] += (int64_t)size;
	tally->found_bytes += (int64_t)size;
	if (worker->shared->census->mimalloc.count)
		worker_sum_add(&worker->mi_found, 1, size);
	else
		worker->found_blocks[size / POOLMAP_GRAIN - 1]++;
}

static bool worker_queue_grow(struct worker *worker)
{
	size_t room = worker->queue_room * 2;
	struct fetch *queue;

	if (room > QUEUE_MAX)
		return false;
	queue = reallocarray(worker->queue, room, sizeof(*queue));
	if (!queue)
		return false;
	worker->queue = queue;
	worker->queue_room = room;
	return true;
}

void worker_fetch(struct worker *worker, const struct fetch *fetch)
{
	const uint8_t *data = worker_peek(worker, fetch->addr, fetch->len);

	if (data) {
		fetch->run(worker, fetch, data);
		return;
	}
	if (worker->queue_count == worker->queue_room && !worker_queue_grow(worker)) {
		worker->torn++;
		return;
	}
	worker->queue[worker->queue_count++] = *fetch;
	if (worker->queue_count >= QUEUE_BATCH && !worker->flushing)
		worker_flush(worker);
}

/* The range that holds the bytes that @f asks for. RANGES: there is no room for one more. */
static size_t worker_range(struct worker_scratch *s, const struct fetch *f)
{
	uint64_t page = f->addr / PAGE;
	size_t slot = page * 0x9e3779b97f4a7c15ull >> 32 & (RANGE_SLOTS - 1), i = s->ranges_count;

	_Static_assert(!(RANGE_SLOTS & (RANGE_SLOTS - 1)), "a power of two");
	_Static_assert(FETCH_MAX <= PAGE,
		       "a look-up over the end of a page has a range of its own");
	if ((f->addr + f->len - 1) / PAGE == page) {
		while (s->slots[slot] && s->ranges[s->slots[slot] - 1].addr / PAGE != page)
			slot = (slot + 1) & (RANGE_SLOTS - 1);
		if (s->slots[slot]) {
			struct memory_piece *range = &s->ranges[s->slots[slot] - 1];
			uint64_t end = MAX(range->addr + range->len, f->addr + f->len);

			range->addr = MIN(range->addr, f->addr);
			range->len = end - range->addr;
			return s->slots[slot] - 1;
		}
		if (i < RANGES)
			s->slots[slot] = (uint16_t)(i + 1);
	}
	if (i < RANGES)
		s->ranges[s->ranges_count++] =
			(struct memory_piece){ f->addr, s->data[i], f->len, 0 };
	return i;
}

/* Of a look-up whose range was read. Not all of a page need be there: then it is on its own. */
static void worker_run_one(struct worker *worker, const struct fetch *f,
			   const struct memory_piece *range)
{
	uint8_t data[FETCH_MAX];

	if (range->got)
		f->run(worker, f, (const uint8_t *)range->buf + (f->addr - range->addr));
	else if (!memory_read(worker->mem, f->addr, data, f->len))
		f->run(worker, f, data);
	else
		worker->torn++;
}

/* Runs as many of the batch as there are ranges for. Their number; 0: the target cannot be read. */
static size_t worker_run_some(struct worker *worker, const struct fetch *batch, size_t count)
{
	struct worker_scratch *s = worker->scratch;
	size_t n = 0;

	s->ranges_count = 0;
	memset(s->slots, 0, sizeof(s->slots));
	for (; n < count; n++) {
		size_t range = worker_range(s, &batch[n]);

		if (range == RANGES)
			break;
		s->range_of[n] = (uint16_t)range;
	}
	if (memory_read_batch(worker->mem, s->ranges, s->ranges_count) < 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		worker_run_one(worker, &batch[i], &s->ranges[s->range_of[i]]);
	return n;
}

static void worker_run_batch(struct worker *worker, const struct fetch *batch, size_t count)
{
	for (size_t done = 0, n; done < count; done += n) {
		n = worker_run_some(worker, batch + done, count - done);
		if (!n)
			return;
	}
}

void worker_flush(struct worker *worker)
{
	struct fetch *batch = worker->scratch->batch;

	worker->flushing = true;
	while (worker->queue_count) {
		size_t count = MIN(worker->queue_count, (size_t)QUEUE_BATCH);

		worker->queue_count -= count;
		memcpy(batch, worker->queue + worker->queue_count, count * sizeof(*batch));
		worker_run_batch(worker, batch, count);
	}
	worker->flushing = false;
}

/* A row gets @size bytes; another loses them, or malloc's share of Python grows. */
static inline void worker_book(struct worker *worker, const struct charge *c, uint64_t size,
			       bool in_malloc)
{
	int64_t bytes = (int64_t)size;

	worker_tally(worker, c->to)->parts[c->to_part] += bytes;
	if (c->from)
		worker_tally(worker, c->from)->parts[c->from_part] -= bytes;
	else if (in_malloc)
		worker->malloc_bytes += size;
	if (c->owner == CHARGE_NO_DICT)
		return;
	worker->by_owner[c->owner].bytes += bytes;
	if (c->from)
		worker->by_owner[TALLY_OWNER_PLAIN].bytes -= bytes;
	else
		worker->by_layout[c->layout].bytes += bytes;
}

/*
 * data: what is in front of the contents, up to where the chunk's header would be with all hooks.
 * The size word must fit what was asked for (a) and is there (b).
 */
static void worker_run_chunk(struct worker *worker, const struct fetch *f, const uint8_t *data)
{
	uint32_t most = f->len - CHUNK_HEADER;
	uint32_t hooks = most ? hooks_count(data + CHUNK_HEADER, HOOKS_EXTRA + most) : 0;
	uint64_t size, expected = f->a;

	/* Fewer of them than there could be: those that are there stand right in front. */
	if (most && hooks * HOOKS_FRONT < most)
		hooks = hooks_are_at(data + CHUNK_HEADER + most - HOOKS_FRONT);
	data += most - hooks * HOOKS_FRONT;
	if (expected)
		expected += hooks * HOOKS_EXTRA;
	size = load_u64(data + 8) & ~7ull;
	if (size % 16 || size < expected + CHUNK_OVERHEAD || size < 32 || size > f->b ||
	    (expected && size > 2 * expected + CHUNK_MMAP_SLACK)) {
		worker->torn++;
		if (!expected || expected > f->b)
			return;
		size = round_up(expected + CHUNK_OVERHEAD, 16);
	}
	worker_book(worker, &f->charge, size, true);
}

/* How many bytes a block at @addr can have at most; 0 where there is no heap. */
static uint64_t worker_heap_room(const struct worker *worker, uint64_t addr)
{
	const struct mapping *map;

	if (addr >= worker->shared->static_lo && addr < worker->shared->static_hi)
		return 0;
	map = maps_find(worker->shared->maps, addr);
	if (!map)
		return NEW_MAPPING_MAX;
	return map->kind == MAPPING_ANON || map->kind == MAPPING_HEAP ? maps_run_end(map) - addr
								      : 0;
}

static void worker_charge_pool(struct worker *worker, const struct charge *charge, uint64_t addr,
			       uint64_t expected, uint64_t size)
{
	if (!worker_begins_at(worker, addr - worker->shared->hooks.front, size) ||
	    expected + worker->shared->hooks.extra > size) {
		worker->torn++;
		return;
	}
	if (!charge->from)
		worker_claim(worker, size, 1);
	worker_book(worker, charge, size, false);
}

/* What has no hooks may be the first of its mapping, with nothing in front of it to look at. */
static void worker_stay_mapped(const struct worker *worker, struct fetch *f, uint64_t addr)
{
	const struct mapping *map = maps_find(worker->shared->maps, addr);

	if (!map || f->addr >= map->start || addr - CHUNK_HEADER < map->start ||
	    maps_find(worker->shared->maps, map->start - 1))
		return;
	f->addr = map->start;
	f->len = (uint16_t)(addr - map->start);
}

static __attribute__((noinline)) void worker_charge_chunk(struct worker *worker,
							  const struct charge *charge,
							  uint64_t addr, uint64_t expected)
{
	uint32_t hooks = worker->shared->hooks.large_extra / HOOKS_EXTRA;
	struct fetch f = {
		.addr = addr - hooks * HOOKS_FRONT - CHUNK_HEADER,
		.run = worker_run_chunk,
		.charge = *charge,
		.a = expected,
		.len = (uint16_t)(hooks * HOOKS_FRONT + CHUNK_HEADER),
	};

	if (addr % 8 || addr < 0x10000 || addr >> 47)
		return;
	worker_stay_mapped(worker, &f, addr);
	/* A chunk goes on for one word past its contents' end, but begins two before. */
	f.b = worker_heap_room(worker, addr);
	if (!f.b)
		return;
	f.b += 16;
	if (worker->shared->census->glibc.present)
		worker_fetch(worker, &f);
	else
		worker_book(worker, charge,
			    round_up(expected ? expected + hooks * HOOKS_EXTRA : 0, 16), true);
}

static __attribute__((noinline)) void worker_charge_unusual(struct worker *worker,
							    const struct charge *charge,
							    uint64_t addr, uint64_t expected)
{
	uint64_t size = worker_block_size(worker, addr);

	if (size)
		worker_charge_pool(worker, charge, addr, expected, size);
	else
		worker_charge_chunk(worker, charge, addr, expected);
}

void worker_charge(struct worker *worker, const struct charge *charge, uint64_t addr,
		   uint64_t expected)
{
	uint32_t size = worker_usual_block(worker, addr, expected);

	if (!size) {
		worker_charge_unusual(worker, charge, addr, expected);
		return;
	}
	if (!charge->from)
		worker->claimed_blocks[size / POOLMAP_GRAIN - 1]++;
	worker_book(worker, charge, size, false);
}

static __attribute__((noinline)) void worker_charge_unusual_buffer(struct worker *worker,
								   struct type *type, uint64_t addr,
								   uint64_t expected)
{
	const struct charge charge = {
		.to = type,
		.to_part = TALLY_BUFFER,
		.owner = CHARGE_NO_DICT,
		.layout = CHARGE_NO_DICT,
	};

	worker_charge_unusual(worker, &charge, addr, expected);
}

void worker_charge_buffer(struct worker *worker, struct type *type, uint64_t addr,
			  uint64_t expected)
{
	uint32_t size = worker_usual_block(worker, addr, expected);

	if (!size) {
		worker_charge_unusual_buffer(worker, type, addr, expected);
		return;
	}
	worker->claimed_blocks[size / POOLMAP_GRAIN - 1]++;
	worker_tally(worker, type)->parts[TALLY_BUFFER] += size;
}
