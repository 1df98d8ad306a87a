/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/diff.h"

#include "base/util.h"

#include <errno.h>

static int64_t known(int64_t n)
{
	return n == PICTURE_UNKNOWN ? 0 : n;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct diff_type *)a)->name, ((const struct diff_type *)b)->name);
}

static int compare_growth(const void *a, const void *b)
{
	const struct diff_type *x = a, *y = b;

	if (x->delta_bytes != y->delta_bytes)
		return x->delta_bytes < y->delta_bytes ? 1 : -1;
	if (x->delta_objects != y->delta_objects)
		return x->delta_objects < y->delta_objects ? 1 : -1;
	return strcmp(x->name, y->name);
}

/* Numbers of a file may be anything: a sum that does not fit stays where it was. */
static void add(int64_t *sum, int64_t n)
{
	int64_t result;

	if (!__builtin_add_overflow(*sum, n, &result))
		*sum = result;
}

static void append(struct diff *diff, const struct picture *pic, int side)
{
	for (size_t i = 0; i < pic->types_count; i++) {
		struct diff_type *row = &diff->types[diff->types_count++];

		row->name = pic->types[i].name;
		row->objects[side] = known(pic->types[i].inuse_objects);
		row->bytes[side] = known(pic->types[i].inuse_bytes);
		/* Cleared by the row of the other side, if there is one. */
		row->is_gone = side == 0;
		row->is_new = side == 1;
	}
}

/* Rows of one name become one: both sides, and classes that only share their name. */
static void merge(struct diff *diff)
{
	size_t count = 0;

	for (size_t i = 0; i < diff->types_count; i++) {
		struct diff_type *row = &diff->types[i],
				 *last = count ? &diff->types[count - 1] : NULL;

		if (!last || !streq(last->name, row->name)) {
			diff->types[count++] = *row;
			continue;
		}
		for (int side = 0; side < 2; side++) {
			add(&last->objects[side], row->objects[side]);
			add(&last->bytes[side], row->bytes[side]);
		}
		last->is_new &= row->is_new;
		last->is_gone &= row->is_gone;
	}
	diff->types_count = count;
}

static void keep_changed(struct diff *diff)
{
	size_t count = 0;

	for (size_t i = 0; i < diff->types_count; i++) {
		struct diff_type row = diff->types[i];

		row.delta_objects = row.objects[1] - row.objects[0];
		row.delta_bytes = row.bytes[1] - row.bytes[0];
		add(&diff->delta_bytes, row.delta_bytes);
		if (row.delta_objects || row.delta_bytes || row.is_new || row.is_gone)
			diff->types[count++] = row;
	}
	diff->types_count = count;
}

int diff_new(const struct picture *before, const struct picture *after, struct diff **ret)
{
	struct diff *diff = calloc(1, sizeof(*diff));

	if (!diff)
		return -ENOMEM;
	diff->before = before;
	diff->after = after;
	diff->types = calloc(before->types_count + after->types_count + 1, sizeof(*diff->types));
	if (!diff->types) {
		free(diff);
		return -ENOMEM;
	}
	append(diff, before, 0);
	append(diff, after, 1);
	qsort(diff->types, diff->types_count, sizeof(*diff->types), compare_names);
	merge(diff);
	keep_changed(diff);
	qsort(diff->types, diff->types_count, sizeof(*diff->types), compare_growth);
	*ret = diff;
	return 0;
}

void diff_free(struct diff *diff)
{
	free(diff->types);
	free(diff);
}

int64_t diff_growth_of(const struct diff *diff, const char *name, size_t len)
{
	for (size_t i = 0; i < diff->types_count; i++)
		if (strlen(diff->types[i].name) == len && !strncmp(diff->types[i].name, name, len))
			return diff->types[i].delta_bytes;
	return 0;
}
