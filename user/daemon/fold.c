/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/fold.h"

#include "base/util.h"
#include "daemon/export.h"

#include <errno.h>

static int64_t plus(int64_t a, int64_t b)
{
	return a == PICTURE_UNKNOWN || b == PICTURE_UNKNOWN ? PICTURE_UNKNOWN : a + b;
}

static void add(struct picture_type *to, const struct picture_type *from)
{
	to->inuse_objects = plus(to->inuse_objects, from->inuse_objects);
	to->inuse_bytes = plus(to->inuse_bytes, from->inuse_bytes);
	to->sizeof_bytes = plus(to->sizeof_bytes, from->sizeof_bytes);
	for (size_t i = 0; i < PICTURE_PARTS_COUNT; i++)
		to->parts[i] = plus(to->parts[i], from->parts[i]);
	for (size_t i = 0; i < PICTURE_STORAGES_COUNT; i++)
		to->storage[i] = plus(to->storage[i], from->storage[i]);
	to->alloc_objects_per_second += from->alloc_objects_per_second;
	to->alloc_bytes_per_second += from->alloc_bytes_per_second;
	to->free_objects_per_second += from->free_objects_per_second;
	to->free_bytes_per_second += from->free_bytes_per_second;
}

static struct picture_type other_type(char *name)
{
	return (struct picture_type){
		.name = name,
		.capacity_used = PICTURE_UNKNOWN,
		.capacity_owned = PICTURE_UNKNOWN,
		.delta_objects = PICTURE_UNKNOWN,
		.delta_bytes = PICTURE_UNKNOWN,
		.rate_error = NAN,
	};
}

int fold_picture(struct picture *pic, size_t limit)
{
	/* Holds the rows that leave, so that they go as a picture goes. */
	_cleanup_picture_ struct picture *leaving = NULL;
	size_t count = pic->types_count > limit ? pic->types_count - limit : 0;
	struct picture_type *rest, other;
	char *name;
	int r;

	if (count < 2)
		return 0;
	leaving = picture_new();
	rest = calloc(count, sizeof(*rest));
	name = strdup(EXPORT_OTHER);
	r = leaving && rest && name
		    ? picture_add_partial(pic, "%zu small types are summed up as " EXPORT_OTHER,
					  count)
		    : -ENOMEM;
	if (r) {
		free(rest);
		free(name);
		return r;
	}
	memcpy(rest, pic->types + limit, count * sizeof(*rest));
	leaving->types = rest;
	leaving->types_count = count;
	other = other_type(name);
	for (size_t i = 0; i < count; i++)
		add(&other, &rest[i]);
	pic->types[limit] = other;
	pic->types_count = limit + 1;
	picture_sort_types(pic);
	return 0;
}
