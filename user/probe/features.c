/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/features.h"

#include "base/util.h"
#include "probe/cost.h"
#include "probe/kernel.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <unistd.h>

/* Everything below returns 0 or a positive errno. */

static int try_bpf(void)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, NULL, 4, 8, 1, NULL);

	if (fd < 0)
		return -fd;
	close(fd);
	return 0;
}

static int try_btf(void)
{
	return access("/sys/kernel/btf/vmlinux", R_OK) ? errno : 0;
}

/* BPF_F_MMAPABLE arrays: the ring, and the counters. */
static int try_ring(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, NULL, 4, 8, 1, &opts);

	if (fd < 0)
		return -fd;
	close(fd);
	return 0;
}

static int try_cookie(void)
{
	return kernel_try(KERNEL_COOKIE);
}

static int try_fetch(void)
{
	return kernel_try(KERNEL_FETCH);
}

static int try_link(enum session_link link, struct cost *cost)
{
	int r = cost_measure(link, cost, NULL);

	return r < 0 ? -r : 0;
}

static int try_perf(void)
{
	struct cost cost;

	return try_link(SESSION_LINK_PERF, &cost);
}

static int try_multi(void)
{
	struct cost cost;

	return try_link(SESSION_LINK_MULTI, &cost);
}

static int try_threads(void)
{
	struct cost cost;
	int r = try_link(SESSION_LINK_MULTI, &cost);

	if (r)
		return r;
	return cost.address_space_filter ? 0 : ENOTSUP;
}

static const struct {
	const char *name;
	bool required;
	int (*try)(void);
	const char *fix;
} table[FEATURE_COUNT] = {
	[FEATURE_BPF] = { "bpf", true, try_bpf, NULL },
	[FEATURE_BTF] = { "btf", false, try_btf,
			  "a kernel built with CONFIG_DEBUG_INFO_BTF; without it nothing is lost "
			  "yet" },
	[FEATURE_RING] = { "shared memory", true, try_ring,
			   "Linux 5.5 or later; before that: --events off" },
	[FEATURE_FETCH] = { "atomic fetch", false, try_fetch,
			    "Linux 5.12 or later; without it free-threaded builds have no "
			    "events" },
	[FEATURE_COOKIE] = { "attach cookie", false, try_cookie,
			     "Linux 5.15 or later; without it a hit costs a little more" },
	[FEATURE_UPROBE_PERF] = { "uprobe", true, try_perf,
				  "a kernel built with CONFIG_UPROBE_EVENTS" },
	[FEATURE_UPROBE_MULTI] = { "uprobe_multi", false, try_multi,
				   "Linux 6.6 or later; without it each probe comes and goes by "
				   "itself, and windows are rarer" },
	[FEATURE_UPROBE_THREADS] = { "uprobe_multi for threads", false, try_threads,
				     "Linux 6.10 or later; without it perf-event links are used" },
};

const struct feature_result *features_get(enum feature which)
{
	static struct feature_result results[FEATURE_COUNT];
	struct feature_result *result = &results[which];
	int error;

	if (result->name)
		return result;
	error = table[which].try();
	*result = (struct feature_result){ .name = table[which].name,
					   .required = table[which].required,
					   .works = !error,
					   .error = error };
	if (error)
		result->fix = error == EPERM || error == EACCES ? kernel_rights_fix()
								: table[which].fix;
	return result;
}
