/* SPDX-License-Identifier: BSD-2-Clause */
/* What this kernel can do that others cannot, and what it wants for it. */
#pragma once

#include <stdbool.h>

enum kernel_ability {
	KERNEL_COOKIE, /* bpf_get_attach_cookie() in such programs, 5.15 */
	KERNEL_FETCH,  /* an atomic addition that tells what was there before, 5.12 */
	KERNEL_ABILITIES,
};

/* 0, or a positive errno: EINVAL where the kernel does not know it, EPERM without rights. Tried
 * once, then remembered. */
int kernel_try(enum kernel_ability which);

/* True also where it could not be tried for lack of rights: what comes next then says so. */
bool kernel_has(enum kernel_ability which);

/*
 * Kernels of Debian and Ubuntu open a perf event for CAP_SYS_ADMIN only, whatever CAP_PERFMON says,
 * where kernel.perf_event_paranoid is above 2, as it is by default. True where that is so for us
 * now.
 */
bool kernel_refuses_perf(void);

/* Probes are perf events here: there is no uprobe_multi that sees all threads of a process. */
bool kernel_needs_perf(void);

/* "run as root, or ...": what who may not attach probes here should do. */
const char *kernel_rights_fix(void);
