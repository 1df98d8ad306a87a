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

/* Detaches all. When this returns no program runs any more. */
void links_make_undone(struct links_fds *fds);
