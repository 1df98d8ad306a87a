/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/flows.h"

#include "base/util.h"
#include "probe/budget.h"

#include <errno.h>
#include <math.h>
#include <uthash.h>

/* What the samples stand for is known to that: no need to know it better. */
#define WANT_CLOCK 0.05

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
	struct progress_span spans[FLOWS_SAMPLES];
	struct progress_span all[FLOWS_SAMPLES + 1]; /* readings when each of them ended, and when
							the one before the oldest did */
	bool lost[FLOWS_SAMPLES];
	struct progress_span clocks[FLOWS_CLOCKS];
	size_t clocks_count;	  /* ever: the newest are kept */
	struct progress progress; /* of the samples kept, the oldest first */
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

static void flows_look(struct flows *flows)
{
	struct progress_span spans[FLOWS_SAMPLES];
	struct progress_view view = {
		.windows = spans,
		.clocks = flows->clocks,
		.clocks_count = MIN(flows->clocks_count, (size_t)FLOWS_CLOCKS),
		.all = progress_minus(flows_all(flows, flows->number - 1),
				      flows_all(flows, flows->first - 1)),
	};

	for (uint64_t n = flows->first; n < flows->number; n++)
		spans[view.windows_count++] = flows->spans[n % FLOWS_SAMPLES];
	flows->is_known = progress_tell(&view, &flows->progress);
}

void flows_begin(struct flows *flows, const struct progress_span *all)
{
	*flows_all(flows, flows->number - 1) = *all;
}

void flows_cut(struct flows *flows, const struct progress_span *span,
	       const struct progress_span *all, bool lost)
{
	flows->spans[flows->number % FLOWS_SAMPLES] = *span;
	*flows_all(flows, flows->number) = *all;
	flows->lost[flows->number % FLOWS_SAMPLES] = lost;
	flows->all_seconds += span->wall;
	flows->any_lost |= lost;
	flows->number++;
	if (flows->number - flows->first > FLOWS_SAMPLES)
		flows->first = flows->number - FLOWS_SAMPLES;
	flows_look(flows);
}

bool flows_want_clock(const struct flows *flows)
{
	return !flows->is_known || flows->progress.error > WANT_CLOCK;
}

void flows_clock(struct flows *flows, const struct progress_span *span)
{
	flows->clocks[flows->clocks_count++ % FLOWS_CLOCKS] = *span;
}

void flows_clock_restart(struct flows *flows)
{
	flows->clocks_count = 0;
	for (size_t i = 0; i < FLOWS_SAMPLES; i++)
		flows->spans[i].ticks = 0;
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

/* Numbers first .. number-1 as samples of one count; how many. */
static size_t flows_gather(const struct flows *flows, const struct flows_row *row,
			   enum flows_count which, struct budget_sample ret[FLOWS_SAMPLES])
{
	size_t count = 0;

	for (uint64_t n = flows->first; n < flows->number && count < FLOWS_SAMPLES; n++) {
		const struct flows_sample *s = row ? &row->samples[n % FLOWS_SAMPLES] : NULL;
		double value = s && s->number == n ? (double)s->counts[which] : 0;

		ret[count] = (struct budget_sample){ flows->progress.seconds[count], value };
		count++;
	}
	return count;
}

static bool flows_are_lossy(const struct flows *flows)
{
	for (uint64_t n = flows->first; n < flows->number; n++)
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

bool flows_rates(const struct flows *flows, uint64_t type, double coverage, struct flows_rates *ret)
{
	const struct flows_row *row = flows_row(flows, type);
	struct budget_sample samples[FLOWS_SAMPLES];
	struct flows_rates rates = { .error = NAN };

	if (coverage >= 1)
		return flows_exact(flows, row, ret);
	if (!flows->is_known)
		return false;
	for (int i = 0; i < FLOWS_COUNTS; i++) {
		size_t count = flows_gather(flows, row, (enum flows_count)i, samples);
		double seconds = 0, sum = 0, rate, half;

		for (size_t k = 0; k < count; k++) {
			seconds += samples[k].seconds;
			sum += samples[k].count;
		}
		if (seconds <= 0)
			return false;
		rates.per_second[i] = sum / seconds;
		if (i == FLOWS_ALLOC_OBJECTS && !flows_are_lossy(flows) &&
		    budget_estimate(samples, count, coverage, flows->progress.delay, &rate,
				    &half) &&
		    rate > 0)
			rates.error = half / rate + flows->progress.error;
	}
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
