/* SPDX-License-Identifier: BSD-2-Clause */
/* What a process is called in metrics: its service, and the pod and container that its cgroup
 * names. */
#pragma once

#include "target/process.h"

#define LABELS_MAX 128

struct labels {
	char service[LABELS_MAX];   /* systemd's unit, else script or module, else the executable;
				       never empty */
	char pod[LABELS_MAX];	    /* UID of the Kubernetes pod; empty: none */
	char container[LABELS_MAX]; /* its ID; empty: none */
};

/* @cgroup: the text of /proc/PID/cgroup. @cmdline: short, as in struct process. */
void labels_parse(const char *cgroup, const char *cmdline, struct labels *ret);

void labels_read(const struct process *proc, struct labels *ret);
