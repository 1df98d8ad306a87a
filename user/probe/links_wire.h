/* SPDX-License-Identifier: BSD-2-Clause */
/* What pymemtop and pymemtop-links say to each other over sockets that keep messages apart. Private
 * to probe/. */
#pragma once

#include "probe/links.h"

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

/* The descriptors that come with a hello: its own socket, the shared memory, the programs. */
enum { LINKS_FD_SOCKET, LINKS_FD_SHARED, LINKS_FD_PROGRAMS, LINKS_FDS = 2 + LINKS_PROGRAMS };

struct links_hello {
	uint32_t is_perf; /* a perf event for each place, else one link for all */
};

enum links_op {
	LINKS_OP_QUEUE,	 /* places for the next window; no answer */
	LINKS_OP_OPEN,	 /* the window, with what was queued */
	LINKS_OP_CLOSE,	 /* the window */
	LINKS_OP_ADD,	 /* places that belong to no window */
	LINKS_OP_CLEAR,	 /* a group */
	LINKS_OP_SAMPLE, /* places for a moment, in which nothing is recorded */
};

struct links_request {
	uint32_t op;	  /* enum links_op */
	uint32_t group;	  /* enum links_group */
	uint32_t program; /* enum links_program */
	uint32_t is_return;
	int32_t pid;
	uint32_t count;	   /* of places */
	uint32_t cores;	   /* OPEN: on which the target may allocate at the same time */
	uint32_t has_kept; /* OPEN: places for WINDOW have stayed */
	uint64_t last_ns;  /* OPEN: patience. SAMPLE: how long */
	uint64_t most;	   /* SAMPLE: hits */
	char path[PATH_MAX];
	uint64_t
		words[2 * SITES_MAX]; /* @count offsets, then @count cookies: only these are sent */
};

struct links_answer {
	int32_t result; /* 0 or negative errno */
	uint32_t held;	/* links and perf events now */
	uint64_t at_ns; /* OPEN: records count from then on */
};

static inline size_t links_request_size(const struct links_request *request)
{
	return offsetof(struct links_request, words) + 2 * sizeof(uint64_t) * request->count;
}
