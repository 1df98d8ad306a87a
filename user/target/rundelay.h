/* SPDX-License-Identifier: BSD-2-Clause */
/* How long a process was ready to run while others had the CPUs. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

/*
 * Sum over its threads that live, at most 64 of them, in ns: what the kernel calls run delay. It
 * goes down when a thread ends. 0, -ESRCH, -ENOTSUP (a kernel without CONFIG_SCHED_INFO).
 */
int rundelay_read(pid_t pid, uint64_t *ret_ns);
