/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/heat.h"

#include "base/util.h"

#include <math.h>
#include <stdlib.h>

#define MEMORY_SECONDS 0.05 /* what was seen in so much time counts as much as all before */
#define WORTH 16	    /* so many fewer hot ones are worth a change */
/* A hit slows the target: of the time so much at least is taken for its own. */
#define OWN_LEAST 0.05

void heat_init(struct heat *heat, size_t count, double price_ns)
{
	*heat = (struct heat){ .count = MIN(count, (size_t)SITES_MAX), .price_ns = price_ns };
	for (size_t i = 0; i < heat->count; i++)
		heat->rates[i] = NAN;
}

static double hits_between(const struct events_moment *begin, const struct events_moment *end,
			   size_t site)
{
	return (double)(end->hits[site] - MIN(begin->hits[site], end->hits[site]));
}

void heat_learn(struct heat *heat, const struct events_moment *begin,
		const struct events_moment *end, size_t first, size_t count)
{
	double seconds = (double)(end->ns - MIN(begin->ns, end->ns)) / 1e9, cost = 0, weight;

	for (size_t i = 0; i < heat->count; i++)
		cost += hits_between(begin, end, i) * heat->price_ns / 1e9;
	seconds = MAX(seconds - cost, seconds * OWN_LEAST);
	weight = seconds / (seconds + MEMORY_SECONDS);
	if (!(seconds > 0))
		return;
	for (size_t i = 0; i < heat->count; i++) {
		double rate = hits_between(begin, end, i) / seconds, *known = &heat->rates[i];

		if (heat->cold[i] || (i >= first && i - first < count))
			*known = isnan(*known) ? rate : *known + weight * (rate - *known);
	}
}

bool heat_burn(struct heat *heat, const struct events_moment *begin,
	       const struct events_moment *end, uint64_t most, double rate)
{
	bool any = false;

	for (size_t i = 0; i < heat->count; i++) {
		if (!heat->cold[i] || hits_between(begin, end, i) <= (double)most)
			continue;
		heat->rates[i] = MAX(heat->rates[i], rate);
		any = true;
	}
	return any;
}

struct ranked {
	double rate;
	size_t site;
};

static int compare(const void *a, const void *b)
{
	double x = ((const struct ranked *)a)->rate, y = ((const struct ranked *)b)->rate;

	return (x > y) - (x < y);
}

bool heat_choose(struct heat *heat, double allowed)
{
	struct ranked ranked[SITES_MAX];
	double now = 0, sum = 0;
	size_t known = 0, cold = 0, was = 0;

	for (size_t i = 0; i < heat->count; i++) {
		if (heat->cold[i])
			now += heat->rates[i];
		was += heat->cold[i];
		if (!isnan(heat->rates[i]))
			ranked[known++] = (struct ranked){ heat->rates[i], i };
	}
	qsort(ranked, known, sizeof(*ranked), compare);
	for (; cold < known && sum + ranked[cold].rate <= allowed; cold++)
		sum += ranked[cold].rate;
	if (now <= 2 * allowed && cold < was + WORTH)
		return false;
	for (size_t i = 0; i < heat->count; i++)
		heat->cold[i] = false;
	for (size_t i = 0; i < cold; i++)
		heat->cold[ranked[i].site] = true;
	return true;
}
