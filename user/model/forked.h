/* SPDX-License-Identifier: BSD-2-Clause */
/* Notices the children that a process forks. Private to model/. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* How often to look, and how many are told apart. */
#define FORKED_NS 200000000ull
#define FORKED_MAX 256

struct forked {
	pid_t pids[FORKED_MAX]; /* as seen last */
	size_t count;
	uint64_t looked_ns;
};

/* True where @root has descendants that it had not at the call before. Looks every FORKED_NS, says
 * false between. */
bool forked_look(struct forked *forked, pid_t root, uint64_t now_ns);
