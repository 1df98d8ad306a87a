/* SPDX-License-Identifier: BSD-2-Clause */
/* What this kernel and our rights allow, found by trying, with the fix for each "no". */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum feature {
	FEATURE_BPF,		/* bpf(2) may be used at all */
	FEATURE_BTF,		/* /sys/kernel/btf/vmlinux */
	FEATURE_RING,		/* memory that programs and we share, 5.5 */
	FEATURE_FETCH,		/* atomic additions that tell what was there before, 5.12 */
	FEATURE_COOKIE,		/* bpf_get_attach_cookie() in such programs, 5.15 */
	FEATURE_UPROBE_PERF,	/* perf events on a place in a file */
	FEATURE_UPROBE_MULTI,	/* one link for many places, for one process; 6.6 */
	FEATURE_UPROBE_THREADS, /* ... and for all its threads; 6.10 */
	FEATURE_COUNT,
};

struct feature_result {
	const char *name; /* "uprobe_multi" */
	bool works;
	bool required;	 /* without it there are no events at all */
	int error;	 /* positive errno of the try; 0 */
	const char *fix; /* NULL where it works */
};

/* Tried once, then remembered. @which < FEATURE_COUNT. */
const struct feature_result *features_get(enum feature which);
