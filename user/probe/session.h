/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The BPF programs at work on one target: loaded once, attached and detached for as many windows as
 * the budget allows, their records consumed in order.
 */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"
#include "probe/plan.h"
#include "probe/records.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Records of 40 bytes: at least half a second of the fastest allocation, which a hit slows to some
 * 1.3 million a second. */
#define SESSION_RING_EXACT (1u << 20)
#define SESSION_RING_BUDGET (1u << 17)

enum session_link {
	SESSION_LINK_AUTO,  /* uprobe_multi where the kernel has it */
	SESSION_LINK_MULTI, /* one link for all sites, for the target's address space alone (6.6+)
			     */
	SESSION_LINK_PERF,  /* one perf event a site, for the address space too: slow to
			       close */
};

struct session_options {
	pid_t pid;	     /* of the target, in our PID namespace */
	size_t ring_records; /* a power of two; 0: SESSION_RING_EXACT */
	enum session_link link;
	struct pools *pools; /* borrowed; NULL: allocations may be without their size */
	bool self_check; /* tests: compare predicted with real addresses, at single-stepped sites */
	int cores;	 /* on which the target may allocate at the same time; 0: 1 */
};

struct session_stats {
	uint64_t counts[EVENTS_COUNT_MAX]; /* indexed by enum event_count */
	uint64_t lost;			   /* sum of the EVENTS_LOST_* */
	uint64_t hits;			   /* over all sites */
	uint64_t growth_hits;		   /* of them: where pools are opened */
	uint64_t moved_hits;		   /* of them: where the next candidate had to be taken */
	size_t left_out;		   /* sites that the kernel refused, without another */
	uint64_t attach_ns, detach_ns;	   /* the last one */
	uint64_t windows;
	uint64_t closing_ns, closing_hits; /* when the last window was begun to be closed */
	size_t links;
	enum session_link link;
};

struct session;

/* Opens and loads. -EPERM (with the fix in @err), -ENOTSUP, -ENOMEM. @plan is borrowed. */
int session_new(const struct plan *plan, const struct session_options *options,
		struct session **ret, struct error *err);
void session_free(struct session *session);
DEFINE_CLEANUP(struct session, session_free)
#define _cleanup_session_ cleanup(session_freep)

/*
 * Opens a window: from the return of this call every operation is recorded. Records of an earlier
 * window may still be in the ring: consume them first. -EALREADY, or what the kernel says.
 */
int session_attach(struct session *session, struct error *err);

/* Closes the window; the ring keeps its records. No probe remains in the target but that of growth,
 * if on. Returns when recording ended (monotonic). */
uint64_t session_detach(struct session *session);

/*
 * From the next window on (the open one closes whole): @cold says of each site of the plan whether
 * it may keep its probe when a window closes, until the next. To come and to go costs the target
 * something for each site, and most are seldom hit. A hit between windows is counted and costs what
 * it does in a window. They go by themselves when nothing is heard of us, and when they are hit
 * more than @most times between two signs of life. Ignored with perf-event links. 0 or negative
 * errno.
 */
int session_divide(struct session *session, const bool *cold, uint64_t most);
bool session_has_kept(const struct session *session);
bool session_did_keep(const struct session *session); /* when the last window closed */
int session_drop_kept(struct session *session);	      /* now, or when the open window closes */

/* How many sites come when a window opens next, and go when it, or the open one, closes. */
struct session_turns {
	size_t open, close;
};
struct session_turns session_turns(const struct session *session);

/* When the last window, or sample, began and ended, and what had been hit by then. */
const struct events_moment *session_begun(const struct session *session);
const struct events_moment *session_ended(const struct session *session);
bool session_is_attached(const struct session *session);

/* Between windows: probes site @index alone for @last_ns, or @most hits of it. Nothing is recorded.
 * -EBUSY: it has kept its probe. */
int session_sample(struct session *session, size_t index, uint64_t last_ns, uint64_t most);

/*
 * A window ends by itself, with all its probes, when neither session_consume() nor session_extend()
 * was called for LINKS_PATIENCE_NS, when pymemtop-links is killed, or at what session_allow() said.
 * It still has to be closed. In exact mode nobody knows then what has been lost:
 * session_count_gap() says so.
 */
bool session_has_ended(struct session *session);
void session_count_gap(struct session *session);
void session_extend(struct session *session); /* any thread may */

/*
 * Between windows: probes at @count sites of the plan from @first on, for @last_ns or @most hits.
 * Nothing is recorded, but session_site_hits() says afterwards which of them are hit. A first
 * window with hundreds of sites of which nobody knows that would be dear on its way in and out.
 */
int session_look(struct session *session, size_t first, size_t count, uint64_t last_ns,
		 uint64_t most);

/*
 * The window at hand, or else the next, ends when there are @hits in all, each where pools are
 * opened counting @fresh, or at @end_ns (monotonic). UINT64_MAX: never for that.
 */
void session_allow(struct session *session, uint64_t hits, double fresh, uint64_t end_ns);

/*
 * A forked child starts with the breakpoints of its parent. No program runs in it, but each costs
 * it as much as one that does (the kernel takes a breakpoint away only when a consumer leaves:
 * kernel/events/uprobes.c, register_for_each_vma()). This lets one come and go at every site of the
 * open window, which frees all children that there are. With perf-event links the kernel does so
 * where a child first hits one: nothing is done.
 */
int session_sweep(struct session *session);

/* The probe where pools are opened: alone it costs next to nothing, so it may stay on between
 * windows. */
int session_watch_growth(struct session *session, bool on);

/* As records_consume(), of the records in this session's ring. */
ssize_t session_consume(struct session *session, session_event_fn fn, void *arg, size_t max);

/* Records in the ring that wait to be consumed. Nothing wakes a consumer up: poll, often enough for
 * the ring's size. */
size_t session_backlog(const struct session *session);

/* Some 1000 loads from mapped memory: cheap enough to ask for every few milliseconds. */
void session_stats(const struct session *session, struct session_stats *ret);

/* Hits of site @index of the plan (plan->sites.list). */
uint64_t session_site_hits(const struct session *session, size_t index);

/* Naps for some tens of microseconds: was any site hit meanwhile? */
bool session_is_hit(const struct session *session);

/* Why site @index of the plan is not where it was planned: another tool holds it in a way that the
 * kernel does not share. NULL: it is. */
const char *session_refusal(const struct session *session, size_t index);

/* "ring full", "pool header unreadable" ...: for the screen and the JSON. */
const char *session_count_name(enum event_count which);
