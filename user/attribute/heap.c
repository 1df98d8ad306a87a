/* SPDX-License-Identifier: BSD-2-Clause */
#include "attribute/heap.h"

#include "attribute/builtins.h"
#include "attribute/classify.h"
#include "attribute/dicts.h"
#include "attribute/facts_collect.h"
#include "attribute/settle.h"
#include "attribute/worker.h"
#include "base/clock.h"
#include "base/util.h"
#include "census/malloc_name.h"

#include <errno.h>

/* Shared dicts that are met more than once are rare; a program that is all of them is cut off here.
 */
#define CLAIMED_MAX (1u << 20)
/* Room is given back for so many rows at once. */
#define ROWS_AT_ONCE 4096

struct taking {
	const struct heap_request *request;
	struct census census;
	struct attribution shared;
	struct memory *types_mem;
	struct worker workers[CENSUS_THREADS_MAX];
	struct census_visitor visitors[CENSUS_THREADS_MAX];
	size_t count;
	uint64_t given_too_much; /* bytes that rows have and the allocator has not */
};

static void taking_fini(struct taking *t)
{
	for (size_t i = 0; i < t->count; i++)
		worker_fini(&t->workers[i]);
	types_freep(&t->shared.types);
	memory_freep(&t->types_mem);
	addrset_freep(&t->shared.claimed);
	addrcache_freep(&t->shared.found);
	census_fini(&t->census);
}

/*
 * The function that looks up keys that are not all str, up to 3.10 (Objects/dictobject.c, lookdict:
 * a static function). The keys of object.__subclasses__ are addresses as ints, so its dict has it.
 */
static uint64_t find_general_lookup(const struct heap_request *request)
{
	const struct layout *l = request->layout;
	uint64_t addr = python_symbol(request->py, "PyBaseObject_Type");

	if (l->keys != LAYOUT_KEYS_SIZE || !addr)
		return 0;
	if (memory_read_u64(request->mem, addr + l->tp_subclasses, &addr) < 0 || !addr ||
	    memory_read_u64(request->mem, addr + l->ma_keys, &addr) < 0 || !addr ||
	    memory_read_u64(request->mem, addr + l->dk_lookup, &addr) < 0)
		return 0;
	return addr;
}

static int taking_init(struct taking *t, const struct heap_request *request)
{
	int r;

	t->request = request;
	r = census_prepare(&t->census, request->py, request->layout, request->root, request->maps,
			   request->mem, request->pagemap_fd);
	if (r < 0)
		return r;
	t->shared = (struct attribution){
		.census = &t->census,
		.layout = request->layout,
		.maps = request->maps,
		.dict_type = python_symbol(request->py, "PyDict_Type"),
		.general_lookup = find_general_lookup(request),
		.hooks = hooks_of(request->debug_hooks, request->root),
		.block = request->block,
		.block_ctx = request->block_ctx,
		.samples_type = request->samples_type,
		.whatif = {
			.layout = request->layout,
			.pymalloc = request->root,
			.glibc = t->census.glibc.present,
			.hooks = hooks_of(request->debug_hooks, request->root),
		},
		.claimed = addrset_new(CLAIMED_MAX),
		.found = addrcache_new(),
	};
	worker_find_static(&t->shared, request->py);
	if (!t->shared.claimed || !t->shared.found)
		return -ENOMEM;
	r = memory_clone(request->mem, &t->types_mem);
	if (!r)
		r = worker_types_new(&t->shared, t->types_mem);
	for (size_t i = 0;
	     !r && i < MIN(MAX(request->threads, 1u), (unsigned int)CENSUS_THREADS_MAX); i++) {
		t->visitors[i] = (struct census_visitor){
			.ctx = &t->workers[i],
			.pool = classify_pool,
			.chunk = classify_chunk,
			.block = classify_mimalloc,
			.done = classify_done,
		};
		t->count++;
		r = worker_init(&t->workers[i], &t->shared, &t->visitors[i], request->mem);
		if (!r && request->duplicates)
			t->workers[i].strings = strings_new();
		if (!r && request->duplicates && !t->workers[i].strings)
			r = -ENOMEM;
	}
	return r;
}

/* Types that no class statement made are not in the heap, but their dicts are. */
static void adopt_static_dicts(struct taking *t)
{
	struct worker *w = &t->workers[0];

	for (size_t i = 0; i < types_count(t->shared.types); i++) {
		const struct type *type = types_at(t->shared.types, i);
		struct type *meta;

		if ((type->flags & TPFLAGS_HEAPTYPE) || !type->dict || type->dict % 8)
			continue;
		meta = types_get(t->shared.types, type->meta);
		if (meta)
			dicts_adopt_static(w, meta, type->dict);
	}
	worker_flush(w);
}

static int64_t tally_bytes(const struct tally *tally)
{
	int64_t sum = 0;

	for (int i = 0; i < TALLY_PARTS; i++)
		sum += tally->parts[i];
	return sum;
}

/* Classes with a smaller share than one in so many have no facts read. */
#define FACTS_SHARE 200

static int64_t count_all_bytes(const struct taking *t)
{
	int64_t sum = 0;

	for (size_t i = 0; i < types_count(t->shared.types); i++) {
		struct tally tally = tally_unpack(&types_at(t->shared.types, i)->settled);

		sum += tally_bytes(&tally);
	}
	return sum;
}

static bool wants_facts(const struct heap_request *request, const struct type *type,
			const struct tally *tally, int64_t all_bytes)
{
	return type->python_class && tally->facts.carriers > 0 &&
	       (request->thorough || tally_bytes(tally) > all_bytes / FACTS_SHARE);
}

static int add_shared_keys(struct heap_type *row, const struct names *names,
			   const struct type *type)
{
	struct names_keys keys;

	if (names_of_shared_keys(names, type, &keys) < 0)
		return 0;
	row->shared_keys = malloc(sizeof(*row->shared_keys));
	if (!row->shared_keys) {
		names_keys_fini(&keys);
		return -ENOMEM;
	}
	*row->shared_keys = keys;
	return 0;
}

static int add_facts(struct heap_type *row, struct facts_collect *collect, const struct type *type,
		     const struct tally *tally)
{
	struct type_samples samples = types_samples(type);

	row->facts = calloc(1, sizeof(*row->facts));
	return row->facts ? facts_collect(collect, type, tally, &samples, row->facts) : -ENOMEM;
}

static int add_row(struct heap *heap, struct facts_collect *collect, const struct type *type,
		   const struct tally *tally, bool with_facts)
{
	struct heap_type *row = &heap->types[heap->types_count];
	char name[4 * NAMES_MAX];
	int r;

	names_of_type(collect->names, type, name, sizeof(name));
	*row = (struct heap_type){
		.addr = type->addr,
		.name = strdup(name),
		.heap = type->flags & TPFLAGS_HEAPTYPE,
		.has_capacity = tally->capacity_owned || tally->capacity_used,
	};
	heap->types_count++;
	heap->python_bytes += (uint64_t)tally_bytes(tally);
	r = row->name ? tally_pack(&row->tally, tally) : -ENOMEM;
	if (!r)
		r = add_shared_keys(row, collect->names, type);
	return !r && with_facts ? add_facts(row, collect, type, tally) : r;
}

/* One row per type. */
static int merge_types(struct taking *t, struct heap *heap)
{
	cleanup(names_pages_freep) struct names_pages *pages = names_pages_new();
	struct names names = {
		.layout = t->request->layout,
		.mem = t->workers[0].mem,
		.pages = pages,
	};
	struct facts_collect collect = {
		.names = &names,
		.types = t->shared.types,
		.whatif = &t->shared.whatif,
	};
	size_t count = types_count(t->shared.types);
	int64_t all_bytes, lacking = 0;
	int r = 0;

	for (size_t k = 0; !r && k < t->count; k++)
		r = worker_settle(&t->workers[k]);
	if (r < 0)
		return r;
	all_bytes = count_all_bytes(t);
	heap->types = calloc(count + 1, sizeof(*heap->types));
	if (!heap->types)
		return -ENOMEM;
	for (size_t i = 0; !r && i < count; i++) {
		struct type *type = types_at(t->shared.types, i);
		struct tally tally = tally_unpack(&type->settled);

		tally_packed_fini(&type->settled); /* its room is the row's now */
		lacking += settle_tally(&tally);
		if (tally.objects || tally_bytes(&tally))
			r = add_row(heap, &collect, type, &tally,
				    wants_facts(t->request, type, &tally, all_bytes));
	}
	return r ? r : settle_rows(heap, lacking, (int64_t)t->given_too_much);
}

/* The same for mimalloc. Its segment bytes are the sum of the four others, to the byte. */
static void close_mimalloc_books(struct taking *t, struct heap *heap)
{
	struct mimalloc_books *b = &heap->books.mimalloc;
	struct worker_sum objects = {}, raw = {}, claimed = {}, found = {}, dead = {};
	uint64_t all = b->inuse_bytes + b->free_block_bytes, unknown;

	for (size_t k = 0; k < t->count; k++) {
		const struct worker *w = &t->workers[k];

		worker_sum_add(&objects, w->mi_objects.blocks, w->mi_objects.bytes);
		worker_sum_add(&raw, w->mi_raw.blocks, w->mi_raw.bytes);
		worker_sum_add(&claimed, w->mi_claimed.blocks, w->mi_claimed.bytes);
		worker_sum_add(&found, w->mi_found.blocks, w->mi_found.bytes);
		worker_sum_add(&dead, w->mi_dead.blocks, w->mi_dead.bytes);
	}
	b->inuse_bytes = MIN(objects.bytes + MAX(raw.bytes, claimed.bytes), all);
	b->free_block_bytes = all - b->inuse_bytes;
	/* What is left of the pages in use was never carved. */
	b->free_page_bytes = b->segment_bytes - MIN(b->segment_bytes, all + b->overhead_bytes);
	worker_sum_add(&found, claimed.blocks, claimed.bytes);
	t->given_too_much += found.bytes - MIN(found.bytes, MAX(raw.bytes, claimed.bytes));
	unknown = raw.bytes - MIN(raw.bytes, found.bytes);
	heap->unattributed_bytes += unknown;
	heap->unattributed_blocks += unknown ? raw.blocks - MIN(raw.blocks, found.blocks) : 0;
	heap->freelist_blocks += dead.blocks;
	heap->freelist_bytes += dead.bytes;
	heap->blocks += objects.blocks + MAX(raw.blocks, claimed.blocks);
}

/*
 * Allocator's books to the user's: dead objects are free memory; a buffer that was claimed but not
 * met (it came after its pool was read) counts as in use, and its bytes as free no more.
 */
static void close_books(struct taking *t, struct heap *heap)
{
	struct census_books *b = &heap->books;

	*b = t->census.books;
	b->inuse_bytes = b->free_block_bytes = 0;
	for (uint32_t class = 0; class < CENSUS_CLASSES; class ++) {
		uint64_t size = (class + 1) * t->request->layout->alignment;
		uint64_t objects = 0, raw = 0, claimed = 0, found = 0, dead = 0, all;
		uint64_t wanted, inuse;

		for (size_t k = 0; k < t->count; k++) {
			objects += t->workers[k].object_blocks[class];
			raw += t->workers[k].raw_blocks[class];
			claimed += t->workers[k].claimed_blocks[class];
			found += t->workers[k].found_blocks[class];
			dead += t->workers[k].dead_blocks[class];
		}
		/* Claims are what the target says: more blocks than there were are from pools
		 * carved since, if any. */
		all = b->class_inuse[class] + b->class_free[class];
		wanted = objects + MAX(raw, claimed);
		inuse = MIN(wanted, all + b->free_pool_bytes / size);
		t->given_too_much += (wanted - inuse) * size;
		if (inuse > all) {
			b->free_pool_bytes -= (inuse - all) * size;
			all = inuse;
		}
		b->class_free[class] = all - inuse;
		b->class_inuse[class] = inuse;
		b->inuse_bytes += inuse * size;
		b->free_block_bytes += b->class_free[class] * size;
		heap->freelist_blocks += dead;
		heap->freelist_bytes += dead * size;
		found += claimed;
		t->given_too_much += (found - MIN(found, MAX(raw, claimed))) * size;
		heap->unattributed_blocks += raw > found ? raw - found : 0;
		heap->unattributed_bytes += raw > found ? (raw - found) * size : 0;
		heap->blocks += inuse;
	}
	close_mimalloc_books(t, heap);
	b->overhead_bytes =
		b->arena_bytes -
		MIN(b->arena_bytes, b->inuse_bytes + b->free_block_bytes + b->free_pool_bytes);
	heap->blocks += b->glibc.chunks;
}

static void sum_workers(struct taking *t, struct heap *heap)
{
	heap->books.bytes_read += memory_get_stats(t->types_mem).bytes_read;
	for (size_t k = 0; k < t->count; k++) {
		struct worker *w = &t->workers[k];

		heap->malloc_python_bytes += w->malloc_bytes;
		heap->torn_structures += w->torn;
		heap->books.bytes_read += memory_get_stats(w->mem).bytes_read;
		for (int i = 0; i < TALLY_DICT_LAYOUTS; i++)
			tally_dicts_add(&heap->by_layout[i], &w->by_layout[i], 1);
		for (int i = 0; i < TALLY_DICT_OWNERS; i++)
			tally_dicts_add(&heap->by_owner[i], &w->by_owner[i], 1);
	}
	settle_owners(heap->by_owner);
}

/* Looks at the instances that the workers have kept, by turns. What has died since is left out. */
static int read_samples(struct taking *t, struct heap *heap)
{
	struct samples_reader reader = {
		.names = { .layout = t->request->layout, .mem = t->workers[0].mem },
		.types = t->shared.types,
		.values = t->request->samples_values,
	};
	const struct type *type =
		t->request->samples_type ? types_get(reader.types, t->request->samples_type) : NULL;
	int r = 0;

	for (size_t i = 0; type && i < SAMPLES_MAX * t->count && heap->samples_count < SAMPLES_MAX;
	     i++) {
		const struct samples_met *met = &t->workers[i % t->count].samples;
		struct sample *sample = &heap->samples[heap->samples_count];
		size_t k = i / t->count;

		if (k >= samples_count(met))
			continue;
		r = samples_read(&reader, type, met->list[k].addr, sample);
		if (r == -ENOMEM)
			return r;
		if (r)
			continue;
		sample->size = met->list[k].size;
		heap->samples_count++;
	}
	return 0;
}

static int read_values(struct taking *t, struct heap_duplicates *ret)
{
	struct names names = { .layout = t->request->layout, .mem = t->workers[0].mem };
	struct strings_top top[HEAP_VALUES_MAX];
	size_t count = strings_top(t->workers[0].strings, top, HEAP_VALUES_MAX);

	for (size_t i = 0; i < count; i++) {
		char text[4 * NAMES_MAX];

		if (names_read_str(&names, top[i].addr, text, sizeof(text)) < 0)
			continue; /* gone by now */
		ret->values[ret->values_count].text = strdup(text);
		if (!ret->values[ret->values_count].text)
			return -ENOMEM;
		ret->values[ret->values_count].copies = top[i].copies;
		ret->values[ret->values_count++].bytes = top[i].bytes;
	}
	return 0;
}

static int sum_duplicates(struct taking *t, struct heap_duplicates *ret)
{
	struct strings_sum sum;

	if (!t->request->duplicates)
		return 0;
	for (size_t k = 1; k < t->count; k++)
		strings_merge(t->workers[0].strings, t->workers[k].strings);
	sum = strings_sum(t->workers[0].strings);
	ret->known = true;
	ret->copies = sum.copies;
	ret->bytes = sum.bytes;
	ret->unseen_bytes = sum.unseen_bytes;
	ret->sampling = sum.sampling;
	return t->request->values ? read_values(t, ret) : 0;
}

static int taking_run(struct taking *t, struct heap *heap)
{
	int r = census_walk(&t->census, t->request->mem, t->visitors, t->count, t->request->stop);

	if (r == -EPERM || r == -ENOMEM || (r < 0 && !t->census.books.arenas_count))
		return r;
	heap->interrupted = r < 0;
	heap->has_glibc = t->census.glibc.present;
	heap->malloc_name = heap->has_glibc ? "glibc" : malloc_name_find(t->request->maps);
	heap->has_mimalloc = t->request->layout->obmalloc == LAYOUT_OBMALLOC_MIMALLOC;
	heap->incomplete = t->census.mimalloc.incomplete;
	heap->has_resident = t->request->smaps &&
			     !resident_measure(&t->census, t->request->maps, t->request->smaps,
					       t->request->pagemap_fd, t->request->by_shares,
					       &heap->resident);
	if (!r)
		adopt_static_dicts(t);
	close_books(t, heap);
	sum_workers(t, heap);
	r = read_samples(t, heap);
	if (!r)
		r = sum_duplicates(t, &heap->duplicates);
	return r ? r : merge_types(t, heap);
}

int heap_take(const struct heap_request *request, struct heap **ret)
{
	uint64_t start = clock_monotonic();
	struct heap *heap = calloc(1, sizeof(*heap));
	struct taking *t = calloc(1, sizeof(*t));
	int r = heap && t ? taking_init(t, request) : -ENOMEM;

	if (!r)
		r = taking_run(t, heap);
	if (t)
		taking_fini(t);
	free(t);
	if (r < 0) {
		heap_freep(&heap);
		return r;
	}
	heap->duration_ns = clock_monotonic() - start;
	*ret = heap;
	return 0;
}

static void heap_type_fini(struct heap_type *row)
{
	free(row->name);
	tally_packed_fini(&row->tally);
	if (row->shared_keys)
		names_keys_fini(row->shared_keys);
	free(row->shared_keys);
	if (row->facts)
		facts_fini(row->facts);
	free(row->facts);
}

void heap_drop_last(struct heap *heap)
{
	struct heap_type *shorter;

	heap_type_fini(&heap->types[--heap->types_count]);
	if (heap->types_count % ROWS_AT_ONCE)
		return;
	shorter = reallocarray(heap->types, heap->types_count + 1, sizeof(*shorter));
	if (shorter)
		heap->types = shorter;
}

void heap_free(struct heap *heap)
{
	for (size_t i = 0; i < heap->types_count; i++)
		heap_type_fini(&heap->types[i]);
	for (size_t i = 0; i < heap->duplicates.values_count; i++)
		free(heap->duplicates.values[i].text);
	free(heap->types);
	for (size_t i = 0; i < heap->samples_count; i++)
		samples_fini(&heap->samples[i]);
	free(heap);
}
