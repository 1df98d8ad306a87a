/* SPDX-License-Identifier: BSD-2-Clause */
#include "target/rundelay.h"

#include "base/cleanup.h"
#include "base/util.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define THREADS_MAX 64

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* Documentation/scheduler/sched-stats.rst: time on a CPU, time waiting for one, in ns, time slices.
 */
static bool read_thread(pid_t pid, const char *tid, uint64_t *ret_ns)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[64];
	uint64_t ran;

	snprintf(path, sizeof(path), "/proc/%d/task/%.16s/schedstat", pid, tid);
	f = fopen(path, "re");
	return f && fscanf(f, "%" SCNu64 " %" SCNu64, &ran, ret_ns) == 2;
}

int rundelay_read(pid_t pid, uint64_t *ret_ns)
{
	cleanup(close_dir) DIR *dir = NULL;
	const struct dirent *entry;
	uint64_t sum = 0, waited;
	char path[32];
	int seen = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		return -ESRCH;
	for (int i = 0; i < THREADS_MAX && (entry = readdir(dir));) {
		if (entry->d_name[0] == '.')
			continue;
		i++;
		if (!read_thread(pid, entry->d_name, &waited))
			continue;
		sum += waited;
		seen++;
	}
	if (!seen)
		return -ENOTSUP;
	*ret_ns = sum;
	return 0;
}
