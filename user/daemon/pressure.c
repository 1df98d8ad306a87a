/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/pressure.h"

#include "base/util.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <sys/stat.h>

#define DEPTH_MAX 64

/* One version of cgroups. */
struct version {
	const char *controller; /* of /proc/PID/cgroup, with its colons */
	const char *folder;	/* below the mount point, where not empty; tried in this order */
	const char *usage, *limit, *inactive;
};

/* Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst. */
static const struct version versions[] = {
	{ ":memory:", "/memory", "memory.usage_in_bytes", "memory.limit_in_bytes",
	  "total_inactive_file " },
	{ "0::", "", "memory.current", "memory.max", "inactive_file " },
	{ "0::", "/unified", "memory.current", "memory.max", "inactive_file " },
};

/* A file with one number; "max" and what is not a number are -1. */
static double read_number(const char *folder, const char *name)
{
	char path[PATH_MAX];
	_cleanup_fclose_ FILE *file = NULL;
	unsigned long long value;

	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path))
		return -1;
	file = fopen(path, "re");
	return file && fscanf(file, "%llu", &value) == 1 ? (double)value : -1;
}

static double read_inactive(const char *folder, const char *key)
{
	char path[PATH_MAX], line[256];
	_cleanup_fclose_ FILE *file = NULL;
	unsigned long long value;

	if (snprintf(path, sizeof(path), "%s/memory.stat", folder) >= (int)sizeof(path))
		return 0;
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, key, strlen(key)) == 0 &&
		    sscanf(line + strlen(key), "%llu", &value) == 1)
			return (double)value;
	}
	return 0;
}

static double ratio_of(const char *folder, const struct version *v)
{
	double usage = read_number(folder, v->usage), limit = read_number(folder, v->limit);

	/* Version 1 says "no limit" with the largest number of pages that there is. */
	if (usage < 0 || limit <= 0 || limit >= (double)(INT64_MAX / 2))
		return NAN;
	return MAX(usage - read_inactive(folder, v->inactive), 0.0) / limit;
}

/* The cgroup and all above it. */
static double worst_ratio(char *folder, size_t root_len, const struct version *v)
{
	double worst = NAN;

	for (int depth = 0; depth < DEPTH_MAX; depth++) {
		double ratio = ratio_of(folder, v);
		char *slash;

		if (isnan(worst) || ratio > worst)
			worst = isnan(ratio) ? worst : ratio;
		slash = strrchr(folder, '/');
		if (!slash || (size_t)(slash - folder) < root_len)
			break;
		*slash = '\0';
	}
	return worst;
}

/* The path behind @controller in the text, up to the end of its line; length 0: there is none. */
static const char *find_path(const char *cgroup, const char *controller, size_t *len)
{
	for (const char *line = cgroup; line && *line;) {
		const char *at = strstr(line, controller), *end = strchrnul(line, '\n');

		if (at && at < end && (controller[0] == ':' || at == line)) {
			at += strlen(controller);
			*len = (size_t)(end - at);
			return at;
		}
		line = *end ? end + 1 : NULL;
	}
	*len = 0;
	return NULL;
}

double pressure_of_cgroup(const char *cgroup, const char *mount)
{
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		const struct version *v = &versions[i];
		char folder[PATH_MAX];
		size_t len, root_len = strlen(mount) + strlen(v->folder);
		const char *path = find_path(cgroup, v->controller, &len);
		double worst;

		/* A path with ".." is that of a cgroup outside our cgroup namespace. */
		if (!path || !len || memmem(path, len, "/..", 3))
			continue;
		if (snprintf(folder, sizeof(folder), "%s%s%.*s", mount, v->folder, (int)len,
			     path) >= (int)sizeof(folder))
			continue;
		worst = worst_ratio(folder, root_len, v);
		if (!isnan(worst))
			return worst;
	}
	return NAN;
}

double pressure_read(const struct process *proc, const char *mount)
{
	_cleanup_free_ char *cgroup = NULL;
	size_t len;

	if (process_read_file(proc, "cgroup", 64 * KiB, &cgroup, &len))
		return NAN;
	return pressure_of_cgroup(cgroup, mount);
}
