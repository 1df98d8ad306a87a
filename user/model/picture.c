/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/picture.h"

#include "base/util.h"

#include <errno.h>
#include <stdarg.h>

const char *const picture_part_names[PICTURE_PARTS_COUNT] = {
	[PICTURE_PART_OBJECT] = "object",	[PICTURE_PART_DICT] = "dict",
	[PICTURE_PART_DICT_KEYS] = "dict_keys", [PICTURE_PART_DICT_VALUES] = "dict_values",
	[PICTURE_PART_BUFFER] = "buffer",
};

const char *const picture_storage_names[PICTURE_STORAGES_COUNT] = {
	[PICTURE_STORAGE_INLINE] = "inline",	 [PICTURE_STORAGE_SPLIT] = "split",
	[PICTURE_STORAGE_COMBINED] = "combined", [PICTURE_STORAGE_GENERAL] = "general",
	[PICTURE_STORAGE_SLOTS] = "slots",	 [PICTURE_STORAGE_NONE] = "none",
};

const char *const picture_dict_layout_names[PICTURE_DICT_LAYOUTS_COUNT] = {
	[PICTURE_DICT_SPLIT] = "split",
	[PICTURE_DICT_UNICODE] = "unicode",
	[PICTURE_DICT_GENERAL] = "general",
	[PICTURE_DICT_EMPTY] = "empty",
};

const char *const picture_dict_owner_names[PICTURE_DICT_OWNERS_COUNT] = {
	[PICTURE_OWNER_INSTANCE] = "instance",
	[PICTURE_OWNER_MODULE] = "module",
	[PICTURE_OWNER_TYPE] = "type",
	[PICTURE_OWNER_PLAIN] = "plain",
};

static void set_dicts_unknown(struct picture_dicts *dicts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		dicts[i] = (struct picture_dicts){
			.count = PICTURE_UNKNOWN,
			.bytes = PICTURE_UNKNOWN,
			.used = PICTURE_UNKNOWN,
			.owned = PICTURE_UNKNOWN,
		};
	}
}

static void set_memory_unknown(struct picture *pic)
{
	int64_t *const fields[] = {
		&pic->memory.rss_bytes,
		&pic->memory.whole_rss_bytes,
		&pic->memory.python_inuse_bytes,
		&pic->memory.arena_bytes,
		&pic->memory.inuse_bytes,
		&pic->memory.free_block_bytes,
		&pic->memory.free_pool_bytes,
		&pic->memory.overhead_bytes,
		&pic->memory.arenas_count,
		&pic->memory.freelist_bytes,
		&pic->memory.freelist_blocks,
		&pic->memory.mimalloc_segments_count,
		&pic->memory.mimalloc_segment_bytes,
		&pic->memory.mimalloc_inuse_bytes,
		&pic->memory.mimalloc_free_block_bytes,
		&pic->memory.mimalloc_free_page_bytes,
		&pic->memory.mimalloc_overhead_bytes,
		&pic->memory.mimalloc_freelist_bytes,
		&pic->memory.mimalloc_freelist_blocks,
		&pic->memory.malloc_heap_bytes,
		&pic->memory.malloc_python_bytes,
		&pic->memory.malloc_other_bytes,
		&pic->memory.malloc_free_bytes,
		&pic->memory.resident_python_live_bytes,
		&pic->memory.resident_python_free_bytes,
		&pic->memory.resident_native_live_bytes,
		&pic->memory.resident_malloc_free_bytes,
		&pic->memory.private_bytes,
		&pic->memory.swap_bytes,
		&pic->memory.mapped_file_bytes,
		&pic->memory.stack_bytes,
		&pic->memory.other_bytes,
	};

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		*fields[i] = PICTURE_UNKNOWN;
}

struct picture *picture_new(void)
{
	struct picture *pic = calloc(1, sizeof(*pic));

	if (!pic)
		return NULL;
	set_memory_unknown(pic);
	set_dicts_unknown(pic->dicts_by_layout, PICTURE_DICT_LAYOUTS_COUNT);
	set_dicts_unknown(pic->dicts_by_owner, PICTURE_DICT_OWNERS_COUNT);
	pic->unattributed_blocks = pic->unattributed_bytes = PICTURE_UNKNOWN;
	pic->census.duration_ms = pic->census.attributed_ratio = NAN;
	pic->census.age_ms = pic->census.cpu_ms = pic->census.interval_ms = NAN;
	pic->census.bytes_read = pic->census.blocks = pic->census.torn_pools = PICTURE_UNKNOWN;
	pic->events.mode = "off";
	pic->events.duration_ms = pic->events.coverage = pic->events.growth_coverage = NAN;
	pic->events.records = pic->events.lost = PICTURE_UNKNOWN;
	pic->events.drift_objects = pic->events.drift_bytes = PICTURE_UNKNOWN;
	pic->events.overhead_limit = pic->events.overhead_estimated = NAN;
	pic->events.cost_ns_per_hit = NAN;
	pic->duplicates.copies = pic->duplicates.bytes = PICTURE_UNKNOWN;
	pic->duplicates.unseen_bytes = pic->duplicates.sampling = PICTURE_UNKNOWN;
	return pic;
}

static void free_strings(char **list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(list[i]);
	free(list);
}

static void free_facts(struct picture_facts *facts)
{
	if (!facts)
		return;
	free_strings(facts->late, facts->late_count);
	free(facts->misplaced);
	free(facts->bases);
	free(facts);
}

static void free_type(struct picture_type *type)
{
	free_facts(type->facts);
	free(type->name);
	if (type->shared_keys)
		free_strings(type->shared_keys->names, type->shared_keys->used);
	free(type->shared_keys);
}

void picture_layout_change_fini(struct picture_layout_change *change)
{
	free(change->type);
	free_strings(change->keys, change->keys_count);
}

static void free_sample(struct picture_sample *sample)
{
	free_strings(sample->attributes, sample->attributes_count);
	free(sample->holds);
	free(sample->value);
}

void picture_free(struct picture *pic)
{
	if (!pic)
		return;
	free_strings(pic->partial_reasons, pic->partial_reasons_count);
	free(pic->process.exe);
	free(pic->process.cmdline);
	free(pic->process.python_version);
	free(pic->process.libpython);
	free(pic->process.build_id);
	free(pic->memory.size_classes);
	free(pic->memory.malloc_name);
	free(pic->memory.verdict_kind);
	free(pic->memory.verdict);
	for (size_t i = 0; i < pic->types_count; i++)
		free_type(&pic->types[i]);
	free(pic->types);
	for (size_t i = 0; i < pic->events.sites_count; i++) {
		free(pic->events.sites[i].symbol);
		free(pic->events.sites[i].instruction);
		free(pic->events.sites[i].rejected);
	}
	free(pic->events.sites);
	free(pic->events.growth);
	for (size_t i = 0; i < pic->events.layout_changes_count; i++)
		picture_layout_change_fini(&pic->events.layout_changes[i]);
	free(pic->events.layout_changes);
	for (size_t i = 0; i < pic->advice_count; i++) {
		free(pic->advice[i].type);
		free(pic->advice[i].detail);
	}
	free(pic->advice);
	for (size_t i = 0; i < pic->samples.count; i++)
		free_sample(&pic->samples.list[i]);
	free(pic->samples.list);
	for (size_t i = 0; i < pic->members_count; i++)
		free(pic->members[i].cmdline);
	free(pic->members);
	for (size_t i = 0; i < pic->duplicates.values_count; i++)
		free(pic->duplicates.values[i].text);
	free(pic->duplicates.values);
	free(pic);
}

int picture_add_partial(struct picture *pic, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	char **grown;
	va_list args;
	int len;

	va_start(args, fmt);
	len = vasprintf(&text, fmt, args);
	va_end(args);
	if (len < 0) {
		text = NULL; /* undefined after a failure */
		return -ENOMEM;
	}

	for (size_t i = 0; i < pic->partial_reasons_count; i++) {
		if (streq(pic->partial_reasons[i], text))
			return 0;
	}
	grown = reallocarray(pic->partial_reasons, pic->partial_reasons_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	pic->partial_reasons = grown;
	grown[pic->partial_reasons_count++] = TAKE_PTR(text);
	return 0;
}

/* Rows in the making may lack a name; they sort last among equals. */
static int compare_names(const char *a, const char *b)
{
	if (!a || !b)
		return !a - !b;
	return strcmp(a, b);
}

static int compare_address(const struct picture_type *a, const struct picture_type *b)
{
	return (a->address > b->address) - (a->address < b->address);
}

static int compare_bytes(const void *left, const void *right)
{
	const struct picture_type *a = left, *b = right;
	int order = (a->inuse_bytes < b->inuse_bytes) - (a->inuse_bytes > b->inuse_bytes);

	if (!order)
		order = compare_names(a->name, b->name);
	return order ? order : compare_address(a, b);
}

void picture_sort_types(struct picture *pic)
{
	if (pic->types_count)
		qsort(pic->types, pic->types_count, sizeof(*pic->types), compare_bytes);
}

/* A row of the baseline, until a row of the new picture has claimed it. */
struct baseline_row {
	const struct picture_type *type;
	bool claimed;
	size_t seen; /* in the first row of a name: how many rows from here are known to be claimed
		      */
};

static int compare_rows(const void *left, const void *right)
{
	const struct picture_type *a = ((const struct baseline_row *)left)->type;
	const struct picture_type *b = ((const struct baseline_row *)right)->type;
	int order = compare_names(a->name, b->name);

	return order ? order : compare_address(a, b);
}

/* The first row that is not before @type in the order of name and address (address 0: of name
 * alone). */
static size_t lower_bound(const struct baseline_row *rows, size_t count,
			  const struct picture_type *type)
{
	const struct baseline_row wanted = { .type = type };
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_rows(&rows[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int64_t difference(int64_t now, int64_t before)
{
	int64_t delta;

	if (now == PICTURE_UNKNOWN || before == PICTURE_UNKNOWN ||
	    __builtin_sub_overflow(now, before, &delta))
		return PICTURE_UNKNOWN;
	return delta;
}

static void set_delta(struct picture_type *type, const struct picture_type *before)
{
	type->delta_objects = difference(type->inuse_objects, before ? before->inuse_objects : 0);
	type->delta_bytes = difference(type->inuse_bytes, before ? before->inuse_bytes : 0);
}

static const struct picture_type *claim_exact(struct baseline_row *rows, size_t count,
					      const struct picture_type *type)
{
	const struct baseline_row wanted = { .type = type };
	size_t i = lower_bound(rows, count, type);

	if (i == count || rows[i].claimed || compare_rows(&rows[i], &wanted))
		return NULL;
	rows[i].claimed = true;
	return rows[i].type;
}

/* A class that was defined again has a new address but is the same to the user. */
static const struct picture_type *claim_by_name(struct baseline_row *rows, size_t count,
						const struct picture_type *type)
{
	const struct picture_type any = { .name = type->name };
	size_t first = lower_bound(rows, count, &any);

	while (first < count) {
		size_t i = first + rows[first].seen;

		if (i >= count || compare_names(rows[i].type->name, type->name))
			break;
		rows[first].seen++;
		if (!rows[i].claimed) {
			rows[i].claimed = true;
			return rows[i].type;
		}
	}
	return NULL;
}

void picture_set_baseline(struct picture *pic, const struct picture *baseline)
{
	_cleanup_free_ struct baseline_row *rows = calloc(baseline->types_count + 1, sizeof(*rows));
	_cleanup_free_ bool *done = calloc(pic->types_count + 1, sizeof(*done));
	size_t count = baseline->types_count;

	if (!rows || !done)
		return; /* deltas stay unknown */
	for (size_t i = 0; i < count; i++)
		rows[i].type = &baseline->types[i];
	qsort(rows, count, sizeof(*rows), compare_rows);

	for (size_t i = 0; i < pic->types_count; i++) {
		const struct picture_type *before = claim_exact(rows, count, &pic->types[i]);

		if (before) {
			set_delta(&pic->types[i], before);
			done[i] = true;
		}
	}
	for (size_t i = 0; i < pic->types_count; i++) {
		if (!done[i])
			set_delta(&pic->types[i], claim_by_name(rows, count, &pic->types[i]));
	}
}

int picture_add_advice(struct picture *pic, const struct picture_advice *advice)
{
	struct picture_advice *list =
		reallocarray(pic->advice, pic->advice_count + 1, sizeof(*list));
	struct picture_advice copy = *advice;

	if (!list)
		return -ENOMEM;
	pic->advice = list;
	copy.type = advice->type ? strdup(advice->type) : NULL;
	copy.detail = advice->detail ? strdup(advice->detail) : NULL;
	if ((advice->type && !copy.type) || (advice->detail && !copy.detail)) {
		free(copy.type);
		free(copy.detail);
		return -ENOMEM;
	}
	pic->advice[pic->advice_count++] = copy;
	return 0;
}

const struct picture_type *picture_find_type(const struct picture *pic, const char *name)
{
	for (size_t i = 0; i < pic->types_count; i++) {
		if (pic->types[i].name && streq(pic->types[i].name, name))
			return &pic->types[i];
	}
	return NULL;
}
