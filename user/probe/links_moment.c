/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/links_moment.h"

#include "base/clock.h"
#include "base/util.h"
#include "target/running.h"

#include "events.skel.h"

#include <string.h>
#include <time.h>

#define NAP_NS 30000l
#define THREADS_MOST 64 /* whose waiting is looked at: each is a file to read */
#define ASIDE_MOST 8	/* of whom a CPU is left alone */

uint64_t links_hits(const struct events__bss *s)
{
	uint64_t hits = 0;

	for (size_t i = 0; i < SITES_MAX; i++)
		hits += __atomic_load_n(&s->hits[i], __ATOMIC_RELAXED);
	return events_weigh(hits, __atomic_load_n(&s->hits[SITE_INDEX_FRESH], __ATOMIC_SEQ_CST),
			    __atomic_load_n(&s->lease.fresh_extra, __ATOMIC_SEQ_CST));
}

bool links_is_hit(const struct events__bss *shared)
{
	uint64_t before = links_hits(shared);

	nanosleep(&(struct timespec){ .tv_nsec = NAP_NS }, NULL);
	return links_hits(shared) > before;
}

static void note_waited(pid_t pid, struct events_moment *moment)
{
	uint64_t waited = UINT64_MAX, slices = 0;

	if (running_waited(pid, THREADS_MOST, &waited, &slices))
		waited = UINT64_MAX;
	moment->waited_ns = waited;
	moment->slices = slices;
}

static void note_rest(const struct events__bss *shared, pid_t pid, struct events_moment *moment)
{
	memcpy(moment->hits, shared->hits, sizeof(moment->hits));
	moment->cpu_ns = running_cpu(pid);
	moment->ns = clock_monotonic();
}

/* The slow part first, else last: what is read for the rest shall not pass in between. */
void links_note_begin(const struct events__bss *shared, pid_t pid, struct events_moment *ret)
{
	note_waited(pid, ret);
	note_rest(shared, pid, ret);
}

void links_note_end(struct events__bss *shared, pid_t pid, struct events_moment *ret)
{
	note_rest(shared, pid, ret);
	__atomic_store_n(&shared->enabled, 0, __ATOMIC_SEQ_CST);
	note_waited(pid, ret);
}

void links_stand_aside(pid_t pid, const cpu_set_t *all)
{
	cpu_set_t theirs, rest;

	if (running_cpus(pid, ASIDE_MOST, &theirs))
		return;
	CPU_AND(&theirs, &theirs, all);
	CPU_XOR(&rest, all, &theirs);
	sched_setaffinity(0, sizeof(rest), CPU_COUNT(&rest) ? &rest : all);
}
