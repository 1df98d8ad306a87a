/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Windows on kernels before 6.10, by trace events (tracefs, uprobe_events) of one place each.
 *
 * A perf event on a place is slow to go: its last user unregisters the probe and waits for a grace
 * period, under a lock of all events (kernel/trace/trace_event_perf.c, v6.1,
 * perf_trace_event_unreg()). A trace event is shared: here one perf event of our own thread, which
 * never comes by, stays its user and holds the program, and a window is no more than a second one,
 * of the target: its coming and going writes the breakpoint and takes it away
 * (kernel/trace/trace_uprobe.c, uprobe_perf_open(), uprobe_perf_close()).
 *
 * What is defined there outlives us: each name begins with the process it is of, and who comes next
 * removes what the dead have left. It costs nobody anything meanwhile, as it is not in use.
 * Private to probe/, and for pymemtop-links alone.
 */
#pragma once

#include "probe/links_make.h"

struct links_trace_place;

struct links_trace {
	struct links_trace_place *list;
	size_t count, capacity;
	unsigned int number; /* of ours in this process; 0: not chosen yet */
};

/* Is this a kernel where that is better than what else there is, and are we let? */
bool links_trace_usable(void);

/* Defines what @request needs and is not defined yet. 0 or negative errno. */
int links_trace_prepare(struct links_trace *trace, const struct links_request *request,
			int program);

/* As links_make(). */
int links_trace_make(struct links_trace *trace, struct links_fds *fds,
		     const struct links_request *request, int program);

/* Removes the definitions; windows are closed already. */
void links_trace_fini(struct links_trace *trace);

/* The process that a definition is of, by its line; 0: not one of ours. @ret_name: GROUP/EVENT */
pid_t links_trace_owner(const char *line, char *ret_name, size_t cap);
