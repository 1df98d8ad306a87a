/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/session_private.h"

#include "probe/links_moment.h"

#include "base/util.h"

bool session_is_hit(const struct session *session)
{
	return links_is_hit(session->bpf->bss);
}

uint64_t session_hits(const struct session *session)
{
	uint64_t all = 0;

	for (size_t i = 0; i < SITES_MAX; i++)
		all += session_site_hits(session, i);
	return all;
}

const struct events_moment *session_begun(const struct session *session)
{
	return &session->bpf->bss->begun;
}

const struct events_moment *session_ended(const struct session *session)
{
	return &session->bpf->bss->ended;
}

static bool is_loss(enum event_count which)
{
	return which == EVENTS_LOST_RING || which == EVENTS_LOST_POOL ||
	       which == EVENTS_LOST_STACK || which == EVENTS_LOST_SITE ||
	       which == EVENTS_LOST_PAIR || which == EVENTS_LOST_WINDOW;
}

void session_stats(const struct session *session, struct session_stats *ret)
{
	struct session_stats stats = { .attach_ns = session->attach_ns,
				       .detach_ns = session->detach_ns,
				       .windows = session->windows,
				       .link = session->options.link };

	stats.links = links_held(session->links);
	stats.closing_ns = __atomic_load_n(&session_lease(session)->closing_ns, __ATOMIC_RELAXED);
	stats.closing_hits =
		__atomic_load_n(&session_lease(session)->closing_hits, __ATOMIC_RELAXED);
	for (uint32_t i = 0; i < EVENTS_COUNT_MAX; i++) {
		stats.counts[i] = __atomic_load_n(&session->bpf->bss->counts[i], __ATOMIC_RELAXED);
		if (is_loss(i))
			stats.lost += stats.counts[i];
	}
	stats.hits = session_hits(session);
	stats.growth_hits = session_site_hits(session, SITE_INDEX_FRESH);
	for (size_t i = 0; i < session->plan->sites.count; i++) {
		if (session->refusals[i] == SITE_MOVED)
			stats.moved_hits += session_site_hits(session, i);
		stats.left_out += session->refusals[i] == SITE_LEFT_OUT;
	}
	stats.counts[EVENTS_HITS] = stats.hits;
	stats.counts[EVENTS_RECORDS] =
		__atomic_load_n(&session->bpf->bss->produced, __ATOMIC_ACQUIRE);
	*ret = stats;
}

uint64_t session_site_hits(const struct session *session, size_t index)
{
	return index < SITES_MAX
		       ? __atomic_load_n(&session->bpf->bss->hits[index], __ATOMIC_RELAXED)
		       : 0;
}

const char *session_refusal(const struct session *session, size_t index)
{
	static const char *const texts[] = {
		[SITE_MOVED] = "another tool's probe with a counter of its own is here: the "
			       "instruction before is taken",
		[SITE_LEFT_OUT] = "another tool's probe with a counter of its own is here",
	};

	return index < SITES_MAX ? texts[session->refusals[index]] : NULL;
}

const char *session_count_name(enum event_count which)
{
	static const char *const names[] = {
		[EVENTS_RECORDS] = "records",
		[EVENTS_LOST_RING] = "ring full",
		[EVENTS_LOST_POOL] = "pool header unreadable",
		[EVENTS_LOST_STACK] = "stack word unreadable",
		[EVENTS_LOST_SITE] = "unknown site",
		[EVENTS_LOST_PAIR] = "reallocation without its other half",
		[EVENTS_LOST_WINDOW] = "no probes for a while",
		[EVENTS_SLOW] = "pool was empty",
		[EVENTS_FAILED] = "allocation failed",
		[EVENTS_PARTIAL_FREE] = "block at the end of a mapping",
		[EVENTS_CHECKED] = "addresses checked",
		[EVENTS_MISPREDICTED] = "addresses mispredicted",
		[EVENTS_HITS] = "probe hits",
	};

	return (size_t)which < ARRAY_SIZE(names) && names[which] ? names[which] : "unknown";
}
