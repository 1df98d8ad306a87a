/* SPDX-License-Identifier: BSD-2-Clause */
/* How near a process is to the memory limit of its cgroup, and so to the OOM killer. */
#pragma once

#include "target/process.h"

/* Of the limit; a snapshot is due above the first, and due again once it was below the second. */
#define PRESSURE_HIGH 0.90
#define PRESSURE_LOW 0.80

/*
 * Working set over limit, the worst of the cgroup and those it is in; cache that the kernel can
 * take back (inactive files) does not count. NAN where there is no limit, or none that we can see.
 * @mount: where cgroup file systems are, "/sys/fs/cgroup". Version 2 and the memory controller of
 * version 1.
 */
double pressure_read(const struct process *proc, const char *mount);

/* The same for the text of /proc/PID/cgroup. */
double pressure_of_cgroup(const char *cgroup, const char *mount);
