/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/estimate.h"

#include "base/util.h"

#include <math.h>
#include <stdlib.h>

#define NEWEST 4       /* samples of a stretch are used at least, however few came lately */
#define ALL_SEEN 1.001 /* times the seconds that were traced passed: the clock was read twice */
#define UNLIKE 2.0     /* half-widths of the 95% interval */
#define NORMAL 1.96    /* of a 95% interval */
#define NORMAL_QUARTILE 0.32 /* of how far off it is: a quarter of the tries are less */
#define STEP 8.0	     /* times what neighbours usually differ by */
#define AT_ONCE 1e-4	     /* seconds: they are of one window */
#define CUT_OFF 0.25	     /* of the rest of that window */
#define OFTEN 0.3	     /* steps to windows */
#define RARE 0.02	     /* the chance of a change at which it is left out */

double estimate_student(size_t freedom)
{
	static const double t[] = { 0,	   12.706, 4.303, 3.182, 2.776, 2.571, 2.447,
				    2.365, 2.306,  2.262, 2.228, 2.201, 2.179, 2.160,
				    2.145, 2.131,  2.120, 2.110, 2.101, 2.093, 2.086 };

	if (freedom < ARRAY_SIZE(t))
		return t[freedom];
	return 1.96 + 2.5 / (double)freedom; /* close enough */
}

/* Over a run of samples; as differences of what was summed up from the first on. */
struct sums {
	size_t count;
	double seconds, events, gap, missed;
	double events_2, seconds_2, both; /* of squares, and of products */
};

static void sums_add(struct sums *s, const struct estimate_sample *sample)
{
	s->count++;
	s->seconds += sample->seconds;
	s->events += sample->count;
	s->gap += sample->gap;
	if (sample->seconds > 0)
		s->missed += sample->missed * sample->count / sample->seconds;
	s->events_2 += sample->count * sample->count;
	s->seconds_2 += sample->seconds * sample->seconds;
	s->both += sample->count * sample->seconds;
}

static struct sums sums_of(const struct estimate_sample *samples, size_t from, size_t until)
{
	struct sums s = {};

	for (size_t i = from; i < until; i++)
		sums_add(&s, &samples[i]);
	return s;
}

static double sums_rate(const struct sums *s)
{
	return s->seconds > 0 ? s->events / s->seconds : 0;
}

/* Squares of the residuals from the run's own rate. */
static double sums_squares(const struct sums *s)
{
	double r = sums_rate(s);

	return MAX(s->events_2 - 2 * r * s->both + r * r * s->seconds_2, 0.0);
}

/* How far two runs are apart, in half-widths of what they would be apart if the rate were the same.
 */
static double sums_apart(const struct sums *a, const struct sums *b)
{
	double freedom = (double)(a->count + b->count) - 2;
	double spread, poisson;

	if (!(a->seconds > 0 && b->seconds > 0) || freedom < 1)
		return 0;
	spread = (sums_squares(a) + sums_squares(b)) / freedom *
		 ((double)a->count / (a->seconds * a->seconds) +
		  (double)b->count / (b->seconds * b->seconds));
	poisson = (a->events + 1) / (a->seconds * a->seconds) +
		  (b->events + 1) / (b->seconds * b->seconds);
	return fabs(sums_rate(a) - sums_rate(b)) /
	       (estimate_student((size_t)freedom) * sqrt(MAX(spread, poisson)));
}

/* Where between @from and @until the rate changed most; @from where it did not. */
static size_t find_change(const struct estimate_sample *samples, size_t from, size_t until)
{
	struct sums all = sums_of(samples, from, until), older = {};
	double most = UNLIKE;
	size_t found = from;

	for (size_t at = from + 1; at < until; at++) {
		struct sums newer = all;
		double apart;

		sums_add(&older, &samples[at - 1]);
		newer.count -= older.count;
		newer.seconds -= older.seconds;
		newer.events -= older.events;
		newer.events_2 -= older.events_2;
		newer.seconds_2 -= older.seconds_2;
		newer.both -= older.both;
		apart = sums_apart(&older, &newer);
		if (apart <= most)
			continue;
		most = apart;
		found = at;
	}
	return found;
}

/* What @count events say against their being @expected. */
static double surprise(double count, double expected)
{
	return count > 0 ? count * log(count / expected) : 0;
}

/*
 * How much the rates of two neighbours differ, in what counting alone would make them differ: the
 * root of the likelihood ratio (Wilks 1938). What comes in lumps and meets a short window makes a
 * high rate there, but says little against a long one.
 */
static double differ(const struct estimate_sample *a, const struct estimate_sample *b)
{
	double rate;

	if (!(a->seconds > 0 && b->seconds > 0) || !(a->count + b->count > 0))
		return 0;
	/* What a picture has cut off a window says nothing by itself. */
	if (b->gap < AT_ONCE && MIN(a->seconds, b->seconds) < CUT_OFF * MAX(a->seconds, b->seconds))
		return 0;
	rate = (a->count + b->count) / (a->seconds + b->seconds);
	return sqrt(2 * MAX(surprise(a->count, rate * a->seconds) +
				    surprise(b->count, rate * b->seconds),
			    0.0));
}

static int by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Above this, two neighbours differ by more than they usually do. */
static double step_least(const struct estimate_sample *samples, size_t count)
{
	double by[ESTIMATE_MOST];

	for (size_t i = 1; i < count; i++)
		by[i - 1] = differ(&samples[i - 1], &samples[i]);
	qsort(by, count - 1, sizeof(by[0]), by_size);
	return STEP * MAX(by[(count - 1) / 4] / NORMAL_QUARTILE, 1.0);
}

/* Samples [from, until) between two changes. */
struct stretch {
	size_t from, until, used; /* those used: from there on */
	double rate;		  /* of those */
	double seen, unseen;	  /* seconds of the time asked for that it stands for */
};

struct stretches {
	struct stretch list[ESTIMATE_MOST];
	size_t count;
	size_t steps; /* that stand out */
};

static void divide(const struct estimate_sample *samples, size_t from, size_t until,
		   struct stretches *ret)
{
	size_t at = until - from > 1 ? find_change(samples, from, until) : from;

	if (at == from) {
		ret->list[ret->count++] = (struct stretch){ .from = from, .until = until };
		return;
	}
	divide(samples, from, at, ret);
	divide(samples, at, until, ret);
}

/* First where neighbours differ: what comes and goes is no change if all are looked at together. */
static void divide_all(const struct estimate_view *view, struct stretches *ret)
{
	double least = view->count > 1 ? step_least(view->samples, view->count) : 0;
	size_t from = 0;

	for (size_t i = 1; i < view->count; i++) {
		if (differ(&view->samples[i - 1], &view->samples[i]) <= least)
			continue;
		divide(view->samples, from, i, ret);
		from = i;
		ret->steps++;
	}
	divide(view->samples, from, view->count, ret);
}

static void choose(const struct estimate_view *view, struct stretch *s)
{
	size_t begin = view->count - view->recent;
	size_t newest = s->until - MIN(s->until - s->from, (size_t)NEWEST);
	struct sums sums;

	s->used = MAX(s->from, MIN(begin, newest));
	sums = sums_of(view->samples, s->used, s->until);
	s->rate = sums_rate(&sums);
}

/* Gaps behind samples that a burst has ended: what their counts stand for there, as seconds that
 * each second of them stands for. */
struct surges {
	double seconds, weights[ESTIMATE_MOST];
};

/* Half of the gap behind sample @i, if a burst has ended it: true if so. */
static bool attribute_surge(const struct estimate_view *view, size_t i, double gap, double *rate,
			    struct surges *ret)
{
	const struct estimate_sample *s = &view->samples[i];

	if (!(s->surge > 0) || !(s->seconds > 0))
		return false;
	*rate = s->surge * s->count / s->seconds;
	ret->weights[i] += gap / 2 * s->surge / s->seconds;
	ret->seconds += gap / 2;
	return true;
}

/* Events that are uncertain as they lie between two stretches, or behind a burst. */
static double attribute_time(const struct estimate_view *view, struct stretches *all,
			     struct surges *surges)
{
	struct stretch *s = all->list;
	double uncertain = 0, rate_behind;

	for (size_t i = 0; i < view->count; i++) {
		bool is_first = i == view->count - view->recent;
		struct stretch *before = s;
		double gap = view->samples[i].gap, rate = before->rate;

		if (i == s->until)
			s++;
		if (i < view->count - view->recent)
			continue;
		gap = is_first ? MAX(gap - view->before, 0.0) : gap;
		s->seen += view->samples[i].seconds;
		s->unseen += gap / 2;
		if (!i || !attribute_surge(view, i - 1, gap, &rate, surges))
			before->unseen += gap / 2;
		uncertain += fabs(s->rate - rate) * gap / 2;
	}
	rate_behind = s->rate;
	if (attribute_surge(view, view->count - 1, view->idle, &rate_behind, surges))
		s->unseen += view->idle / 2;
	else
		s->unseen += view->idle;
	return uncertain + fabs(s->rate - rate_behind) * view->idle / 2;
}

/* Events that a change may have made more or less since the last sample. */
static double doubt_idle(const struct estimate_view *view, const struct stretches *all)
{
	struct sums sums = sums_of(view->samples, 0, view->count);
	double changes = (double)all->count - 1, squares = 0;

	if (view->idle * changes <= RARE * (sums.seconds + sums.gap))
		return 0;
	for (size_t i = 1; i < all->count; i++)
		squares += pow(all->list[i].rate - all->list[i - 1].rate, 2);
	return sqrt(squares / changes) * view->idle;
}

/* How uncertain a stretch's events are that were not seen, by what its samples vary: one that is
 * twice as long by twice the squares. */
static double half_of(const struct sums *used, const struct sums *like, const struct stretch *s)
{
	double scale = sqrt(s->unseen * s->unseen / used->seconds + s->unseen);
	double freedom = (double)like->count - 1;
	double poisson = NORMAL * sqrt(MAX(used->events, 1.0) / used->seconds);
	double spread = like->count < 2 ? 0
					: estimate_student(like->count - 1) *
						  sqrt(sums_squares(like) * (double)like->count /
						       freedom / like->seconds);

	return MAX(spread, poisson) * scale;
}

/* One that is unlike those around it is known to half of that at best. */
static double alone(const struct stretches *all, size_t i)
{
	double other = all->list[i ? i - 1 : i + 1].rate;

	return fabs(all->list[i].rate - other) / 2 * all->list[i].unseen;
}

static double doubt_stretch(const struct estimate_view *view, const struct stretches *all, size_t i)
{
	const struct stretch *s = &all->list[i];
	struct sums used = sums_of(view->samples, s->used, s->until);
	struct sums like = sums_of(view->samples, s->from, s->until);
	double half;

	if (!(s->unseen > 0) || !(used.seconds > 0) || !(like.seconds > 0))
		return 0;
	half = MAX(half_of(&used, &used, s), half_of(&used, &like, s));
	return like.count < 2 && all->count > 1 ? MAX(half, alone(all, i)) : half;
}

/* What was seen counts as it is, what was not at the rate of its stretch. */
static void weigh(const struct estimate_view *view, const struct stretches *all,
		  const struct surges *surges, double time, struct estimate *ret)
{
	for (size_t i = 0; i < view->recent; i++)
		ret->weights[view->count - 1 - i] = 1 / time;
	ret->first = view->count - view->recent;
	for (size_t i = 0; i < all->count; i++) {
		const struct stretch *s = &all->list[i];
		struct sums used = sums_of(view->samples, s->used, s->until);

		if (!(s->unseen > 0) || !(used.seconds > 0))
			continue;
		for (size_t k = s->used; k < s->until; k++)
			ret->weights[k] += s->unseen / time / used.seconds;
		ret->first = MIN(ret->first, s->used);
	}
	for (size_t i = 0; i < view->count; i++) {
		ret->weights[i] += surges->weights[i] / time;
		if (ret->weights[i] > 0)
			ret->first = MIN(ret->first, i);
		ret->rate += ret->weights[i] * view->samples[i].count;
	}
}

/* Of the newest samples, where there is nothing better. */
static void weigh_newest(const struct estimate_view *view, struct estimate *ret)
{
	size_t first = view->count - MIN(view->count, MAX(view->recent, (size_t)NEWEST));
	struct sums sums = sums_of(view->samples, first, view->count);

	*ret = (struct estimate){ .first = first, .rate = sums_rate(&sums) };
	for (size_t i = first; i < view->count && sums.seconds > 0; i++)
		ret->weights[i] = 1 / sums.seconds;
}

/* Seconds around a sample that it stands for. */
static double around(const struct estimate_view *view, size_t i, double *ret_behind)
{
	double before = view->samples[i].gap;

	if (i == view->count - view->recent)
		before = MAX(before - view->before, 0.0);
	*ret_behind = (i + 1 < view->count ? view->samples[i + 1].gap : 2 * view->idle) / 2;
	return view->samples[i].seconds + before / 2 + *ret_behind;
}

/*
 * The rate changes about as often as it is looked at: a window says nothing of the next. Each is a
 * try of its own, for the time around it.
 */
static bool estimate_restless(const struct estimate_view *view, struct estimate *ret)
{
	size_t first = view->count - MIN(view->count, MAX(view->recent, (size_t)NEWEST));
	double time = 0, squares = 0, n = 0, mean = 0, spread = 0, missed = 0;

	*ret = (struct estimate){ .first = first };
	for (size_t i = 0; i < view->count; i++) {
		const struct estimate_sample *s = &view->samples[i];
		double behind, seconds = around(view, i, &behind), rate, stands;

		if (!(s->seconds > 0) || !(seconds > 0))
			continue;
		stands = s->surge > 0 ? seconds + (s->surge - 1) * behind : seconds;
		rate = s->count / s->seconds * stands / seconds;
		n++;
		spread += (rate - mean) * (rate - mean) * (n - 1) / n; /* Welford 1962 */
		mean += (rate - mean) / n;
		if (i < first)
			continue;
		ret->weights[i] = stands / s->seconds;
		time += seconds;
		squares += seconds * seconds;
		missed += s->missed * s->count / s->seconds * ret->weights[i];
	}
	if (n < 2 || !(time > 0))
		return false;
	for (size_t i = first; i < view->count; i++) {
		ret->weights[i] /= time;
		ret->rate += ret->weights[i] * view->samples[i].count;
	}
	/* All that there are say how much they differ; few say little of those asked for. */
	ret->half = estimate_student((size_t)MIN(n - 1, (double)(view->count - first))) *
			    sqrt(spread / (n - 1) * squares) / time +
		    missed / time;
	return true;
}

bool estimate_rate(const struct estimate_view *view, struct estimate *ret)
{
	struct stretches all = {};
	struct estimate restless;
	struct sums recent;
	struct surges surges = {};
	double seen = 0, unseen, between, squares = 0;

	weigh_newest(view, ret);
	recent = sums_of(view->samples, view->count - view->recent, view->count);
	if (!(recent.seconds > 0))
		return false;
	divide_all(view, &all);
	for (size_t i = 0; i < all.count; i++)
		choose(view, &all.list[i]);
	between = attribute_time(view, &all, &surges);
	unseen = surges.seconds;
	for (size_t i = 0; i < all.count; i++) {
		seen += all.list[i].seen;
		unseen += all.list[i].unseen;
	}
	if (seen + unseen <= ALL_SEEN * seen) {
		for (size_t i = 0; i < all.count; i++)
			all.list[i].unseen = 0;
		surges = (struct surges){};
		*ret = (struct estimate){};
		weigh(view, &all, &surges, seen, ret);
		ret->half = recent.missed / seen;
		return true;
	}
	if (view->count < 2 || !(seen + unseen > 0))
		return false;
	if ((double)all.steps > OFTEN * (double)(view->count - 1))
		return estimate_restless(view, ret);
	for (size_t i = 0; i < all.count; i++)
		squares += pow(doubt_stretch(view, &all, i), 2);
	*ret = (struct estimate){};
	weigh(view, &all, &surges, seen + unseen, ret);
	ret->half = (sqrt(squares) + between + doubt_idle(view, &all)) / (seen + unseen) +
		    recent.missed / recent.seconds;
	/* As where windows are the longer the less there is in them, and all differ. */
	if (estimate_restless(view, &restless) &&
	    fabs(restless.rate - ret->rate) > restless.half + ret->half)
		*ret = restless;
	return true;
}

bool estimate_mean(const struct estimate_sample *samples, size_t count, double coverage,
		   struct estimate *ret)
{
	struct sums all = sums_of(samples, 0, count);
	struct stretch whole = { .unseen = (1 - coverage) };

	*ret = (struct estimate){ .rate = sums_rate(&all) };
	if (!(all.seconds > 0) || (count < 2 && coverage < 1))
		return false;
	if (coverage < 1) {
		/* Seconds that were seen to those that were not are as the shares are. */
		whole.unseen *= all.seconds / MAX(coverage, 1e-9);
		ret->half = half_of(&all, &all, &whole) * MAX(coverage, 1e-9) / all.seconds +
			    all.missed / all.seconds;
	}
	return true;
}
