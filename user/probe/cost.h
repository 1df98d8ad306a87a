/* SPDX-License-Identifier: BSD-2-Clause */
/* What a hit costs on this machine, measured on ourselves before anything is attached to the
 * target. */
#pragma once

#include "base/error.h"
#include "probe/session.h"
#include "target/process.h"

#include <stdbool.h>

struct cost {
	double empty_ns; /* a program that does nothing */
	double alloc_ns; /* the real programs with their records */
	double free_ns;
	double page_ns;		   /* an allocation of which the size is read */
	double fresh_ns;	   /* at the return of a function, where pools are opened */
	double stepped_ns;	   /* at an instruction that the kernel single-steps */
	bool address_space_filter; /* a link for one process also sees its other threads (not so
				      in 6.6 to 6.9) */
	enum session_link link;	   /* with which it was measured */
	uint64_t close_ns;	   /* what it took to close one link */
};

/*
 * Probes an instruction of our own code and runs over it some 10,000 times; about 50 ms. -EPERM,
 * -ENOTSUP as session_new(). @link: AUTO takes the best that works.
 */
int cost_measure(enum session_link link, struct cost *ret, struct error *err);

/*
 * Linux 6.11 made the return of a probed function a system call (x86-64), which a seccomp filter
 * then judged: it ended the process, until "seccomp: passthrough uretprobe systemcall without
 * filtering" (6.14, and wherever that went). Where @proc is under seccomp this is tried on a child
 * of ours first. 0; -ENOTSUP with EXIT_UNSUPPORTED where the child ended of it; other negative
 * errno where it could not be tried.
 */
int cost_check_seccomp(const struct process *proc, enum session_link link, struct error *err);

/* Of an allocation and a free of what @plan listens to, on average. */
double cost_hit_ns(const struct cost *cost, const struct plan *plan);

/*
 * Where pools are opened: the dearest of those places, as which of them a target passes is not
 * known. 0: there are none.
 */
double cost_opening_ns(const struct cost *cost, const struct plan *plan);

/* How long opening and closing a window with so many sites will take, before one was opened. */
uint64_t cost_turn_ns(const struct cost *cost, size_t sites);
