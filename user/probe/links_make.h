/* SPDX-License-Identifier: BSD-2-Clause */
/* The system calls that make links, and how what they return is given back. Private to probe/, and
 * for pymemtop-links alone. */
#pragma once

#include "probe/links_wire.h"

#include <stdbool.h>
#include <stddef.h>

/* Descriptors whose closing detaches, in pairs of a link and its perf event with perf events. */
struct links_fds {
	int *list;
	size_t count;
};

/*
 * Attaches @program at all places of @request, in one call, or with one perf event a place. 0 or
 * negative errno: part of them may be attached then.
 */
int links_make(struct links_fds *fds, const struct links_request *request, int program,
	       bool is_perf);

/* Room for @more. */
int links_make_grow(struct links_fds *fds, size_t more);

/* Has a perf event run @program. *ret_link: what holds it, untouched before 5.15, where the event
 * itself does. */
int links_make_give(int event, int program, uint64_t cookie, int *ret_link);

/* Detaches all. When this returns no program runs any more. */
void links_make_undone(struct links_fds *fds);

/* The same of several groups, side by side: each waits for grace periods when its breakpoints are
 * gone, and those of the last would be hit all that time. */
void links_make_undone_together(struct links_fds **groups, size_t count);
