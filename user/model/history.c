/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/history.h"

#include "base/util.h"

#include <errno.h>
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* Less than this is noise: a pool of small objects. */
#define GROWTH_LEAST (16 * KiB)
/* What has not gone up for so long, and for so many pictures, has stopped growing. */
#define GROWTH_REST_SECONDS 10
#define GROWTH_REST_PICTURES 3

struct track {
	uint64_t key;
	uint64_t first, last;		/* seconds, inclusive */
	int64_t bytes[HISTORY_SECONDS]; /* by second modulo HISTORY_SECONDS */
	UT_hash_handle hh;
};

struct history {
	struct track *tracks;
	uint64_t now, before; /* seconds of the newest picture and of the one before it */
	uint64_t mark;
	uint64_t pictures;
	uint64_t interval; /* seconds between the last pictures */
};

int history_new(struct history **ret)
{
	struct history *history = calloc(1, sizeof(*history));

	if (!history)
		return -ENOMEM;
	*ret = history;
	return 0;
}

void history_free(struct history *history)
{
	struct track *track, *next;

	HASH_ITER (hh, history->tracks, track, next) {
		HASH_DEL(history->tracks, track);
		free(track);
	}
	free(history);
}

/* FNV-1a over the name, mixed with the address: a class of the same name is another type. */
static uint64_t key_of(const struct picture_type *type)
{
	uint64_t hash = 0xcbf29ce484222325ull ^ type->address * 0x9e3779b97f4a7c15ull;

	for (const char *s = type->name ? type->name : ""; *s; s++)
		hash = (hash ^ (unsigned char)*s) * 0x100000001b3ull;
	return hash;
}

static struct track *find(const struct history *history, uint64_t key)
{
	struct track *track;

	HASH_FIND(hh, history->tracks, &key, sizeof(key), track);
	return track;
}

/* NULL when it is full or memory ran out. */
static struct track *add_track(struct history *history, uint64_t key, uint64_t second)
{
	struct track *track;

	if (HASH_COUNT(history->tracks) >= HISTORY_TYPES_MAX)
		return NULL;
	track = calloc(1, sizeof(*track));
	if (!track)
		return NULL;
	track->key = key;
	track->first = track->last = second;
	HASH_ADD(hh, history->tracks, key, sizeof(track->key), track);
	if (!track->hh.tbl) { /* uthash's sign of no memory */
		free(track);
		return NULL;
	}
	return track;
}

/* The seconds since the last value: the same went on, or there was nothing of the type. */
static void fill_gap(const struct history *history, struct track *track, uint64_t second)
{
	int64_t carried = track->bytes[track->last % HISTORY_SECONDS];
	uint64_t from = track->last + 1;

	if (track->last < history->before)
		carried = 0;
	if (second - track->last > HISTORY_SECONDS)
		from = second - HISTORY_SECONDS;
	for (uint64_t s = from; s < second; s++)
		track->bytes[s % HISTORY_SECONDS] = carried;
}

static void forget_old(struct history *history, uint64_t second)
{
	struct track *track, *next;

	HASH_ITER (hh, history->tracks, track, next) {
		if (second - track->last < HISTORY_SECONDS)
			continue;
		HASH_DEL(history->tracks, track);
		free(track);
	}
}

int history_add(struct history *history, const struct picture *pic, uint64_t now_ns)
{
	uint64_t second = MAX(now_ns / NSEC_PER_SEC, history->now);
	size_t count = MIN(pic->types_count, (size_t)HISTORY_TYPES_MAX);
	int r = 0;

	if (history->pictures++ && second > history->now) {
		history->interval = second - history->now;
		history->before = history->now;
	}
	if (history->pictures == 1)
		history->mark = history->before = second;
	history->now = second;
	for (size_t i = 0; i < count; i++) {
		uint64_t key = key_of(&pic->types[i]);
		struct track *track = find(history, key);

		if (!track)
			track = add_track(history, key, second);
		if (!track) {
			r = HASH_COUNT(history->tracks) < HISTORY_TYPES_MAX ? -ENOMEM : 0;
			break;
		}
		fill_gap(history, track, second);
		track->bytes[second % HISTORY_SECONDS] = MAX(pic->types[i].inuse_bytes, (int64_t)0);
		track->last = second;
	}
	forget_old(history, second);
	return r;
}

bool history_series(const struct history *history, const struct picture_type *type,
		    uint64_t until_ns, struct history_series *ret)
{
	const struct track *track = find(history, key_of(type));
	uint64_t first, last;

	if (!track)
		return false;
	first = track->first;
	last = MIN(track->last, until_ns / NSEC_PER_SEC);
	if (track->last - first >= HISTORY_SECONDS)
		first = track->last - HISTORY_SECONDS + 1;
	ret->count = 0;
	for (uint64_t s = first; s <= last; s++)
		ret->bytes[ret->count++] = track->bytes[s % HISTORY_SECONDS];
	return true;
}

void history_mark(struct history *history, uint64_t now_ns)
{
	history->mark = MAX(now_ns / NSEC_PER_SEC, history->now);
}

double history_growth(const struct history *history, const struct picture_type *type)
{
	const struct track *track = find(history, key_of(type));
	int64_t start, high, fall = 0, before;
	uint64_t from, last_rise = 0, rest;
	unsigned int rises = 0;

	if (!track || track->last != history->now)
		return 0;
	from = MAX(history->mark, track->first);
	if (track->last - MIN(from, track->last) >= HISTORY_SECONDS)
		from = track->last - HISTORY_SECONDS + 1;
	if (from >= track->last)
		return 0;
	start = before = high = track->bytes[from % HISTORY_SECONDS];
	for (uint64_t s = from + 1; s <= track->last; s++) {
		int64_t now = track->bytes[s % HISTORY_SECONDS];

		if (now > before) {
			rises++;
			last_rise = s;
		}
		high = MAX(high, now);
		fall = MAX(fall, high - now);
		before = now;
	}
	rest = MAX((uint64_t)GROWTH_REST_SECONDS, GROWTH_REST_PICTURES * history->interval);
	if (rises < 2 || before - start < (int64_t)GROWTH_LEAST || fall > (before - start) / 4 ||
	    track->last - last_rise > rest)
		return 0;
	return (double)(before - start) / (double)(track->last - from);
}
