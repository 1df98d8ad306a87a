/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who the target is. Identity is PID plus start time, and a pidfd is held for as long as we watch:
 * a reused PID is never mistaken for the process that was asked for.
 */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process {
	pid_t pid;		   /* in our PID namespace */
	pid_t ns_pid;		   /* in its own innermost namespace (NSpid of /proc/PID/status) */
	int pidfd;		   /* -1 where the kernel has no pidfd_open (before 5.3) */
	int proc_fd;		   /* /proc/PID directory, O_PATH: stays bound to this process */
	uint64_t start_time_ticks; /* field 22 of /proc/PID/stat, clock ticks since boot */
	uint64_t start_time_unix_ns;
	uint64_t start_stack; /* field 28; 0: not known */
	uid_t uid;	      /* effective */
	char comm[32];
	char *exe; /* link text of /proc/PID/exe, " (deleted)" removed; sanitised; "" when
		      unreadable */
	bool exe_deleted;
	char *cmdline;	    /* interpreter and script or module only; sanitised; never NULL */
	char *cmdline_full; /* all arguments, joined by spaces; may hold secrets; never NULL */
};

/*
 * Opens @pid. On failure *ret is untouched and @err says why: -ESRCH (EXIT_NO_PROCESS; kernel
 * threads and zombies too, by name), -EPERM (EXIT_NO_PERMISSION, with the fix).
 */
int process_open(pid_t pid, struct process **ret, struct error *err);

void process_free(struct process *proc);
DEFINE_CLEANUP(struct process, process_free)
#define _cleanup_process_ cleanup(process_freep)

/* True while this very process runs this very program (not a zombie, not a reused PID, no exec). */
bool process_is_alive(const struct process *proc);

/* It runs another program now, in memory of its own: the one that was opened has ended. */
bool process_has_execed(const struct process *proc);

/* The state letter of /proc/PID/stat: 'R', 'S', 'T' (stopped) ..., or 0 when it is gone. */
char process_state(const struct process *proc);

/* Opens /proc/PID/NAME read-only, bound to this process. fd or negative errno. */
int process_open_file(const struct process *proc, const char *name);

/*
 * The whole of /proc/PID/NAME, at most @max bytes (-E2BIG beyond), NUL-terminated behind @len.
 * Owned by the caller. Negative errno; -ESRCH when the process is gone.
 */
int process_read_file(const struct process *proc, const char *name, size_t max, char **ret,
		      size_t *len);

/* Fills @err for a target that we may not look into, with the fix. Returns -EPERM. */
int process_no_permission(const struct process *proc, const char *what, struct error *err);

/*
 * The interpreter and script or module of a command line: "python3 -m http.server", "python
 * app.py", "python -c ...": never the text after -c, never later arguments. @args: NUL-separated,
 * @len bytes.
 */
char *process_short_cmdline(const char *args, size_t len);
