/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which processes there are, as far as choosing among them needs it. Runs in a thread of the pool:
 * a process can make those hang that read its command line.
 */
#pragma once

#include "base/cleanup.h"
#include "daemon/threads.h"

#include <regex.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define SWEEP_MAX 65536
#define SWEEP_SKIP_MAX 64

struct sweep_entry {
	pid_t pid, parent;
	uid_t uid;
	uint64_t start_time_ticks;
	uint64_t cmdline_hash; /* of all arguments: they are not kept, they may hold secrets */
	bool matches;
};

struct sweep {
	struct threads_job job;	    /* first */
	const regex_t *match;	    /* NULL: nothing matches */
	pid_t skip[SWEEP_SKIP_MAX]; /* processes that are not looked at */
	size_t skip_count;
	_Atomic pid_t at;	     /* being looked at: whom to blame if this hangs */
	struct sweep_entry *entries; /* by PID */
	size_t count;
	int result; /* 0 or negative errno */
};

/* For threads_job. */
void sweep_run(struct threads_job *job);
void sweep_free(struct sweep *sweep);
DEFINE_CLEANUP(struct sweep, sweep_free)

const struct sweep_entry *sweep_find(const struct sweep *sweep, pid_t pid);

/* One process by itself. 0, or negative errno: -ESRCH for what is gone, a zombie or a kernel
 * thread. */
int sweep_process(pid_t pid, const regex_t *match, struct sweep_entry *ret);
