/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may see what. */
#pragma once

#include "target/process.h"

#include <stdbool.h>
#include <sys/types.h>

/* Who is at the other end of a connection. */
struct access_peer {
	pid_t pid;
	uid_t uid;
	gid_t gid;
};

/* As it was when the peer connected: SO_PEERCRED. 0 or negative errno. */
int access_read_peer(int fd, struct access_peer *ret);

/*
 * Whether @peer may see what is inside @proc, at this moment: root may; others where the kernel
 * would let them read its memory by themselves, which is where all user and group IDs of the
 * process are the peer's own and the process has not been made undumpable (it changed its IDs, or
 * asked for that). Any doubt is a no.
 */
bool access_allows(const struct access_peer *peer, const struct process *proc);
