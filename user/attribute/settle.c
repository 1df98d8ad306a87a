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

static int64_t giving_most(const struct heap *heap, const struct giving *giving)
{
	int64_t most = 0;

	for (size_t i = 0; i < heap->types_count; i++) {
		struct tally tally = tally_unpack(&heap->types[i].tally);

		most = MAX(most, giving_bytes(giving, &tally));
	}
	return most;
}

/* Rows that have less than @least are left alone. *@too_much becomes what is still too much. */
static int settle_round(struct heap *heap, const struct giving *giving, int64_t least,
			int64_t *too_much)
{
	int r = 0;

	for (size_t i = 0; !r && *too_much > 0 && i < heap->types_count; i++) {
		struct tally tally = tally_unpack(&heap->types[i].tally);
		int64_t bytes = giving_bytes(giving, &tally);

		if (bytes < least)
			continue;
		bytes = MIN(bytes, *too_much);
		tally.parts[giving->part] -= bytes;
		if (giving->part == TALLY_BUFFER)
			tally.found_bytes -= MIN(tally.found_bytes, bytes);
		heap->python_bytes -= (uint64_t)bytes;
		*too_much -= bytes;
		r = tally_pack(&heap->types[i].tally, &tally);
	}
	return r;
}

/*
 * Those that have at least half of what the largest has give first. What is left is less than half,
 * so there are no more rounds than an int64_t has bits, however many rows a target brings about.
 */
static int settle_giving(struct heap *heap, const struct giving *giving, int64_t *too_much)
{
	int64_t most;
	int r = 0;

	while (!r && *too_much > 0 && (most = giving_most(heap, giving)))
		r = settle_round(heap, giving, most / 2 + most % 2, too_much);
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
