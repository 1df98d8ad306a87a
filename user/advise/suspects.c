/* SPDX-License-Identifier: BSD-2-Clause */
#include "advise/suspects.h"

#include "base/util.h"

#include <errno.h>
#include <uthash.h>

/* A hostile recording must not make us keep more names. */
#define TYPES_MAX 65536
/* Fewer intervals say nothing. */
#define INTERVALS_LEAST 5
/* Of the intervals, those in which a suspect grew; and of the latest quarter of them. */
#define GREW_RATIO 0.8
#define GREW_LATELY 0.5
/* What rises slowly and falls at once, as garbage does, has kept little of its growth. */
#define KEPT_RATIO 0.5
/* Less growth is what the interpreter itself does. */
#define GROWN_LEAST (8 * (int64_t)KiB)
/* A class says more than the builtins that its instances hold: it comes first unless it is this
 * much less. */
#define CLASS_WEIGHT 20

/* Sums for a line through (time, value): least squares. */
struct line {
	double n, t, tt, y, ty;
};

struct track {
	char *name;
	bool heap;
	int64_t first_bytes, first_objects, bytes, objects; /* first and latest */
	size_t grew;
	double risen;	 /* bytes of all intervals in which it grew */
	uint64_t lately; /* a bit for each interval, the latest lowest */
	uint64_t seen;	 /* number of the snapshot that had it last */
	struct line line_bytes, line_objects;
	UT_hash_handle hh;
};

struct suspects {
	struct track *tracks;
	size_t count;
	uint64_t snapshots, begin_ns, last_ns;
	int64_t rss_bytes;
};

struct suspects *suspects_new(void)
{
	return calloc(1, sizeof(struct suspects));
}

void suspects_free(struct suspects *suspects)
{
	struct track *track, *next;

	HASH_ITER (hh, suspects->tracks, track, next) {
		HASH_DEL(suspects->tracks, track);
		free(track->name);
		free(track);
	}
	free(suspects);
}

static void line_add(struct line *line, double t, double y)
{
	line->n++;
	line->t += t;
	line->tt += t * t;
	line->y += y;
	line->ty += t * y;
}

static double line_slope(const struct line *line)
{
	double spread = line->n * line->tt - line->t * line->t;

	return spread > 0 ? (line->n * line->ty - line->t * line->y) / spread : 0;
}

static int track_new(struct suspects *s, const struct picture_type *type, struct track **ret)
{
	struct track *track = calloc(1, sizeof(*track));

	if (!track)
		return -ENOMEM;
	track->name = strdup(type->name);
	if (!track->name) {
		free(track);
		return -ENOMEM;
	}
	track->heap = type->heap;
	/* It was not there before: zero then. */
	track->first_bytes = s->snapshots == 1 ? type->inuse_bytes : 0;
	track->first_objects = s->snapshots == 1 ? type->inuse_objects : 0;
	HASH_ADD_KEYPTR(hh, s->tracks, track->name, strlen(track->name), track);
	s->count++;
	*ret = track;
	return 0;
}

static void track_add(struct track *track, int64_t bytes, int64_t objects, double seconds)
{
	bool grew = bytes > track->bytes;

	track->grew += grew;
	if (grew)
		track->risen += (double)bytes - (double)track->bytes;
	track->lately = track->lately << 1 | grew;
	track->bytes = bytes;
	track->objects = objects;
	line_add(&track->line_bytes, seconds, (double)bytes);
	line_add(&track->line_objects, seconds, (double)objects);
}

static int add_type(struct suspects *s, const struct picture_type *type, double seconds)
{
	struct track *track;
	int r = 0;

	HASH_FIND(hh, s->tracks, type->name, strlen(type->name), track);
	if (!track && s->count >= TYPES_MAX)
		return 0;
	if (!track)
		r = track_new(s, type, &track);
	/* Two classes of one name: the first, larger one is followed. */
	if (r || track->seen == s->snapshots)
		return r;
	track->seen = s->snapshots;
	if (s->snapshots == 1) {
		line_add(&track->line_bytes, 0, (double)type->inuse_bytes);
		line_add(&track->line_objects, 0, (double)type->inuse_objects);
		track->bytes = type->inuse_bytes;
		track->objects = type->inuse_objects;
		return 0;
	}
	track_add(track, type->inuse_bytes, type->inuse_objects, seconds);
	return 0;
}

int suspects_add(struct suspects *suspects, const struct picture *pic)
{
	struct track *track, *next;
	double seconds;
	int r = 0;

	/* A partial picture would look as if everything shrank. */
	if (pic->partial_reasons_count)
		return 0;
	if (!suspects->snapshots)
		suspects->begin_ns = pic->taken_at_unix_ns;
	suspects->snapshots++;
	suspects->last_ns = MAX(pic->taken_at_unix_ns, suspects->begin_ns);
	suspects->rss_bytes = pic->memory.rss_bytes;
	seconds = (double)(suspects->last_ns - suspects->begin_ns) / 1e9;
	for (size_t i = 0; !r && i < pic->types_count; i++)
		if (pic->types[i].inuse_bytes != PICTURE_UNKNOWN &&
		    pic->types[i].inuse_objects != PICTURE_UNKNOWN)
			r = add_type(suspects, &pic->types[i], seconds);
	HASH_ITER (hh, suspects->tracks, track, next)
		if (track->seen != suspects->snapshots)
			track_add(track, 0, 0, seconds);
	return r;
}

static bool is_suspect(const struct track *track, size_t intervals)
{
	size_t lately = MIN(MAX(intervals / 4, (size_t)1), (size_t)64);
	uint64_t mask = lately == 64 ? UINT64_MAX : (1ull << lately) - 1;

	return (double)track->grew >= GREW_RATIO * (double)intervals &&
	       (double)__builtin_popcountll(track->lately & mask) >= GREW_LATELY * (double)lately &&
	       track->bytes - track->first_bytes >= GROWN_LEAST &&
	       (double)(track->bytes - track->first_bytes) >= KEPT_RATIO * track->risen &&
	       line_slope(&track->line_bytes) > 0;
}

static int fill_row(const struct suspects *s, const struct track *track, uint64_t ceiling,
		    struct suspects_row *row)
{
	double slope = line_slope(&track->line_bytes);

	*row = (struct suspects_row){
		.type = strdup(track->name),
		.grew_ratio = (double)track->grew / (double)(s->snapshots - 1),
		.bytes_per_second = slope,
		.objects_per_second = line_slope(&track->line_objects),
		.grown_bytes = track->bytes - track->first_bytes,
		.grown_objects = track->objects - track->first_objects,
		.seconds_to_ceiling = NAN,
	};
	if (ceiling && s->rss_bytes != PICTURE_UNKNOWN)
		row->seconds_to_ceiling =
			MAX(((double)ceiling - (double)s->rss_bytes) / slope, 0.0);
	return row->type ? 0 : -ENOMEM;
}

/* What a row weighs: qsort has no room for the flag beside it. */
struct ranked {
	const struct track *track;
	double weight;
};

static int compare_ranked(const void *a, const void *b)
{
	double x = ((const struct ranked *)a)->weight, y = ((const struct ranked *)b)->weight;

	return (x < y) - (x > y);
}

int suspects_find(const struct suspects *suspects, uint64_t ceiling_bytes,
		  struct suspects_list *ret)
{
	struct suspects_list list = {
		.intervals = suspects->snapshots ? suspects->snapshots - 1 : 0,
		.seconds = (double)(suspects->last_ns - suspects->begin_ns) / 1e9,
	};
	_cleanup_free_ struct ranked *ranked = calloc(suspects->count + 1, sizeof(*ranked));
	struct track *track, *next;
	size_t count = 0;
	int r = 0;

	list.rows = calloc(suspects->count + 1, sizeof(*list.rows));
	if (!ranked || !list.rows) {
		free(list.rows);
		return -ENOMEM;
	}
	HASH_ITER (hh, suspects->tracks, track, next)
		if (list.intervals >= INTERVALS_LEAST && is_suspect(track, list.intervals))
			ranked[count++] = (struct ranked){
				track,
				line_slope(&track->line_bytes) * (track->heap ? CLASS_WEIGHT : 1),
			};
	qsort(ranked, count, sizeof(*ranked), compare_ranked);
	for (size_t i = 0; !r && i < count; i++)
		r = fill_row(suspects, ranked[i].track, ceiling_bytes, &list.rows[list.count++]);
	if (r)
		suspects_list_fini(&list);
	else
		*ret = list;
	return r;
}

void suspects_list_fini(struct suspects_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->rows[i].type);
	free(list->rows);
	*list = (struct suspects_list){ 0 };
}
