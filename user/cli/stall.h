/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process can make those wait for ever that read it (userfaultfd, a file system of its own): no
 * signal with a handler ends such a call. A thread looks at the others, and ends the program with
 * one line where one of them hangs.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

/* So long may one call take; after Ctrl-C, STALL_INTERRUPTED_NS. */
#define STALL_NS 30000000000ull
#define STALL_INTERRUPTED_NS 1000000000ull
#define STALL_NEVER UINT64_MAX /* nor after Ctrl-C, which is only a key then */

/* From here on, until the program ends. @pid: whom to name; 0: nobody. 0 or negative errno. */
int stall_watch(pid_t pid, uint64_t limit_ns);

/* Other values for what stall_watch() was given. */
void stall_change(pid_t pid, uint64_t limit_ns);

/* The user has quit: what hangs is given up soon, and an interrupt before was no reason to die of
 * it. */
void stall_quit(void);
