/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/merge.h"

#include "base/util.h"

#include <errno.h>

static void add(int64_t *sum, int64_t n)
{
	if (*sum == PICTURE_UNKNOWN || n == PICTURE_UNKNOWN || __builtin_add_overflow(*sum, n, sum))
		*sum = PICTURE_UNKNOWN;
}

static char *copy(const char *text, bool *failed)
{
	char *s = text ? strdup(text) : NULL;

	*failed |= text && !s;
	return s;
}

/* ---- memory
 * -------------------------------------------------------------------------------------- */

static void merge_memory(struct picture *to, const struct picture *from)
{
	static const size_t fields[] = {
#define FIELD(name) offsetof(struct picture, memory.name)
		FIELD(rss_bytes),
		FIELD(whole_rss_bytes),
		FIELD(python_inuse_bytes),
		FIELD(arena_bytes),
		FIELD(inuse_bytes),
		FIELD(free_block_bytes),
		FIELD(free_pool_bytes),
		FIELD(overhead_bytes),
		FIELD(arenas_count),
		FIELD(freelist_bytes),
		FIELD(freelist_blocks),
		FIELD(mimalloc_segments_count),
		FIELD(mimalloc_segment_bytes),
		FIELD(mimalloc_inuse_bytes),
		FIELD(mimalloc_free_block_bytes),
		FIELD(mimalloc_free_page_bytes),
		FIELD(mimalloc_overhead_bytes),
		FIELD(mimalloc_freelist_bytes),
		FIELD(mimalloc_freelist_blocks),
		FIELD(malloc_heap_bytes),
		FIELD(malloc_python_bytes),
		FIELD(malloc_other_bytes),
		FIELD(malloc_free_bytes),
		FIELD(resident_python_live_bytes),
		FIELD(resident_python_free_bytes),
		FIELD(resident_native_live_bytes),
		FIELD(resident_malloc_free_bytes),
		FIELD(mapped_file_bytes),
		FIELD(stack_bytes),
		FIELD(other_bytes),
		FIELD(private_bytes),
		FIELD(swap_bytes),
#undef FIELD
	};

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		add((int64_t *)((char *)to + fields[i]),
		    *(const int64_t *)((const char *)from + fields[i]));
	add(&to->unattributed_blocks, from->unattributed_blocks);
	add(&to->unattributed_bytes, from->unattributed_bytes);
}

static int merge_size_class(struct picture *to, const struct picture_size_class *from)
{
	struct picture_size_class *grown;

	for (size_t i = 0; i < to->memory.size_classes_count; i++) {
		struct picture_size_class *mine = &to->memory.size_classes[i];

		if (mine->size_bytes != from->size_bytes)
			continue;
		add(&mine->pools_count, from->pools_count);
		add(&mine->inuse_blocks, from->inuse_blocks);
		add(&mine->free_blocks, from->free_blocks);
		return 0;
	}
	grown = reallocarray(to->memory.size_classes, to->memory.size_classes_count + 1,
			     sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	to->memory.size_classes = grown;
	grown[to->memory.size_classes_count++] = *from;
	return 0;
}

static int compare_size_classes(const void *left, const void *right)
{
	const struct picture_size_class *a = left, *b = right;

	return (a->size_bytes > b->size_bytes) - (a->size_bytes < b->size_bytes);
}

static int merge_size_classes(struct picture *to, const struct picture *from)
{
	int r = 0;

	for (size_t i = 0; !r && i < from->memory.size_classes_count; i++)
		r = merge_size_class(to, &from->memory.size_classes[i]);
	if (to->memory.size_classes_count)
		qsort(to->memory.size_classes, to->memory.size_classes_count,
		      sizeof(*to->memory.size_classes), compare_size_classes);
	return r;
}

static void merge_dicts(struct picture_dicts *to, const struct picture_dicts *from, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		add(&to[i].count, from[i].count);
		add(&to[i].bytes, from[i].bytes);
		add(&to[i].used, from[i].used);
		add(&to[i].owned, from[i].owned);
	}
}

/* ---- census and events
 * --------------------------------------------------------------------------- */

/* Before the sums: python_inuse_bytes is that of the pictures so far. */
static void merge_census(struct picture *to, const struct picture *from)
{
	double before = (double)MAX(to->memory.python_inuse_bytes, (int64_t)0);
	double now = (double)MAX(from->memory.python_inuse_bytes, (int64_t)0);

	to->census.duration_ms += from->census.duration_ms;
	add(&to->census.bytes_read, from->census.bytes_read);
	add(&to->census.blocks, from->census.blocks);
	add(&to->census.torn_pools, from->census.torn_pools);
	to->census.unchanged &= from->census.unchanged;
	to->census.age_ms = fmax(to->census.age_ms, from->census.age_ms);
	to->census.cpu_ms += from->census.cpu_ms;
	if (before + now > 0)
		to->census.attributed_ratio = (to->census.attributed_ratio * before +
					       from->census.attributed_ratio * now) /
					      (before + now);
}

/* The least of the coverages, the most of the costs: no process is better off than what is shown.
 */
static void merge_events(struct picture *to, const struct picture *from)
{
	if (!streq(to->events.mode, from->events.mode) && streq(to->events.mode, "off"))
		to->events.mode = from->events.mode;
	to->events.duration_ms = fmax(to->events.duration_ms, from->events.duration_ms);
	to->events.coverage = fmin(to->events.coverage, from->events.coverage);
	to->events.growth_coverage = fmin(to->events.growth_coverage, from->events.growth_coverage);
	to->events.overhead_limit = fmax(to->events.overhead_limit, from->events.overhead_limit);
	to->events.overhead_estimated =
		fmax(to->events.overhead_estimated, from->events.overhead_estimated);
	to->events.cost_ns_per_hit = fmax(to->events.cost_ns_per_hit, from->events.cost_ns_per_hit);
	add(&to->events.records, from->events.records);
	add(&to->events.lost, from->events.lost);
	add(&to->events.drift_objects, from->events.drift_objects);
	add(&to->events.drift_bytes, from->events.drift_bytes);
}

/* ---- types
 * --------------------------------------------------------------------------------------- */

static struct picture_shared_keys *copy_keys(const struct picture_shared_keys *from, bool *failed)
{
	struct picture_shared_keys *keys = calloc(1, sizeof(*keys));

	if (keys)
		keys->names = calloc(from->used + 1, sizeof(char *));
	if (!keys || !keys->names) {
		*failed = true;
		return keys;
	}
	keys->capacity = from->capacity;
	keys->bytes = from->bytes;
	for (; keys->used < from->used; keys->used++)
		keys->names[keys->used] = copy(from->names[keys->used], failed);
	return keys;
}

/* A type of the sum, from the first process that has it: it has many addresses, so none. */
static int begin_type(struct picture_type *to, const struct picture_type *from)
{
	bool failed = false;

	*to = *from;
	to->address = 0;
	to->name = copy(from->name, &failed);
	to->shared_keys = from->shared_keys ? copy_keys(from->shared_keys, &failed) : NULL;
	to->facts = NULL; /* advice comes from each, and is added up */
	to->delta_objects = to->delta_bytes = PICTURE_UNKNOWN;
	return failed ? -ENOMEM : 0;
}

static void merge_type(struct picture_type *to, const struct picture_type *from)
{
	double a = to->rate_error * to->alloc_objects_per_second;
	double b = from->rate_error * from->alloc_objects_per_second;
	bool same = to->alloc_objects_per_second + from->alloc_objects_per_second > 0;

	add(&to->inuse_objects, from->inuse_objects);
	add(&to->inuse_bytes, from->inuse_bytes);
	add(&to->sizeof_bytes, from->sizeof_bytes);
	for (size_t i = 0; i < PICTURE_PARTS_COUNT; i++)
		add(&to->parts[i], from->parts[i]);
	for (size_t i = 0; i < PICTURE_STORAGES_COUNT; i++)
		add(&to->storage[i], from->storage[i]);
	add(&to->capacity_used, from->capacity_used);
	add(&to->capacity_owned, from->capacity_owned);
	to->alloc_objects_per_second += from->alloc_objects_per_second;
	to->alloc_bytes_per_second += from->alloc_bytes_per_second;
	to->free_objects_per_second += from->free_objects_per_second;
	to->free_bytes_per_second += from->free_bytes_per_second;
	/* Independent estimates: their errors add as squares. */
	to->rate_error = same ? sqrt(a * a + b * b) / to->alloc_objects_per_second : to->rate_error;
	if (to->shared_keys && from->shared_keys)
		to->shared_keys->bytes += from->shared_keys->bytes;
}

static int compare_names(const void *left, const void *right)
{
	const struct picture_type *a = *(const struct picture_type *const *)left;
	const struct picture_type *b = *(const struct picture_type *const *)right;

	return strcmp(a->name ? a->name : "", b->name ? b->name : "");
}

static int merge_types(struct picture *to, const struct picture *const *list, size_t count)
{
	_cleanup_free_ const struct picture_type **all = NULL;
	size_t total = 0, n = 0;
	int r = 0;

	for (size_t i = 0; i < count; i++)
		total += list[i]->types_count;
	all = calloc(total + 1, sizeof(*all));
	to->types = calloc(total + 1, sizeof(*to->types));
	if (!all || !to->types)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < list[i]->types_count; k++)
			all[n++] = &list[i]->types[k];
	qsort(all, n, sizeof(*all), compare_names);
	for (size_t i = 0; !r && i < n; i++) {
		if (i && !compare_names(&all[i], &all[i - 1]))
			merge_type(&to->types[to->types_count - 1], all[i]);
		else
			r = begin_type(&to->types[to->types_count++], all[i]);
	}
	picture_sort_types(to);
	return r;
}

/* ---- the rest
 * ------------------------------------------------------------------------------------ */

static int merge_advice(struct picture *to, const struct picture_advice *from)
{
	bool failed = false;

	for (size_t i = 0; i < to->advice_count; i++) {
		struct picture_advice *mine = &to->advice[i];

		if (!mine->kind || !from->kind || !mine->type || !from->type ||
		    !streq(mine->kind, from->kind) || !streq(mine->type, from->type))
			continue;
		add(&mine->objects, from->objects);
		add(&mine->saves_bytes, from->saves_bytes);
		mine->confidence = fmin(mine->confidence, from->confidence);
		return 0;
	}
	to->advice[to->advice_count] = *from;
	to->advice[to->advice_count].type = copy(from->type, &failed);
	to->advice[to->advice_count].detail = copy(from->detail, &failed);
	to->advice_count++;
	return failed ? -ENOMEM : 0;
}

static int merge_all_advice(struct picture *to, const struct picture *const *list, size_t count)
{
	size_t total = 0;
	int r = 0;

	for (size_t i = 0; i < count; i++)
		total += list[i]->advice_count;
	to->advice = calloc(total + 1, sizeof(*to->advice));
	if (!to->advice)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; !r && k < list[i]->advice_count; k++)
			r = merge_advice(to, &list[i]->advice[k]);
	return r;
}

static int merge_reasons(struct picture *to, const struct picture *from)
{
	int r = 0;

	for (size_t i = 0; !r && i < from->partial_reasons_count; i++)
		r = picture_add_partial(to, "pid %d: %s", from->process.pid,
					from->partial_reasons[i]);
	return r;
}

/* Who it is, and numbers to add the others' to: those of the first. */
static int begin(struct picture *to, const struct picture *first)
{
	bool failed = false;

	to->taken_at_unix_ns = first->taken_at_unix_ns;
	to->process = first->process;
	to->process.exe = copy(first->process.exe, &failed);
	to->process.cmdline = copy(first->process.cmdline, &failed);
	to->process.python_version = copy(first->process.python_version, &failed);
	to->process.libpython = copy(first->process.libpython, &failed);
	to->process.build_id = copy(first->process.build_id, &failed);
	to->memory = first->memory;
	to->memory.size_classes = NULL;
	to->memory.size_classes_count = 0;
	to->memory.malloc_name = copy(first->memory.malloc_name, &failed);
	to->memory.verdict = to->memory.verdict_kind = NULL; /* of one process: no sum */
	memcpy(to->dicts_by_layout, first->dicts_by_layout, sizeof(to->dicts_by_layout));
	memcpy(to->dicts_by_owner, first->dicts_by_owner, sizeof(to->dicts_by_owner));
	to->unattributed_blocks = first->unattributed_blocks;
	to->unattributed_bytes = first->unattributed_bytes;
	to->census = first->census;
	to->events = first->events;
	to->events.sites = NULL;
	to->events.sites_count = 0;
	to->events.growth = NULL;
	to->events.growth_count = 0;
	to->events.layout_changes = NULL;
	to->events.layout_changes_count = 0;
	return failed ? -ENOMEM : 0;
}

static int merge_one(struct picture *to, const struct picture *from)
{
	merge_census(to, from);
	merge_memory(to, from);
	merge_dicts(to->dicts_by_layout, from->dicts_by_layout, PICTURE_DICT_LAYOUTS_COUNT);
	merge_dicts(to->dicts_by_owner, from->dicts_by_owner, PICTURE_DICT_OWNERS_COUNT);
	merge_events(to, from);
	return merge_size_classes(to, from);
}

int merge_pictures(const struct picture *const *list, size_t count, struct picture **ret)
{
	_cleanup_picture_ struct picture *sum = picture_new();
	int r = sum && count ? begin(sum, list[0]) : -ENOMEM;

	if (!r)
		r = merge_size_classes(sum, list[0]);
	for (size_t i = 1; !r && i < count; i++)
		r = merge_one(sum, list[i]);
	for (size_t i = 0; !r && i < count; i++)
		r = merge_reasons(sum, list[i]);
	if (!r)
		r = merge_types(sum, list, count);
	if (!r)
		r = merge_all_advice(sum, list, count);
	if (!r)
		*ret = TAKE_PTR(sum);
	return r;
}
