/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Links between BPF programs and places in a file. Not held by us but by pymemtop-links, a process
 * of its own that does all attaching and detaching (links_process.h):
 *
 * - The kernel gives a detaching up when the task that does it is being killed, and the breakpoints
 *   stay for ever: uprobe_unregister_nosync() "unregister, leaking uprobe"
 * (kernel/events/uprobes.c, v6.12), because get_user_pages() returns -EINTR then (mm/gup.c). So
 * pymemtop may be killed at any moment: its links are with somebody else.
 * - Who is stopped, or gets no CPU, cannot close a window: the lease in the shared memory
 *   (bpf/events.h) says how long a window may last, and the other process ends what is not
 * extended.
 */
#pragma once

#include "base/cleanup.h"
#include "bpf/events.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* BPF_TRACE_UPROBE_MULTI of linux/bpf.h (6.6), which Debian 12's headers do not have. */
#define LINKS_UPROBE_MULTI 48

/* Without a sign of life for so long, all probes go. */
#define LINKS_PATIENCE_NS 700000000ull

enum links_program {
	LINKS_ON_SITE,
	LINKS_ON_FRESH,
	LINKS_ON_RETURN,
	LINKS_ON_EMPTY,
	LINKS_PROGRAMS,
};

enum links_group {
	LINKS_WINDOW, /* of a window, what is hit little: with lease.keep it stays until the next */
	LINKS_HOT,    /* what is hit most: the last to come, the first to go */
	LINKS_WAY,    /* attached when a window begins to close: see links_close_window() */
	LINKS_GROWTH, /* stays between windows */
	LINKS_PASSING, /* for a moment */
	LINKS_GROUPS,
};

/* Places in one file for one program. */
struct links_batch {
	enum links_program program;
	const char *path;
	pid_t pid; /* only this process */
	bool is_return;
	const uint64_t *offsets, *cookies;
	size_t count; /* 0: nothing is done */
};

struct links_options {
	int programs[LINKS_PROGRAMS]; /* descriptors; of expected attach type LINKS_UPROBE_MULTI
					 unless is_perf */
	int shared;		      /* the map that is the programs' memory (.bss) */
	bool is_perf; /* one perf event a place: for kernels before 6.6. Its process is that of the
		       * target: the kernel then keeps the breakpoints to that address space, and
		       * its program runs in all threads there (kernel/trace/trace_uprobe.c,
		       * uprobe_perf_filter()) */
};

struct links;

/* Everything returns 0 or negative errno; -EPIPE: pymemtop-links is gone, and all links with it. */

/* Starts pymemtop-links where it does not run. The options' descriptors are copied. */
int links_new(const struct links_options *options, struct links **ret);
/* Detaches all. When this returns no program runs any more. */
void links_free(struct links *links);
DEFINE_CLEANUP(struct links, links_free)
#define _cleanup_links_ cleanup(links_freep)

/* Attaches now. On failure nothing of the group remains. For GROWTH and PASSING. */
int links_add(struct links *links, enum links_group group, const struct links_batch *batch);
int links_clear(struct links *links, enum links_group group);

/*
 * A window: first all its batches, for WINDOW, HOT and WAY, then _open attaches those for WINDOW
 * and HOT in the order in which they came and lets records be written. @ret_ns: since when. On
 * failure none remains. It ends by itself when the lease does (it was extended by @patience_ns from
 * the return of the call), at lease.end_ns, or after lease.hits_most hits, looked at as often as
 * @cores can make that true. With @has_kept WINDOW shall be there since an earlier one; -ESTALE: it
 * is not.
 */
int links_queue(struct links *links, enum links_group group, const struct links_batch *batch);
int links_open_window(struct links *links, uint64_t patience_ns, int cores, bool has_kept,
		      uint64_t *ret_ns);

/*
 * Who changes breakpoints after some time without such a change waits for a grace period first,
 * 10 ms here (kernel/events/uprobes.c, register_for_each_vma(): percpu_down_write(&dup_mmap_sem)).
 * Hits would go on so long, so the batch for WAY, a link that does nothing at a site that has its
 * breakpoint already, takes the wait upon itself while the window is still of use. Then recording
 * ends, at lease.ended_ns, and the rest goes; but for WINDOW, with lease.keep. Also for one that
 * ended by itself: returns when all is gone.
 */
int links_close_window(struct links *links);

/* Attaches @batch, lets @most hits or @last_ns pass, and detaches. Nothing is recorded. */
int links_sample(struct links *links, const struct links_batch *batch, uint64_t last_ns,
		 uint64_t most);

/* A system call, no more: does pymemtop-links live? */
bool links_is_alive(const struct links *links);

/* Links and perf events that there are. */
size_t links_held(const struct links *links);
