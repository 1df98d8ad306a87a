/* SPDX-License-Identifier: BSD-2-Clause */
#include "view/rows.h"

#include "base/util.h"

#include <errno.h>

struct rows_key {
	const char *name;
	double (*value)(const struct picture_type *type); /* largest first; NAN: unknown */
};

static double known(int64_t n)
{
	return n == PICTURE_UNKNOWN ? NAN : (double)n;
}

static double by_bytes(const struct picture_type *type)
{
	return known(type->inuse_bytes);
}

static double by_objects(const struct picture_type *type)
{
	return known(type->inuse_objects);
}

static double by_sizeof(const struct picture_type *type)
{
	return known(type->sizeof_bytes);
}

static double by_delta(const struct picture_type *type)
{
	return known(type->delta_bytes);
}

static double by_delta_objects(const struct picture_type *type)
{
	return known(type->delta_objects);
}

static double by_alloc(const struct picture_type *type)
{
	return type->alloc_objects_per_second;
}

static double by_free(const struct picture_type *type)
{
	return type->free_objects_per_second;
}

static const struct rows_key keys[] = {
	{ "bytes", by_bytes },
	{ "objects", by_objects },
	{ "sizeof", by_sizeof },
	{ "delta", by_delta },
	{ "delta-objects", by_delta_objects },
	{ "alloc", by_alloc },
	{ "free", by_free },
	{ "name", NULL },
};

const struct rows_key *rows_find_key(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (streq(keys[i].name, name))
			return &keys[i];
	}
	return NULL;
}

const struct rows_key *rows_key_at(size_t i)
{
	return i < ARRAY_SIZE(keys) ? &keys[i] : NULL;
}

const char *rows_key_name(const struct rows_key *key)
{
	return key->name;
}

const char *rows_key_names(void)
{
	return "bytes, objects, sizeof, delta, delta-objects, alloc, free, name";
}

static int compare_values(double a, double b)
{
	if (isnan(a) || isnan(b))
		return isnan(a) - isnan(b);
	return (a < b) - (a > b);
}

static int compare_types(const void *left, const void *right, void *context)
{
	const struct picture_type *a = *(const struct picture_type *const *)left;
	const struct picture_type *b = *(const struct picture_type *const *)right;
	const struct rows_options *opts = context;
	const struct rows_key *key = opts->sort ? opts->sort : &keys[0];
	int order = 0;

	if (key->value) {
		double x = key->value(a), y = key->value(b);

		order = compare_values(x, y);
		if (opts->reverse && !isnan(x) && !isnan(y))
			order = -order;
	} else {
		order = strcmp(a->name ? a->name : "", b->name ? b->name : "");
		if (opts->reverse)
			order = -order;
	}
	/* The picture's own order makes every other one stable. */
	return order ? order : (a > b) - (a < b);
}

static int64_t add_known(int64_t sum, int64_t n)
{
	if (sum == PICTURE_UNKNOWN || n == PICTURE_UNKNOWN || __builtin_add_overflow(sum, n, &sum))
		return PICTURE_UNKNOWN;
	return sum;
}

static void apply_limit(struct rows *rows, size_t limit)
{
	if (!limit || rows->count <= limit)
		return;
	for (size_t i = limit; i < rows->count; i++) {
		rows->rest_objects = add_known(rows->rest_objects, rows->list[i]->inuse_objects);
		rows->rest_bytes = add_known(rows->rest_bytes, rows->list[i]->inuse_bytes);
	}
	rows->rest_count = rows->count - limit;
	rows->count = limit;
}

int rows_init(struct rows *ret, const struct picture *pic, const struct rows_options *opts)
{
	struct rows rows = { .list = calloc(pic->types_count + 1, sizeof(*rows.list)) };

	if (!rows.list)
		return -ENOMEM;
	for (size_t i = 0; i < pic->types_count; i++) {
		const struct picture_type *type = &pic->types[i];

		if (!opts->filter ||
		    !regexec(opts->filter, type->name ? type->name : "", 0, NULL, 0))
			rows.list[rows.count++] = type;
	}
	qsort_r(rows.list, rows.count, sizeof(*rows.list), compare_types, (void *)opts);
	apply_limit(&rows, opts->limit);
	*ret = rows;
	return 0;
}

void rows_fini(struct rows *rows)
{
	free(rows->list);
	*rows = (struct rows){ 0 };
}
