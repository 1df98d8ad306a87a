/* SPDX-License-Identifier: BSD-2-Clause */
/* What this kernel's BPF can do that others cannot: tried once, then remembered. */
#pragma once

#include <stdbool.h>

enum kernel_ability {
	KERNEL_COOKIE, /* bpf_get_attach_cookie() in such programs, 5.15 */
	KERNEL_FETCH,  /* an atomic addition that tells what was there before, 5.12 */
	KERNEL_ABILITIES,
};

/* 0, or a positive errno: EINVAL where the kernel does not know it, EPERM without rights. */
int kernel_try(enum kernel_ability which);

/* True also where it could not be tried for lack of rights: what comes next then says so. */
bool kernel_has(enum kernel_ability which);
