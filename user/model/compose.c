/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/compose.h"

#include "base/util.h"
#include "model/verdict.h"

#include <errno.h>

_Static_assert((int)TALLY_PARTS == (int)PICTURE_PARTS_COUNT &&
		       (int)TALLY_OBJECT == (int)PICTURE_PART_OBJECT &&
		       (int)TALLY_BUFFER == (int)PICTURE_PART_BUFFER,
	       "parts");
_Static_assert((int)TALLY_STORAGES == (int)PICTURE_STORAGES_COUNT &&
		       (int)TALLY_INLINE == (int)PICTURE_STORAGE_INLINE &&
		       (int)TALLY_NONE == (int)PICTURE_STORAGE_NONE,
	       "storage");
_Static_assert((int)TALLY_DICT_LAYOUTS == (int)PICTURE_DICT_LAYOUTS_COUNT &&
		       (int)TALLY_DICT_EMPTY == (int)PICTURE_DICT_EMPTY,
	       "dict layouts");
_Static_assert((int)TALLY_DICT_OWNERS == (int)PICTURE_DICT_OWNERS_COUNT &&
		       (int)TALLY_OWNER_PLAIN == (int)PICTURE_OWNER_PLAIN,
	       "dict owners");

char *compose_copy(const char *text, bool *failed)
{
	char *s = text ? strdup(text) : NULL;

	*failed |= text && !s;
	return s;
}

int compose_process(struct picture *pic, const struct process *proc, const struct python *py,
		    const char *allocator, bool full_cmdline)
{
	bool failed = false;

	pic->process.pid = proc->pid;
	pic->process.start_time_ticks = proc->start_time_ticks;
	pic->process.exe = compose_copy(proc->exe, &failed);
	pic->process.cmdline =
		compose_copy(full_cmdline ? proc->cmdline_full : proc->cmdline, &failed);
	pic->process.python_version = compose_copy(py->version, &failed);
	pic->process.gil = !py->free_threaded;
	pic->process.debug = py->debug;
	pic->process.stripped = py->stripped;
	pic->process.is_static = py->is_static;
	pic->process.libpython = compose_copy(py->path, &failed);
	pic->process.build_id = compose_copy(py->image ? elf_build_id(py->image) : NULL, &failed);
	pic->process.allocator = allocator;
	return failed ? -ENOMEM : 0;
}

/* In the picture from the beginning, so that it is freed with it. */
static int compose_shared_keys(struct picture_type *to, const struct names_keys *from)
{
	struct picture_shared_keys *keys = to->shared_keys = calloc(1, sizeof(*keys));
	bool failed = false;

	if (!keys)
		return -ENOMEM;
	keys->names = calloc(from->count + 1, sizeof(*keys->names));
	if (!keys->names)
		return -ENOMEM;
	keys->capacity = from->capacity;
	keys->bytes = from->bytes;
	for (size_t i = 0; i < from->count; i++)
		keys->names[keys->used++] = compose_copy(from->list[i], &failed);
	return failed ? -ENOMEM : 0;
}

/* Takes the name out of *@spent, which is @from where that is not needed any more. */
static int compose_type(struct picture_type *to, const struct heap_type *from,
			struct heap_type *spent)
{
	const struct tally tally = tally_unpack(&from->tally), *t = &tally;
	bool failed = false;

	*to = (struct picture_type){
		.name = spent ? TAKE_PTR(spent->name) : compose_copy(from->name, &failed),
		.address = from->addr,
		.heap = from->heap,
		.inuse_objects = t->objects,
		.sizeof_bytes = t->sizeof_bytes,
		.spare_bytes = t->facts.spare_bytes,
		.capacity_used = from->has_capacity ? t->capacity_used : PICTURE_UNKNOWN,
		.capacity_owned = from->has_capacity ? t->capacity_owned : PICTURE_UNKNOWN,
		.delta_objects = PICTURE_UNKNOWN,
		.delta_bytes = PICTURE_UNKNOWN,
		.alloc_objects_per_second = NAN,
		.alloc_bytes_per_second = NAN,
		.free_objects_per_second = NAN,
		.free_bytes_per_second = NAN,
		.rate_error = NAN,
	};
	for (int i = 0; i < TALLY_PARTS; i++) {
		to->parts[i] = t->parts[i];
		to->inuse_bytes += t->parts[i];
	}
	for (int i = 0; i < TALLY_STORAGES; i++)
		to->storage[i] = t->storage[i];
	if (failed || (from->facts && compose_facts(to, from->facts, &t->facts) < 0))
		return -ENOMEM;
	return from->shared_keys ? compose_shared_keys(to, from->shared_keys) : 0;
}

/* From the last to the first, so that rows that are spent can be given up meanwhile: there may be
 * very many. */
static int compose_types(struct picture *pic, const struct heap *heap, struct heap *spent)
{
	int r = 0;

	pic->types = calloc(heap->types_count + 1, sizeof(*pic->types));
	if (!pic->types)
		return -ENOMEM;
	for (size_t i = heap->types_count; !r && i--;) {
		r = compose_type(&pic->types[pic->types_count++], &heap->types[i],
				 spent ? &spent->types[i] : NULL);
		if (spent)
			heap_drop_last(spent);
	}
	picture_sort_types(pic);
	return r;
}

static int compose_size_classes(struct picture *pic, const struct census_books *b,
				uint32_t alignment)
{
	pic->memory.size_classes = calloc(CENSUS_CLASSES, sizeof(*pic->memory.size_classes));
	if (!pic->memory.size_classes)
		return -ENOMEM;
	for (uint32_t i = 0; i < CENSUS_CLASSES; i++) {
		if (!b->class_pools[i])
			continue;
		pic->memory.size_classes[pic->memory.size_classes_count++] =
			(struct picture_size_class){
				.size_bytes = (i + 1) * alignment,
				.pools_count = (int64_t)b->class_pools[i],
				.inuse_blocks = (int64_t)b->class_inuse[i],
				.free_blocks = (int64_t)b->class_free[i],
			};
	}
	return 0;
}

static void compose_pymalloc(struct picture *pic, const struct heap *heap)
{
	const struct census_books *b = &heap->books;

	pic->memory.arena_bytes = (int64_t)b->arena_bytes;
	pic->memory.inuse_bytes = (int64_t)b->inuse_bytes;
	pic->memory.free_block_bytes = (int64_t)b->free_block_bytes;
	pic->memory.free_pool_bytes = (int64_t)b->free_pool_bytes;
	pic->memory.overhead_bytes = (int64_t)b->overhead_bytes;
	pic->memory.arenas_count = (int64_t)b->arenas_count;
	pic->memory.freelist_bytes = (int64_t)heap->freelist_bytes;
	pic->memory.freelist_blocks = (int64_t)heap->freelist_blocks;
}

static void compose_mimalloc(struct picture *pic, const struct heap *heap)
{
	const struct mimalloc_books *b = &heap->books.mimalloc;

	pic->memory.mimalloc_segments_count = (int64_t)b->segments_count;
	pic->memory.mimalloc_segment_bytes = (int64_t)b->segment_bytes;
	pic->memory.mimalloc_inuse_bytes = (int64_t)b->inuse_bytes;
	pic->memory.mimalloc_free_block_bytes = (int64_t)b->free_block_bytes;
	pic->memory.mimalloc_free_page_bytes = (int64_t)b->free_page_bytes;
	pic->memory.mimalloc_overhead_bytes = (int64_t)b->overhead_bytes;
	pic->memory.mimalloc_freelist_bytes = (int64_t)heap->freelist_bytes;
	pic->memory.mimalloc_freelist_blocks = (int64_t)heap->freelist_blocks;
}

static int compose_books(struct picture *pic, const struct heap *heap)
{
	const struct census_books *b = &heap->books;

	pic->memory.python_inuse_bytes = (int64_t)heap->python_bytes;
	if (heap->has_mimalloc)
		compose_mimalloc(pic, heap);
	else
		compose_pymalloc(pic, heap);
	if (heap->malloc_name) {
		pic->memory.malloc_name = strdup(heap->malloc_name);
		if (!pic->memory.malloc_name)
			return -ENOMEM;
	}
	if (!heap->has_glibc)
		return 0;
	/* Buffers that came after malloc's heaps were walked are bytes by which those have grown.
	 */
	pic->memory.malloc_heap_bytes =
		(int64_t)MAX(b->glibc.heap_bytes, heap->malloc_python_bytes + b->glibc.free_bytes);
	pic->memory.malloc_python_bytes = (int64_t)heap->malloc_python_bytes;
	pic->memory.malloc_free_bytes = (int64_t)b->glibc.free_bytes;
	pic->memory.malloc_other_bytes = pic->memory.malloc_heap_bytes -
					 pic->memory.malloc_free_bytes -
					 pic->memory.malloc_python_bytes;
	return 0;
}

int compose_heap(struct picture *pic, const struct heap *heap, struct heap *spent,
		 uint32_t alignment)
{
	double attributed;
	int r;

	r = compose_books(pic, heap);
	if (!r)
		r = compose_size_classes(pic, &heap->books, alignment);
	if (!r)
		r = compose_types(pic, heap, spent);
	if (r < 0)
		return r;
	for (int i = 0; i < TALLY_DICT_LAYOUTS; i++)
		pic->dicts_by_layout[i] = (struct picture_dicts){
			heap->by_layout[i].count,
			heap->by_layout[i].bytes,
			heap->by_layout[i].used,
			heap->by_layout[i].owned,
		};
	for (int i = 0; i < TALLY_DICT_OWNERS; i++)
		pic->dicts_by_owner[i] = (struct picture_dicts){
			heap->by_owner[i].count,
			heap->by_owner[i].bytes,
			heap->by_owner[i].used,
			heap->by_owner[i].owned,
		};
	pic->has_facts = true;
	r = compose_duplicates(pic, &heap->duplicates);
	if (r < 0)
		return r;
	pic->unattributed_blocks = (int64_t)heap->unattributed_blocks;
	pic->unattributed_bytes = (int64_t)heap->unattributed_bytes;
	pic->census.duration_ms = (double)heap->duration_ns / 1e6;
	pic->census.bytes_read = (int64_t)heap->books.bytes_read;
	pic->census.blocks = (int64_t)heap->blocks;
	pic->census.torn_pools = (int64_t)heap->books.torn_pools;
	attributed = (double)heap->python_bytes;
	if (heap->python_bytes + heap->unattributed_bytes)
		pic->census.attributed_ratio =
			attributed / (attributed + (double)heap->unattributed_bytes);
	return 0;
}

static int64_t share(uint64_t bytes, double part)
{
	return (int64_t)((double)bytes * part);
}

/*
 * Live and free share what is resident of malloc's heaps. Chunks with a mapping of their own are
 * live, but may be resident in part only: what is missing there is taken from Python and others
 * alike.
 */
static void compose_resident(struct picture *pic, const struct heap *heap)
{
	const struct resident *r = &heap->resident;
	const struct census_books *b = &heap->books;
	uint64_t inuse = b->glibc.heap_bytes - MIN(b->glibc.free_bytes, b->glibc.heap_bytes);
	uint64_t heaps_inuse = inuse - MIN(r->mmapped_size, inuse);
	uint64_t live = MIN(heaps_inuse, r->heap_bytes) + r->mmapped_bytes;
	uint64_t python = MIN(heap->malloc_python_bytes, inuse);
	uint64_t python_live = inuse ? (uint64_t)((double)live * (double)python / (double)inuse)
				     : 0;
	uint64_t arenas_live = MIN(b->inuse_bytes, r->arena_bytes);

	if (heap->has_mimalloc)
		return; /* what of its segments is resident is not looked up */
	pic->memory.resident_python_live_bytes =
		share(arenas_live, r->arena_share) + share(python_live, r->malloc_share);
	pic->memory.resident_python_free_bytes =
		share(r->arena_bytes, r->arena_share) - share(arenas_live, r->arena_share);
	if (!heap->has_glibc)
		return; /* what of the other mappings is malloc's cannot be told */
	pic->memory.resident_native_live_bytes =
		share(live, r->malloc_share) - share(python_live, r->malloc_share);
	pic->memory.resident_malloc_free_bytes =
		share(r->heap_bytes + r->mmapped_bytes, r->malloc_share) -
		share(live, r->malloc_share);
}

int compose_samples(struct picture *pic, struct heap *heap, uint64_t type)
{
	pic->samples.type = type;
	pic->samples.list = calloc(heap->samples_count + 1, sizeof(*pic->samples.list));
	if (!pic->samples.list)
		return -ENOMEM;
	for (size_t i = 0; i < heap->samples_count; i++) {
		struct sample *from = &heap->samples[i];

		pic->samples.list[i] = (struct picture_sample){
			.address = from->addr,
			.refcount = from->refcount == SAMPLES_IMMORTAL ? PICTURE_UNKNOWN
								       : from->refcount,
			.bytes = (int64_t)from->size,
			.items = from->items == SAMPLES_NO_ITEMS ? PICTURE_UNKNOWN : from->items,
			.attributes = from->attributes,
			.attributes_count = from->attributes_count,
			.holds = from->holds,
			.value = from->value,
		};
	}
	pic->samples.count = heap->samples_count;
	heap->samples_count = 0;
	return 0;
}

int compose_memory(struct picture *pic, const struct heap *heap)
{
	const struct resident *r = &heap->resident;

	if (!heap->has_resident)
		return 0;
	pic->memory.rss_bytes = (int64_t)r->rss_bytes;
	pic->memory.whole_rss_bytes = (int64_t)r->whole_rss_bytes;
	pic->memory.private_bytes = (int64_t)r->private_bytes;
	pic->memory.swap_bytes = (int64_t)r->swap_bytes;
	pic->memory.mapped_file_bytes = (int64_t)r->file_bytes;
	pic->memory.stack_bytes = (int64_t)r->stack_bytes;
	pic->memory.other_bytes = (int64_t)r->other_bytes;
	compose_resident(pic, heap);
	return verdict_add(pic);
}
