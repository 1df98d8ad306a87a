/* SPDX-License-Identifier: BSD-2-Clause */
/* When a process ran, as the scheduler knows it. */
#pragma once

#include "target/process.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * How long it was ready to run while others had the CPUs: sum over its threads that live, at most
 * 64 of them, in ns: what the kernel calls run delay. It goes down when a thread ends. 0, -ESRCH,
 * -ENOTSUP (a kernel without CONFIG_SCHED_INFO).
 */
int running_delay(pid_t pid, uint64_t *ret_ns);

/* Of one process, as it was last read. */
struct running_delays {
	uint64_t delay_ns, ran_ns, at_ns; /* ran: on CPUs, the sum over the same threads */
	uint64_t waited_ns;		  /* of it what was between two readings */
};

/*
 * A clock that stands still while the process is ready to run and others have the CPUs: on a busy
 * machine its own time is what it must not lose too much of. Where it sleeps the clock goes on.
 * Where several threads want to run at the same time it goes as the average of theirs.
 */
uint64_t running_clock(struct running_delays *delays, pid_t pid, uint64_t now_ns);

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
