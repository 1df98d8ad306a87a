/* SPDX-License-Identifier: BSD-2-Clause */
/* When a process ran, as the scheduler knows it. */
#pragma once

#include "target/process.h"

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* CPU time of all its threads so far, the dead ones too, in ns; 0 where it is gone. */
uint64_t running_cpu(pid_t pid);

/* Time that its threads, of which there are no more than @max, have waited for a CPU, in ns, and
 * how often they got one. -E2BIG: there are more; -ESRCH; -ENOTSUP: the kernel does not say. */
int running_waited(pid_t pid, uint64_t max, uint64_t *ret_ns, uint64_t *ret_slices);

/* The CPUs on which threads of it run, or wait to: the first @max are looked at. A hint: they may
 * be elsewhere by now. 0 or -ESRCH. */
int running_cpus(pid_t pid, uint64_t max, cpu_set_t *ret);

/*
 * A mark that no process can pass without changing it: CPU time of all its threads, the dead ones
 * too, and how often each living one was given a CPU. Two equal marks: it has not executed one
 * instruction between them. Either alone would not do: a hypervisor's stolen time can swallow a
 * short run's CPU time, and a thread that stays on its CPU is not given it again.
 */
struct running {
	uint64_t cpu_ns;
	uint64_t threads, turns; /* turns: a hash over the threads */
};

/* 0, -ESRCH, -ENOTSUP as above, -E2BIG (too many threads to look at each). */
int running_read(const struct process *proc, struct running *ret);

static inline bool running_is_same(const struct running *a, const struct running *b)
{
	return a->cpu_ns == b->cpu_ns && a->threads == b->threads && a->turns == b->turns;
}
