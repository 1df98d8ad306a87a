/* SPDX-License-Identifier: BSD-2-Clause */
/* Links between a BPF program and places in a file, in as few system calls as the kernel allows. */
#pragma once

#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* BPF_TRACE_UPROBE_MULTI of linux/bpf.h (6.6), which Debian 12's headers do not have. */
#define LINKS_UPROBE_MULTI 48

struct links_target {
	const char *path;
	pid_t pid; /* multi: only this address space; 0: everybody */
	bool is_return;
};

struct links {
	int *multi; /* file descriptors */
	size_t multi_count;
	struct bpf_link **perf; /* owned */
	size_t perf_count;
};

/*
 * Attaches @prog (loaded with expected attach type LINKS_UPROBE_MULTI) at all @offsets of a file in
 * one call. Returns a file descriptor, owned by the caller: closing it detaches. Or negative errno.
 */
int links_multi(const struct bpf_program *prog, const struct links_target *target,
		const uint64_t *offsets, const uint64_t *cookies, size_t count);

/* Adds a multi link to @links. 0 or negative errno. */
int links_add_multi(struct links *links, const struct bpf_program *prog,
		    const struct links_target *target, const uint64_t *offsets,
		    const uint64_t *cookies, size_t count);

/* The same with one perf event each: for kernels before 6.6. Its process is that of the target: the
 * kernel then keeps the breakpoints to that address space, and its program runs in all threads
 * there (kernel/trace/trace_uprobe.c, uprobe_perf_filter()). */
int links_add_perf(struct links *links, const struct bpf_program *prog,
		   const struct links_target *target, const uint64_t *offsets,
		   const uint64_t *cookies, size_t count);

/* Detaches all. When this returns no program runs any more. */
void links_clear(struct links *links);
