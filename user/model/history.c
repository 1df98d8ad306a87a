/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/history.h"

#include "base/util.h"

#include <errno.h>
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* Less than this is noise: a pool of small objects. Of a class that never shrank it is not. */
#define GROWTH_LEAST (16 * KiB)
#define GROWTH_LEAST_CLASS KiB
/* What has not gone up for so long, and for so many pictures, has stopped growing. */
#define GROWTH_REST_SECONDS 10
#define GROWTH_REST_PICTURES 3
/* What comes and goes grows if its lows and its highs went up from part to part of the time. */
#define GROWTH_PARTS 4
#define GROWTH_PARTS_PICTURES (4 * GROWTH_PARTS)

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
	uint64_t interval;	    /* seconds between the last pictures */
	bool seen[HISTORY_SECONDS]; /* was there a picture in that second? As the tracks' bytes */
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

static void note_picture(struct history *history, uint64_t second)
{
	for (uint64_t s = history->now + 1, i = 0; s < second && i < HISTORY_SECONDS; s++, i++)
		history->seen[s % HISTORY_SECONDS] = false;
	if (history->pictures++ && second > history->now) {
		history->interval = second - history->now;
		history->before = history->now;
	}
	if (history->pictures == 1)
		history->mark = history->before = second;
	history->now = second;
	history->seen[second % HISTORY_SECONDS] = true;
}

int history_add(struct history *history, const struct picture *pic, uint64_t now_ns)
{
	uint64_t second = MAX(now_ns / NSEC_PER_SEC, history->now);
	size_t count = MIN(pic->types_count, (size_t)HISTORY_TYPES_MAX);
	int r = 0;

	note_picture(history, second);
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

/* How the bytes of a type went, from picture to picture. */
struct course {
	uint64_t from, to, last_rise; /* seconds */
	int64_t start, end, fall;     /* fall: the most that it ever lost */
	unsigned int rises, steps;
	double sum, squares; /* of the bytes a second of each step */
	int64_t low[GROWTH_PARTS], high[GROWTH_PARTS];
};

static void follow_part(struct course *c, uint64_t second, int64_t bytes)
{
	size_t part = (size_t)((second - c->from) * GROWTH_PARTS / (c->to - c->from + 1));

	c->low[part] = MIN(c->low[part], bytes);
	c->high[part] = MAX(c->high[part], bytes);
}

static void follow(const struct history *history, const struct track *track, struct course *c)
{
	uint64_t before = c->from;
	int64_t high;

	for (size_t i = 0; i < GROWTH_PARTS; i++)
		c->low[i] = INT64_MAX;
	c->start = c->end = high = track->bytes[c->from % HISTORY_SECONDS];
	for (uint64_t s = c->from; s <= c->to; s++) {
		int64_t now = track->bytes[s % HISTORY_SECONDS];
		double step = (double)(now - c->end) / (double)MAX(s - before, 1ul);

		follow_part(c, s, now);
		if (s == c->from || !history->seen[s % HISTORY_SECONDS])
			continue;
		if (now > c->end) {
			c->rises++;
			c->last_rise = s;
		}
		high = MAX(high, now);
		c->fall = MAX(c->fall, high - now);
		c->sum += step;
		c->squares += step * step;
		c->steps++;
		c->end = now;
		before = s;
	}
}

/* It went up twice at least, never gave back more than a quarter of what it gained, and still goes
 * up. */
static bool rose_steadily(const struct history *history, const struct course *c, bool heap)
{
	uint64_t rest =
		MAX((uint64_t)GROWTH_REST_SECONDS, GROWTH_REST_PICTURES * history->interval);
	int64_t least = heap && !c->fall ? GROWTH_LEAST_CLASS : GROWTH_LEAST;

	return c->rises >= 2 && c->end - c->start >= least && c->fall <= (c->end - c->start) / 4 &&
	       c->to - c->last_rise <= rest;
}

static bool rose_in_waves(const struct course *c)
{
	if (c->steps < GROWTH_PARTS_PICTURES ||
	    c->low[GROWTH_PARTS - 1] - c->low[0] < (int64_t)GROWTH_LEAST)
		return false;
	for (size_t i = 1; i < GROWTH_PARTS; i++) {
		if (c->low[i] <= c->low[i - 1] || c->high[i] <= c->high[i - 1])
			return false;
	}
	return true;
}

/* What the growth is at least, by how the steps scatter; not below 0. After many of them it is what
 * it is. */
static double sure_growth(const struct course *c, double per_second)
{
	double mean = c->sum / c->steps, variance;

	if (c->steps >= GROWTH_PARTS_PICTURES || c->steps < 2)
		return per_second;
	variance = (c->squares - c->sum * mean) / (c->steps - 1);
	return MAX(mean - 2 * sqrt(fabs(variance) / c->steps), 0.0);
}

struct history_growth history_growth(const struct history *history, const struct picture_type *type)
{
	const struct track *track = find(history, key_of(type));
	struct history_growth growth = {};
	struct course c = {};

	if (!track || track->last != history->now)
		return growth;
	c.from = MAX(history->mark, track->first);
	c.to = track->last;
	if (c.to - MIN(c.from, c.to) >= HISTORY_SECONDS)
		c.from = c.to - HISTORY_SECONDS + 1;
	if (c.from >= c.to)
		return growth;
	follow(history, track, &c);
	if (rose_steadily(history, &c, type->heap))
		growth.per_second = (double)(c.end - c.start) / (double)(c.to - c.from);
	else if (rose_in_waves(&c))
		growth.per_second = (double)(c.low[GROWTH_PARTS - 1] - c.low[0]) /
				    ((double)(c.to - c.from) * (GROWTH_PARTS - 1) / GROWTH_PARTS);
	if (growth.per_second > 0)
		growth.sure = sure_growth(&c, growth.per_second);
	return growth;
}
