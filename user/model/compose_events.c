/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/compose.h"

#include "attribute/lookup.h"
#include "base/clock.h"
#include "base/util.h"
#include "probe/session.h"

#include <errno.h>

static int compose_site(struct picture_site *to, const struct site *site, uint64_t hits,
			const char *refusal)
{
	const char *why = site->rejected ? site->rejected : refusal;

	*to = (struct picture_site){
		.symbol = strdup(site->symbol),
		.offset = site->function ? site->vaddr - site->function : site->vaddr,
		.instruction = strdup(site->text),
		.emulated = site->emulated,
		.hits = (int64_t)hits,
		.rejected = why ? strdup(why) : NULL,
	};
	return to->symbol && to->instruction && (!why || to->rejected) ? 0 : -ENOMEM;
}

static int compose_sites(struct picture *pic, struct tracer *tracer)
{
	const struct sites *sites = &tracer_plan(tracer)->sites;
	int r = 0;

	pic->events.sites = calloc(sites->count + 1, sizeof(*pic->events.sites));
	if (!pic->events.sites)
		return -ENOMEM;
	for (size_t i = 0; !r && i < sites->count; i++)
		r = compose_site(&pic->events.sites[pic->events.sites_count++], &sites->list[i],
				 tracer_site_hits(tracer, i), tracer_site_refusal(tracer, i));
	return r;
}

/* Looks for types that flow and have no row. */
struct passing {
	struct picture *pic;
	const struct flows *flows;
	double coverage;
	struct lookup *lookup;
	uint64_t *known; /* addresses of the rows there are, in order */
	size_t known_count;
};

static int compare_addresses(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int passing_add_row(struct picture *pic, uint64_t address, const char *name, bool heap)
{
	struct picture_type *list =
		reallocarray(pic->types, pic->types_count + 1, sizeof(*pic->types));
	struct picture_type *row;

	if (!list)
		return -ENOMEM;
	pic->types = list;
	row = &list[pic->types_count];
	*row = (struct picture_type){
		.name = strdup(name),
		.address = address,
		.heap = heap,
		.capacity_used = PICTURE_UNKNOWN,
		.capacity_owned = PICTURE_UNKNOWN,
		.delta_objects = PICTURE_UNKNOWN,
		.delta_bytes = PICTURE_UNKNOWN,
	};
	if (!row->name)
		return -ENOMEM;
	pic->types_count++;
	return 0;
}

static int passing_see(void *arg, uint64_t type)
{
	struct passing *p = arg;
	char name[LOOKUP_NAME_MAX];
	struct flows_rates rates;
	bool heap;

	if (!type ||
	    bsearch(&type, p->known, p->known_count, sizeof(*p->known), compare_addresses) ||
	    !flows_rates(p->flows, type, p->coverage, &rates) ||
	    (rates.per_second[FLOWS_ALLOC_OBJECTS] <= 0 &&
	     rates.per_second[FLOWS_FREE_OBJECTS] <= 0) ||
	    lookup_type(p->lookup, type, name, &heap) < 0)
		return 0;
	return passing_add_row(p->pic, type, name, heap);
}

/*
 * What is made and thrown away between two looks at the heap is what rates are asked for, and has
 * no row of its own then.
 */
static int compose_passing(struct picture *pic, const struct flows *flows, double coverage,
			   const struct layout *layout, struct memory *mem)
{
	cleanup(lookup_freep) struct lookup *lookup = NULL;
	_cleanup_free_ uint64_t *known = calloc(pic->types_count + 1, sizeof(*known));
	struct passing p = { pic, flows, coverage, NULL, known, pic->types_count };
	int r;

	if (!known)
		return -ENOMEM;
	for (size_t i = 0; i < pic->types_count; i++)
		known[i] = pic->types[i].address;
	qsort(known, p.known_count, sizeof(*known), compare_addresses);
	r = lookup_new(layout, mem, &lookup);
	p.lookup = lookup;
	r = r < 0 ? r : flows_each(flows, passing_see, &p);
	picture_sort_types(pic);
	return r;
}

static void compose_rates(struct picture *pic, const struct flows *flows, double coverage)
{
	for (size_t i = 0; i < pic->types_count; i++) {
		struct picture_type *type = &pic->types[i];
		struct flows_rates rates;

		if (!flows_rates(flows, type->address, coverage, &rates))
			continue;
		type->alloc_objects_per_second = rates.per_second[FLOWS_ALLOC_OBJECTS];
		type->alloc_bytes_per_second = rates.per_second[FLOWS_ALLOC_BYTES];
		type->free_objects_per_second = rates.per_second[FLOWS_FREE_OBJECTS];
		type->free_bytes_per_second = rates.per_second[FLOWS_FREE_BYTES];
		type->rate_error = rates.error;
	}
}

/* Each way to lose a record that happened is a reason to call the picture partial. */
static int compose_losses(struct picture *pic, const struct tracer_stats *stats)
{
	static const enum event_count causes[] = { EVENTS_LOST_RING, EVENTS_LOST_POOL,
						   EVENTS_LOST_STACK, EVENTS_LOST_SITE,
						   EVENTS_LOST_PAIR };
	uint64_t gaps = stats->lost_by_cause[EVENTS_LOST_WINDOW];
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_SIZE(causes); i++)
		if (stats->lost_by_cause[causes[i]])
			r = picture_add_partial(
				pic, "%lu event records were lost (%s): rates are too low",
				(unsigned long)stats->lost_by_cause[causes[i]],
				session_count_name(causes[i]));
	if (!r && gaps)
		r = picture_add_partial(
			pic,
			"%lu times the probes were taken off until pymemtop answered again: nobody "
			"counted the records that were lost meanwhile",
			(unsigned long)gaps);
	if (!r && stats->left_out)
		r = picture_add_partial(pic,
					"%zu places hold another tool's probe with a counter of "
					"its own: what is allocated or freed there is not seen",
					stats->left_out);
	if (!r && stats->failed)
		r = picture_add_partial(pic, "events ended early: %s", strerror(-stats->error));
	return r;
}

static int compose_growth(struct picture *pic, const struct tracer_stats *stats, uint32_t alignment)
{
	pic->events.growth_coverage = stats->growth_coverage;
	pic->events.growth = calloc(TRACER_CLASSES, sizeof(*pic->events.growth));
	if (!pic->events.growth)
		return -ENOMEM;
	for (uint32_t i = 0; i < TRACER_CLASSES; i++)
		if (stats->grown[i])
			pic->events.growth[pic->events.growth_count++] = (struct picture_growth){
				.size_bytes = (i + 1) * alignment,
				.pools_opened = (int64_t)stats->grown[i],
			};
	return 0;
}

int compose_events(struct picture *pic, struct tracer *tracer, const struct blocks_drift *drift,
		   const struct layout *layout, struct memory *mem)
{
	struct tracer_stats stats;
	double coverage;
	int r;

	tracer_get_stats(tracer, &stats);
	coverage = stats.duration_ns ? (double)stats.traced_ns / (double)stats.duration_ns : NAN;
	coverage = MIN(coverage, 1.0);
	pic->events.duration_ms = (double)stats.duration_ns / 1e6;
	pic->events.coverage = coverage;
	pic->events.records = (int64_t)stats.records;
	pic->events.lost = (int64_t)stats.lost;
	pic->events.overhead_estimated = stats.overhead;
	pic->events.cost_ns_per_hit = stats.cost_ns;
	if (drift->had) {
		pic->events.drift_objects =
			(int64_t)(drift->drift.missing_objects + drift->drift.extra_objects);
		pic->events.drift_bytes =
			(int64_t)(drift->drift.missing_bytes + drift->drift.extra_bytes);
	}
	coverage = pic->events.mode[0] == 'e' ? 1 : coverage;
	r = compose_passing(pic, tracer_flows(tracer), coverage, layout, mem);
	if (r < 0)
		return r;
	compose_rates(pic, tracer_flows(tracer), coverage);
	r = compose_losses(pic, &stats);
	if (!r && drift->unsure)
		r = picture_add_partial(
			pic, "records were lost during the census: the ledger is made anew by the "
			     "next");
	if (!r)
		r = compose_growth(pic, &stats, layout->alignment);
	return r < 0 ? r : compose_sites(pic, tracer);
}

/* Instances of classes are always freed; some builtin types keep dead ones for reuse, of which no
 * allocator knows (Objects/floatobject.c, listobject.c, tupleobject.c ...). */
static enum picture_age compose_age(bool reused, bool at_least)
{
	if (reused)
		return at_least ? PICTURE_AGE_UNKNOWN : PICTURE_AGE_MOST;
	return at_least ? PICTURE_AGE_LEAST : PICTURE_AGE_IS;
}

void compose_ages(struct picture *pic, struct tracer *tracer)
{
	const struct picture_type *type = NULL;
	uint64_t now = clock_monotonic();

	for (size_t i = 0; i < pic->types_count && !type; i++) {
		if (pic->types[i].address == pic->samples.type)
			type = &pic->types[i];
	}
	for (size_t i = 0; type && i < pic->samples.count; i++) {
		struct picture_sample *sample = &pic->samples.list[i];
		struct blocks_age age = blocks_age(tracer_blocks(tracer), sample->address, now);

		if (age.known)
			sample->age = compose_age(!type->heap, age.at_least);
		if (sample->age != PICTURE_AGE_UNKNOWN)
			sample->age_ns = age.age_ns;
	}
}
