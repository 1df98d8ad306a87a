/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that is paid for and not used: room in containers, equal strs, holes between blocks. */
#include "advise/rules.h"

#include "base/format.h"
#include "base/util.h"

#include <stdio.h>

#define DETAIL_MAX 1024
#define VALUE_TEXT_MAX 40
/* Holes below this, or below a quarter of what the allocator holds, are what every program has. */
#define HOLES_LEAST (4 * (int64_t)MiB)
#define HOLES_SHARE 4

/* Equal strs below this are the standard library's own. */
#define DUPLICATES_LEAST (256 * (int64_t)KiB)

static const struct {
	const char *type, *what, *instead;
} containers[] = {
	{ "list", "items",
	  "copies (list(x), x[:]) are as long as they need, and tuples always are" },
	{ "dict", "entries",
	  "a dict shrinks only when it is copied: copy it after deleting (dict(d))" },
	{ "set", "members",
	  "a set that no longer grows takes less as a copy (set(s), frozenset(s))" },
	{ "bytearray", "bytes", "bytes(b) or a copy takes what it needs" },
};

static int advise_capacity(struct picture *pic, const struct picture_type *type, size_t which)
{
	char detail[DETAIL_MAX], used[FORMAT_SIZE_MAX], owned[FORMAT_SIZE_MAX];
	const struct picture_advice advice = {
		.kind = "overcapacity",
		.type = type->name,
		.objects = type->inuse_objects,
		.saves_bytes = type->spare_bytes,
		.detail = detail,
		.confidence = 0.6,
	};

	snprintf(detail, sizeof(detail), "%s %s are in use of %s paid for: %s",
		 format_count(used, (uint64_t)MAX(type->capacity_used, (int64_t)0)),
		 containers[which].what,
		 format_count(owned, (uint64_t)MAX(type->capacity_owned, (int64_t)0)),
		 containers[which].instead);
	return picture_add_advice(pic, &advice);
}

int rules_overcapacity(struct picture *pic, const struct rules_limits *limits)
{
	int r = 0;

	for (size_t i = 0; !r && i < pic->types_count; i++) {
		const struct picture_type *type = &pic->types[i];

		if (type->heap || type->spare_bytes < limits->saves_bytes)
			continue;
		for (size_t k = 0; !r && k < ARRAY_SIZE(containers); k++)
			if (streq(type->name, containers[k].type))
				r = advise_capacity(pic, type, k);
	}
	return r;
}

/* The dearest values, cut short: only there where the user asked for them. */
static void append_values(const struct picture *pic, char *buf, size_t cap)
{
	for (size_t i = 0; i < pic->duplicates.values_count; i++) {
		const struct picture_value *v = &pic->duplicates.values[i];
		size_t len = strlen(buf);
		char count[FORMAT_SIZE_MAX];

		snprintf(buf + len, cap - len, "%s\"%.*s\" %s times more",
			 i ? ", " : "; dearest: ", VALUE_TEXT_MAX, v->text,
			 format_count(count, (uint64_t)v->copies));
	}
}

/* Strs that were gone or moved when they were read: where they are much, that much is not known. */
static void append_unseen(const struct picture *pic, char *buf, size_t cap)
{
	size_t len = strlen(buf);
	char size[FORMAT_SIZE_MAX];

	if (pic->duplicates.unseen_bytes > pic->duplicates.bytes / 10)
		snprintf(buf + len, cap - len, "; %s of strs could not be read and compared",
			 format_size(size, (uint64_t)pic->duplicates.unseen_bytes));
}

int rules_duplicate_strings(struct picture *pic, const struct rules_limits *limits)
{
	int64_t sampling = pic->duplicates.sampling;
	char detail[DETAIL_MAX], count[FORMAT_SIZE_MAX], type[] = "str";
	const struct picture_advice advice = {
		.kind = "duplicate_strings",
		.type = type,
		.objects = pic->duplicates.copies,
		.saves_bytes = pic->duplicates.bytes,
		.detail = detail,
		.confidence = sampling == 1 ? 0.8 : 0.6,
	};

	/* Where everything was asked for, that is no limit. */
	if (limits->saves_bytes > 1 && pic->duplicates.bytes < DUPLICATES_LEAST)
		return 0;
	if (pic->duplicates.bytes == PICTURE_UNKNOWN || pic->duplicates.bytes < limits->saves_bytes)
		return 0;
	snprintf(detail, sizeof(detail),
		 "%s%s str objects are copies of another: sys.intern() or a dict of those in use "
		 "keeps one of each",
		 sampling == 1 ? "" : "about ",
		 format_count(count, (uint64_t)pic->duplicates.copies));
	append_unseen(pic, detail, sizeof(detail));
	append_values(pic, detail, sizeof(detail));
	return picture_add_advice(pic, &advice);
}

static bool are_holes(int64_t free_bytes, int64_t all, int64_t least)
{
	return free_bytes >= HOLES_LEAST && free_bytes >= least && free_bytes >= all / HOLES_SHARE;
}

static int advise_holes(struct picture *pic, int64_t free_bytes, int64_t all, const char *where,
			const char *how)
{
	char detail[DETAIL_MAX], a[FORMAT_SIZE_MAX], b[FORMAT_SIZE_MAX];
	const struct picture_advice advice = {
		.kind = "fragmentation",
		.objects = PICTURE_UNKNOWN,
		.saves_bytes = free_bytes,
		.detail = detail,
		.confidence = 0.4,
	};

	snprintf(detail, sizeof(detail),
		 "%s of the %s that %s holds are free, between blocks in use or kept for later: %s",
		 format_size(a, (uint64_t)free_bytes), format_size(b, (uint64_t)all), where, how);
	return picture_add_advice(pic, &advice);
}

int rules_fragmentation(struct picture *pic, const struct rules_limits *limits)
{
	int64_t arenas = pic->memory.arena_bytes, heap = pic->memory.malloc_heap_bytes;
	int64_t in_arenas = pic->memory.free_block_bytes + pic->memory.free_pool_bytes;
	int r = 0;

	if (arenas != PICTURE_UNKNOWN && are_holes(in_arenas, arenas, limits->saves_bytes))
		r = advise_holes(pic, in_arenas, arenas, "pymalloc",
				 "let work with a high peak run in a process of its own, or make "
				 "what stays before what "
				 "goes");
	if (!r && heap != PICTURE_UNKNOWN &&
	    are_holes(pic->memory.malloc_free_bytes, heap, limits->saves_bytes))
		r = advise_holes(pic, pic->memory.malloc_free_bytes, heap, "malloc",
				 "malloc_trim(0) gives whole pages back; MALLOC_ARENA_MAX=2 keeps "
				 "threads from having "
				 "a heap each");
	return r;
}
