/* SPDX-License-Identifier: BSD-2-Clause */
/* Gives up every right that watching does not need. For the whole process: call it before any
 * thread is made. */
#pragma once

#include "base/error.h"

/*
 * Room for descriptors, locked memory and the priority of pymemtop-links, which takes rights to
 * raise; done as far as it is allowed.
 */
void rights_raise_limits(void);

/*
 * Becomes @user (NULL: stays who we are) and keeps CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE of the
 * capabilities that we have, no others, in no set; no program that we start could have more, and
 * none can be started: seccomp refuses exec, ptrace, writing to other processes, mounts, modules,
 * namespaces. Kernels before 5.8 know no CAP_BPF: there CAP_SYS_ADMIN is kept in its place. Where
 * there shall be @probes and the kernel lets nobody else attach them (kernel_refuses_perf()),
 * CAP_SYS_ADMIN is kept too, until rights_settle(). -ENOENT for an unknown user (EXIT_USAGE),
 * -EPERM.
 */
int rights_drop(const char *user, bool probes, struct error *err);

/* Once pymemtop-links runs: no more than the three from now on. */
int rights_settle(struct error *err);

/* "cap_perfmon,cap_bpf,...": what is effective, for the log. Static. */
const char *rights_describe(void);
