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
	double turn_ns; /* what a program that runs loses of its time to the attaching, or the
			   detaching, of one site */
};

/*
 * Probes an instruction of our own code and runs over it some 10,000 times; about 50 ms. -EPERM,
 * -ENOTSUP as session_new(). @link: AUTO takes the best that works.
 */
int cost_measure(enum session_link link, struct cost *ret, struct error *err);

/* The same, but what was measured less than a minute ago by this process stands. */
int cost_recall(enum session_link link, struct cost *ret, struct error *err);

/*
 * Linux 6.11 made the return of a probed function a system call (x86-64), which a seccomp filter
 * then judged: it ended the process, until "seccomp: passthrough uretprobe systemcall without
 * filtering" (6.14, and wherever that went). Where @proc is under seccomp this is tried on a child
 * of ours first. 0; -ENOTSUP with EXIT_UNSUPPORTED where the child ended of it; other negative
 * errno where it could not be tried.
 */
int cost_check_seccomp(const struct process *proc, enum session_link link, struct error *err);

/*
 * What an allocation or a free of what @plan listens to costs a real program, on average. That is
 * more than over and over in our own loop, where all that the kernel needs stays in the caches: see
 * docs/overhead.md.
 */
double cost_hit_ns(const struct cost *cost, const struct plan *plan);

/* What a hit of @site costs our own loop. */
double cost_site_ns(const struct cost *cost, const struct site *site);

/*
 * Where pools are opened: the dearest of those places, as which of them a target passes is not
 * known. 0: there are none.
 */
double cost_opening_ns(const struct cost *cost, const struct plan *plan);

/* How long hits go on while a window with so many sites closes, before one was closed. */
uint64_t cost_exit_ns(const struct cost *cost, size_t sites);

/* What opening such a window, or closing it, costs a program that runs: it is interrupted for each
 * site. */
double cost_turn_ns(const struct cost *cost, size_t sites);
