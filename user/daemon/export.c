/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/export.h"

#include "base/util.h"

#include <errno.h>
#include <uthash.h>

/* Counters are kept for types that were rows before, for a while. */
#define KEPT_PER_ROW 4

/* All types of one name, in one picture. */
struct sum {
	const char *name; /* the picture's */
	struct openmetrics_row row;
	double alloc_rate, free_rate; /* bytes per second; NAN: unknown */
	UT_hash_handle hh;
};

/* A type that is, or was, a row. */
struct kept {
	char *name;
	double alloc_bytes, freed_bytes;
	uint64_t round; /* when it was a row last */
	UT_hash_handle hh;
};

struct export
{
	size_t limit;
	uint64_t round;
	struct kept *kept, other;
	struct openmetrics_row *rows; /* limit + 1 */
	size_t rows_count;
};

struct export *export_new(size_t limit)
{
	struct export *export = calloc(1, sizeof(*export));

	if (!export)
		return NULL;
	export->limit = limit;
	export->rows = calloc(limit + 1, sizeof(*export->rows));
	export->other = (struct kept){ .alloc_bytes = NAN, .freed_bytes = NAN };
	if (export->rows)
		return export;
	free(export);
	return NULL;
}

static void kept_free(struct export *export, struct kept *kept)
{
	HASH_DEL(export->kept, kept);
	free(kept->name);
	free(kept);
}

void export_free(struct export *export)
{
	struct kept *kept, *next;

	HASH_ITER (hh, export->kept, kept, next)
		kept_free(export, kept);
	free(export->rows);
	free(export);
}

/* ---- one row a name ----------------------------------------------------------------------------
 */

/* Unknown and a number make the number. */
static int64_t plus(int64_t a, int64_t b)
{
	if (a == PICTURE_UNKNOWN || b == PICTURE_UNKNOWN)
		return a == PICTURE_UNKNOWN ? b : a;
	return a + b;
}

static double plus_real(double a, double b)
{
	return isnan(a) ? b : isnan(b) ? a : a + b;
}

static void row_add(struct openmetrics_row *to, const struct openmetrics_row *from)
{
	to->inuse_bytes = plus(to->inuse_bytes, from->inuse_bytes);
	to->inuse_objects = plus(to->inuse_objects, from->inuse_objects);
	for (size_t i = 0; i < PICTURE_STORAGES_COUNT; i++)
		to->storage[i] = plus(to->storage[i], from->storage[i]);
}

static void row_clear(struct openmetrics_row *row)
{
	*row = (struct openmetrics_row){ .inuse_bytes = PICTURE_UNKNOWN,
					 .inuse_objects = PICTURE_UNKNOWN };
	for (size_t i = 0; i < PICTURE_STORAGES_COUNT; i++)
		row->storage[i] = PICTURE_UNKNOWN;
}

static void sum_add_type(struct sum *sum, const struct picture_type *type)
{
	struct openmetrics_row row = {
		.inuse_bytes = type->inuse_bytes,
		.inuse_objects = type->inuse_objects,
	};

	memcpy(row.storage, type->storage, sizeof(row.storage));
	row_add(&sum->row, &row);
	sum->alloc_rate = plus_real(sum->alloc_rate, type->alloc_bytes_per_second);
	sum->free_rate = plus_real(sum->free_rate, type->free_bytes_per_second);
}

/* @sums has room for every type, and one that stands first and is "(other)". */
static struct sum *sum_types(struct sum *sums, const struct picture *pic, size_t *count)
{
	struct sum *by_name = NULL;

	*count = 0;
	for (size_t i = 0; i <= pic->types_count; i++) {
		const char *name = i ? pic->types[i - 1].name : EXPORT_OTHER;
		struct sum *sum;

		HASH_FIND_STR(by_name, name, sum);
		if (!sum) {
			sum = &sums[(*count)++];
			*sum = (struct sum){ .name = name, .alloc_rate = NAN, .free_rate = NAN };
			row_clear(&sum->row);
			HASH_ADD_KEYPTR(hh, by_name, sum->name, strlen(sum->name), sum);
		}
		if (i)
			sum_add_type(sum, &pic->types[i - 1]);
	}
	return by_name;
}

static int compare_sums(const void *left, const void *right)
{
	const struct sum *a = left, *b = right;

	if (a->row.inuse_bytes != b->row.inuse_bytes)
		return a->row.inuse_bytes < b->row.inuse_bytes ? 1 : -1;
	return strcmp(a->name, b->name);
}

/* ---- counters ----------------------------------------------------------------------------------
 */

static struct kept *kept_get(struct export *export, const char *name)
{
	struct kept *kept;

	HASH_FIND_STR(export->kept, name, kept);
	if (kept)
		return kept;
	kept = calloc(1, sizeof(*kept));
	if (!kept)
		return NULL;
	*kept = (struct kept){ .name = strdup(name), .alloc_bytes = NAN, .freed_bytes = NAN };
	if (!kept->name) {
		free(kept);
		return NULL;
	}
	HASH_ADD_KEYPTR(hh, export->kept, kept->name, strlen(kept->name), kept);
	return kept;
}

static void kept_count(struct kept *kept, const struct sum *sum, double elapsed_s)
{
	kept->alloc_bytes = plus_real(kept->alloc_bytes, sum->alloc_rate * elapsed_s);
	kept->freed_bytes = plus_real(kept->freed_bytes, sum->free_rate * elapsed_s);
}

/* Those that have not been rows for longest go first: uthash keeps the order of insertion. */
static void kept_trim(struct export *export)
{
	struct kept *kept, *next;

	HASH_ITER (hh, export->kept, kept, next) {
		if (HASH_COUNT(export->kept) <= KEPT_PER_ROW * export->limit)
			return;
		if (kept->round != export->round)
			kept_free(export, kept);
	}
}

static int export_row(struct export *export, const struct sum *sum, double elapsed_s)
{
	struct kept *kept = kept_get(export, sum->name);
	struct openmetrics_row *row = &export->rows[export->rows_count];

	if (!kept)
		return -ENOMEM;
	kept->round = export->round;
	kept_count(kept, sum, elapsed_s);
	*row = sum->row;
	row->name = kept->name;
	row->alloc_bytes = kept->alloc_bytes;
	row->freed_bytes = kept->freed_bytes;
	export->rows_count++;
	return 0;
}

static void export_other(struct export *export, const struct openmetrics_row *rest)
{
	struct openmetrics_row *row = &export->rows[export->rows_count];

	/* Once there are bytes in its counters it stays: a counter does not vanish. */
	if (rest->inuse_objects == PICTURE_UNKNOWN && isnan(export->other.alloc_bytes))
		return;
	*row = *rest;
	row->name = EXPORT_OTHER;
	row->inuse_bytes = plus(row->inuse_bytes, 0);
	row->inuse_objects = plus(row->inuse_objects, 0);
	row->alloc_bytes = export->other.alloc_bytes;
	row->freed_bytes = export->other.freed_bytes;
	export->rows_count++;
}

int export_update(struct export *export, const struct picture *pic, double elapsed_s)
{
	_cleanup_free_ struct sum *sums = calloc(pic->types_count + 1, sizeof(*sums));
	struct openmetrics_row rest;
	struct sum *by_name;
	size_t count;
	int r = 0;

	if (!sums)
		return -ENOMEM;
	row_clear(&rest);
	by_name = sum_types(sums, pic, &count);
	HASH_CLEAR(hh, by_name);
	qsort(sums + 1, count - 1, sizeof(*sums), compare_sums);
	row_add(&rest, &sums[0].row); /* a type that calls itself so */

	export->round++;
	export->rows_count = 0;
	for (size_t i = 1; !r && i < count; i++) {
		if (i <= export->limit) {
			r = export_row(export, &sums[i], elapsed_s);
			continue;
		}
		row_add(&rest, &sums[i].row);
		kept_count(&export->other, &sums[i], elapsed_s);
	}
	export_other(export, &rest);
	kept_trim(export);
	return r;
}

const struct openmetrics_row *export_rows(const struct export *export, size_t *count)
{
	*count = export->rows_count;
	return export->rows;
}
