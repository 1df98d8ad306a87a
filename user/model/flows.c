/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/flows.h"

#include "base/util.h"
#include "probe/estimate.h"

#include <errno.h>
#include <math.h>
#include <uthash.h>

/* Traced is so much of the time between two looks of a window that never closed. */
#define ALL_SEEN 0.95

/* What the samples stand for is known to that: no need to know it better. */
#define WANT_CLOCK 0.05

/* CPU time is booked too late to say much of a shorter time. */
#define ASKED_LEAST 0.1

_Static_assert(FLOWS_SAMPLES <= ESTIMATE_MOST, "an estimate has room for all that are kept");

struct flows_sample {
	uint64_t number;
	uint64_t counts[FLOWS_COUNTS];
};

struct flows_row {
	uint64_t type;
	uint64_t totals[FLOWS_COUNTS], restart[FLOWS_COUNTS]; /* totals then */
	struct flows_sample
		samples[FLOWS_SAMPLES]; /* those in which something happened; by number % SAMPLES */
	UT_hash_handle hh;
};

struct flows {
	struct flows_row *rows;
	uint64_t number; /* of the sample at hand; the first kept is `first` */
	uint64_t first;
	struct progress_span spans[FLOWS_SAMPLES], clocks[FLOWS_SAMPLES];
	struct progress_span all[FLOWS_SAMPLES + 1]; /* readings when each of them ended, and when
							the one before the oldest did */
	bool lost[FLOWS_SAMPLES], settled[FLOWS_SAMPLES];
	double missed[FLOWS_SAMPLES], surge[FLOWS_SAMPLES];
	uint64_t mark;			 /* the first sample of the time that is asked for, */
	struct progress_span begun, now; /* and the readings when that began, and when it ends */
	struct progress progress;	 /* of the samples kept, the oldest first */
	bool is_known;
	double all_seconds; /* since the restart */
	bool any_lost;
};

int flows_new(struct flows **ret)
{
	struct flows *flows = calloc(1, sizeof(*flows));

	if (!flows)
		return -ENOMEM;
	flows->number = flows->first = 1;
	*ret = flows;
	return 0;
}

void flows_free(struct flows *flows)
{
	struct flows_row *row, *next;

	HASH_ITER (hh, flows->rows, row, next) {
		HASH_DEL(flows->rows, row);
		free(row);
	}
	free(flows);
}

static struct flows_row *flows_row(const struct flows *flows, uint64_t type)
{
	struct flows_row *row;

	HASH_FIND(hh, flows->rows, &type, sizeof(type), row);
	return row;
}

static struct flows_row *flows_row_add(struct flows *flows, uint64_t type)
{
	struct flows_row *row = calloc(1, sizeof(*row));

	if (!row)
		return NULL;
	row->type = type;
	HASH_ADD(hh, flows->rows, type, sizeof(row->type), row);
	return row;
}

int flows_add(struct flows *flows, uint64_t type, enum flows_count objects, uint64_t bytes)
{
	struct flows_row *row = flows_row(flows, type);
	struct flows_sample *sample;

	if (!row)
		row = flows_row_add(flows, type);
	if (!row)
		return -ENOMEM;
	sample = &row->samples[flows->number % FLOWS_SAMPLES];
	if (sample->number != flows->number)
		*sample = (struct flows_sample){ .number = flows->number };
	sample->counts[objects]++;
	sample->counts[objects + 1] += bytes;
	row->totals[objects]++;
	row->totals[objects + 1] += bytes;
	return 0;
}

/* The reading when sample @number ended. */
static struct progress_span *flows_all(struct flows *flows, uint64_t number)
{
	return &flows->all[number % ARRAY_SIZE(flows->all)];
}

/* What passed from the end of the sample before to that of @number. */
static struct progress_span flows_passed(const struct flows *flows, uint64_t number)
{
	size_t room = ARRAY_SIZE(flows->all);

	return progress_minus(&flows->all[number % room], &flows->all[(number - 1) % room]);
}

/* The first sample of the time that is asked for, of those that are kept from @first on. */
static uint64_t flows_asked(const struct flows *flows, uint64_t first)
{
	return MIN(MAX(flows->mark, first), flows->number);
}

static void flows_look(struct flows *flows)
{
	struct progress_span spans[FLOWS_SAMPLES], clocks[FLOWS_SAMPLES];
	struct progress_view view = {
		.windows = spans,
		.clocks = clocks,
		.all = progress_minus(flows_all(flows, flows->number - 1),
				      flows_all(flows, flows->first - 1)),
	};

	view.asked = progress_minus(&flows->now, &flows->begun);
	if (view.asked.wall < ASKED_LEAST)
		view.asked.wall = 0;
	view.asked_count = (size_t)(flows->number - flows_asked(flows, flows->first));
	for (uint64_t n = flows->first; n < flows->number; n++) {
		spans[view.count] = flows->spans[n % FLOWS_SAMPLES];
		clocks[view.count++] = flows->clocks[n % FLOWS_SAMPLES];
	}
	flows->is_known = progress_tell(&view, &flows->progress);
}

void flows_begin(struct flows *flows, struct progress_span all)
{
	*flows_all(flows, flows->number - 1) = all;
	flows->begun = flows->now = all;
}

void flows_cut(struct flows *flows, const struct progress_span *span,
	       const struct progress_span *all, bool lost)
{
	flows->spans[flows->number % FLOWS_SAMPLES] = *span;
	flows->clocks[flows->number % FLOWS_SAMPLES] = (struct progress_span){ 0 };
	*flows_all(flows, flows->number) = *all;
	flows->lost[flows->number % FLOWS_SAMPLES] = lost;
	flows->all_seconds += span->wall;
	flows->any_lost |= lost;
	flows->number++;
	if (flows->number - flows->first > FLOWS_SAMPLES)
		flows->first = flows->number - FLOWS_SAMPLES;
	flows->missed[flows->number % FLOWS_SAMPLES] = 0;
	flows->surge[flows->number % FLOWS_SAMPLES] = 0;
	flows->settled[flows->number % FLOWS_SAMPLES] = false;
	flows->now = *all;
	flows_look(flows);
}

bool flows_want_clock(const struct flows *flows)
{
	return !flows->is_known || flows->progress.error > WANT_CLOCK;
}

void flows_missed(struct flows *flows, double seconds)
{
	flows->missed[flows->number % FLOWS_SAMPLES] += seconds;
}

void flows_surge(struct flows *flows, double times)
{
	flows->surge[flows->number % FLOWS_SAMPLES] = times;
}

void flows_settled(struct flows *flows)
{
	flows->settled[flows->number % FLOWS_SAMPLES] = true;
}

void flows_mark(struct flows *flows)
{
	flows->mark = flows->number;
	flows->begun = flows->now;
}

void flows_now(struct flows *flows, struct progress_span all)
{
	flows->now = all;
	flows_look(flows);
}

void flows_clock(struct flows *flows, const struct progress_span *span)
{
	flows->clocks[(flows->number - 1) % FLOWS_SAMPLES] = *span;
	flows_look(flows);
}

void flows_clock_restart(struct flows *flows)
{
	for (size_t i = 0; i < FLOWS_SAMPLES; i++)
		flows->spans[i].ticks = flows->clocks[i].ticks = -1;
}

void flows_restart(struct flows *flows)
{
	struct flows_row *row, *next;

	*flows_all(flows, flows->number) = *flows_all(flows, flows->number - 1);
	flows->number++;
	flows->first = flows->number;
	flows->all_seconds = 0;
	flows->any_lost = false;
	HASH_ITER (hh, flows->rows, row, next)
		memcpy(row->restart, row->totals, sizeof(row->restart));
}

/* Wall seconds that were not seen of sample @number, as seconds of an unwatched target. */
static double flows_missed_of(const struct flows *flows, uint64_t number, double seconds)
{
	size_t i = number % FLOWS_SAMPLES;
	double wall = flows->spans[i].wall, delay = flows->settled[i] ? 0 : flows->progress.delay;

	return (wall > 0 ? flows->missed[i] * MIN(seconds / wall, 1.0) : flows->missed[i]) + delay;
}

/* The first sample of which it is known what it stands for. */
static uint64_t flows_known(const struct flows *flows)
{
	return flows->first + (flows->is_known ? flows->progress.first : 0);
}

/* Numbers flows_known() .. number-1 as samples of one count; how many. */
static size_t flows_gather(const struct flows *flows, const struct flows_row *row,
			   enum flows_count which, struct estimate_sample ret[FLOWS_SAMPLES])
{
	size_t count = 0;

	for (uint64_t n = flows_known(flows); n < flows->number && count < FLOWS_SAMPLES; n++) {
		const struct flows_sample *s = row ? &row->samples[n % FLOWS_SAMPLES] : NULL;
		struct progress_span passed = flows_passed(flows, n);
		double seconds = flows->progress.seconds[n - flows->first];

		passed = progress_minus(&passed, &flows->spans[n % FLOWS_SAMPLES]);
		ret[count] = (struct estimate_sample){
			.seconds = seconds,
			.count = s && s->number == n ? (double)s->counts[which] : 0,
			.gap = progress_between(&flows->progress, &passed),
			.missed = flows_missed_of(flows, n, seconds),
			.surge = flows->surge[n % FLOWS_SAMPLES],
		};
		count++;
	}
	return count;
}

/* What lies between the samples that there are of the time that is asked for and either end of it.
 */
static void flows_ends(const struct flows *flows, struct estimate_view *view)
{
	uint64_t first = flows_asked(flows, flows_known(flows));
	size_t room = ARRAY_SIZE(flows->all);
	struct progress_span before =
		progress_minus(&flows->begun, &flows->all[(first - 1) % room]);
	struct progress_span forgotten =
		progress_minus(&flows->all[(first - 1) % room], &flows->begun);
	struct progress_span after =
		progress_minus(&flows->now, &flows->all[(flows->number - 1) % room]);

	view->recent = (size_t)(flows->number - first);
	view->before = progress_between(&flows->progress, &before);
	view->idle = progress_between(&flows->progress, &after) +
		     progress_between(&flows->progress, &forgotten);
}

static bool flows_are_lossy(const struct flows *flows, size_t first)
{
	for (uint64_t n = flows_known(flows) + first; n < flows->number; n++)
		if (flows->lost[n % FLOWS_SAMPLES])
			return true;
	return false;
}

/* Everything was seen. */
static bool flows_exact(const struct flows *flows, const struct flows_row *row,
			struct flows_rates *ret)
{
	struct flows_rates rates = { .error = flows->any_lost ? NAN : 0 };

	if (flows->all_seconds <= 0)
		return false;
	for (int i = 0; row && i < FLOWS_COUNTS; i++)
		rates.per_second[i] =
			(double)(row->totals[i] - row->restart[i]) / flows->all_seconds;
	*ret = rates;
	return true;
}

/* Did the samples from @first on leave next to nothing out? */
static bool flows_saw_all(const struct flows *flows, size_t first)
{
	struct progress_span idle = progress_minus(
		&flows->now, &flows->all[(flows->number - 1) % ARRAY_SIZE(flows->all)]);
	double traced = 0, passed = idle.wall;

	for (uint64_t n = flows_known(flows) + first; n < flows->number; n++) {
		traced += flows->spans[n % FLOWS_SAMPLES].wall;
		passed += flows_passed(flows, n).wall;
	}
	return traced >= ALL_SEEN * passed;
}

/* What was not met in some windows may happen between them, in bursts: nobody knows how much. */
static void flows_doubt_zeros(struct flows_rates *rates)
{
	for (int i = 0; i < FLOWS_COUNTS; i += 2)
		if (rates->per_second[i] <= 0)
			rates->per_second[i] = rates->per_second[i + 1] = NAN;
}

/* All counts are of the same samples, so they weigh alike. */
static void flows_weigh(const struct flows *flows, const struct flows_row *row,
			const struct estimate *found, struct flows_rates *ret)
{
	struct estimate_sample samples[FLOWS_SAMPLES];

	for (int i = 0; i < FLOWS_COUNTS; i++) {
		size_t count = flows_gather(flows, row, (enum flows_count)i, samples);

		for (size_t k = found->first; k < count; k++)
			ret->per_second[i] += found->weights[k] * samples[k].count;
	}
}

bool flows_rates(const struct flows *flows, uint64_t type, double coverage, struct flows_rates *ret)
{
	const struct flows_row *row = flows_row(flows, type);
	struct estimate_sample samples[FLOWS_SAMPLES];
	struct estimate_view view = { .samples = samples };
	struct flows_rates rates = { .error = NAN };
	struct estimate found;

	if (coverage >= 1)
		return flows_exact(flows, row, ret);
	if (!flows->is_known)
		return false;
	view.count = flows_gather(flows, row, FLOWS_ALLOC_OBJECTS, samples);
	flows_ends(flows, &view);
	if (estimate_rate(&view, &found) && found.rate > 0 && !flows_are_lossy(flows, found.first))
		rates.error = found.half / found.rate + flows->progress.error;
	if (!view.count || !(found.weights[view.count - 1] > 0))
		return false;
	flows_weigh(flows, row, &found, &rates);
	if (!flows_saw_all(flows, found.first))
		flows_doubt_zeros(&rates);
	*ret = rates;
	return true;
}

int flows_each(const struct flows *flows, int (*fn)(void *arg, uint64_t type), void *arg)
{
	struct flows_row *row, *next;
	int r = 0;

	HASH_ITER (hh, flows->rows, row, next) {
		r = fn(arg, row->type);
		if (r)
			break;
	}
	return r;
}

uint64_t flows_total(const struct flows *flows, uint64_t type, enum flows_count which)
{
	const struct flows_row *row = flows_row(flows, type);

	return row ? row->totals[which] : 0;
}
