/* SPDX-License-Identifier: BSD-2-Clause */
#include "attribute/settle.h"

#include "base/util.h"

static void complete_storage(struct tally *tally)
{
	int64_t stored = 0;

	for (int i = 0; i < TALLY_STORAGES; i++)
		stored += tally->storage[i];
	tally->objects = MAX(tally->objects, stored);
	tally->storage[TALLY_NONE] += tally->objects - stored;
}

/* What is missing in one part the row has too much in another, as far as it has. */
static int64_t settle_parts(struct tally *tally)
{
	int64_t missing = 0;

	for (int i = 0; i < TALLY_PARTS; i++) {
		missing -= MIN(tally->parts[i], (int64_t)0);
		tally->parts[i] = MAX(tally->parts[i], (int64_t)0);
	}
	while (missing) {
		int64_t *largest = &tally->parts[0], bytes;

		for (int i = 1; i < TALLY_PARTS; i++)
			if (tally->parts[i] > *largest)
				largest = &tally->parts[i];
		bytes = MIN(*largest, missing);
		if (!bytes)
			break;
		*largest -= bytes;
		missing -= bytes;
	}
	tally->found_bytes = MIN(tally->found_bytes, tally->parts[TALLY_BUFFER]);
	return missing;
}

int64_t settle_tally(struct tally *tally)
{
	int64_t *const numbers[] = {
		&tally->objects,	&tally->sizeof_bytes,	   &tally->capacity_used,
		&tally->capacity_owned, &tally->facts.spare_bytes,
	};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		*numbers[i] = MAX(*numbers[i], (int64_t)0);
	tally->capacity_used = MIN(tally->capacity_used, tally->capacity_owned);
	complete_storage(tally);
	return settle_parts(tally);
}

void settle_owners(struct tally_dicts *by_owner)
{
	struct tally_dicts *plain = &by_owner[TALLY_OWNER_PLAIN], *most = plain;

	if (plain->count >= 0 && plain->bytes >= 0 && plain->used >= 0 &&
	    plain->owned >= plain->used)
		return;
	for (int i = 0; i < TALLY_DICT_OWNERS; i++)
		if (by_owner[i].count > most->count)
			most = &by_owner[i];
	if (most == plain)
		return;
	tally_dicts_add(most, plain, 1);
	*plain = (struct tally_dicts){};
}

/* What a row can give back. */
struct giving {
	enum tally_part part;
	bool found; /* only blocks that something merely points to */
};

static int64_t giving_bytes(const struct giving *giving, const struct tally *tally)
{
	int64_t bytes = tally->parts[giving->part];

	return giving->found ? MIN(bytes, tally->found_bytes) : bytes;
}

static struct heap_type *giving_most(struct heap *heap, const struct giving *giving)
{
	struct heap_type *most = NULL;
	int64_t least = 0;

	for (size_t i = 0; i < heap->types_count; i++) {
		struct tally tally = tally_unpack(&heap->types[i].tally);
		int64_t bytes = giving_bytes(giving, &tally);

		if (bytes <= least)
			continue;
		least = bytes;
		most = &heap->types[i];
	}
	return most;
}

/* *@too_much becomes what nobody could give back. */
static int settle_giving(struct heap *heap, const struct giving *giving, int64_t *too_much)
{
	struct heap_type *most;
	int r = 0;

	while (!r && *too_much > 0 && (most = giving_most(heap, giving))) {
		struct tally tally = tally_unpack(&most->tally);
		int64_t bytes = MIN(*too_much, giving_bytes(giving, &tally));

		tally.parts[giving->part] -= bytes;
		if (giving->part == TALLY_BUFFER)
			tally.found_bytes -= MIN(tally.found_bytes, bytes);
		heap->python_bytes -= (uint64_t)bytes;
		*too_much -= bytes;
		r = tally_pack(&most->tally, &tally);
	}
	return r;
}

/*
 * C code leaves words behind that point to blocks long free, or to another's buffer: what was found
 * by them is the first to go.
 */
int settle_rows(struct heap *heap, int64_t dicts, int64_t buffers)
{
	static const struct giving givings[] = {
		{ TALLY_BUFFER, true },	    { TALLY_BUFFER, false }, { TALLY_DICT_VALUES, false },
		{ TALLY_DICT_KEYS, false }, { TALLY_DICT, false },
	};
	int r = 0;

	for (size_t i = ARRAY_SIZE(givings); !r && i-- > 0;)
		r = settle_giving(heap, &givings[i], &dicts);
	buffers += dicts;
	for (size_t i = 0; !r && i < ARRAY_SIZE(givings); i++)
		r = settle_giving(heap, &givings[i], &buffers);
	return r;
}
