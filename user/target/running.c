/* SPDX-License-Identifier: BSD-2-Clause */
#include "target/running.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/util.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define THREADS_MAX 1024

struct threads {
	uint64_t seen;
	uint64_t waited_ns, slices; /* for a CPU; how often it was had */
	uint64_t hash;		    /* of who they are, and of how long and how often each ran */
	bool more;		    /* than were looked at */
};

static void close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
	return (hash ^ word) * 0x9e3779b97f4a7c15ull ^ (hash >> 29);
}

/* Documentation/scheduler/sched-stats.rst: time on a CPU, time waiting for one, in ns, time slices.
 */
static void add_thread(void *arg, pid_t pid, const char *tid)
{
	struct threads *threads = arg;
	_cleanup_fclose_ FILE *f = NULL;
	uint64_t ran, waited, slices;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%.16s/schedstat", pid, tid);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%" SCNu64 " %" SCNu64 " %" SCNu64, &ran, &waited, &slices) != 3)
		return;
	threads->seen++;
	threads->waited_ns += waited;
	threads->slices += slices;
	threads->hash = mix(mix(mix(threads->hash, strtoull(tid, NULL, 10)), ran), slices);
}

/* 1: there are more than @max. */
static int each_thread(pid_t pid, uint64_t max, void (*fn)(void *arg, pid_t pid, const char *tid),
		       void *arg)
{
	cleanup(close_dir) DIR *dir = NULL;
	const struct dirent *entry;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		return -ESRCH;
	for (uint64_t i = 0; (entry = readdir(dir));) {
		if (entry->d_name[0] == '.')
			continue;
		if (i++ == max)
			return 1;
		fn(arg, pid, entry->d_name);
	}
	return 0;
}

static int read_threads(pid_t pid, uint64_t max, struct threads *ret)
{
	struct threads threads = { 0 };
	int r = each_thread(pid, max, add_thread, &threads);

	if (r < 0)
		return r;
	threads.more = r;
	if (!threads.seen)
		return -ENOTSUP;
	*ret = threads;
	return 0;
}

uint64_t running_cpu(pid_t pid)
{
	clockid_t clock;

	return clock_getcpuclockid(pid, &clock) ? 0 : clock_read(clock);
}

int running_waited(pid_t pid, uint64_t max, uint64_t *ret_ns, uint64_t *ret_slices)
{
	struct threads threads;
	int r = read_threads(pid, max, &threads);

	if (!r && threads.more)
		r = -E2BIG;
	if (!r) {
		*ret_ns = threads.waited_ns;
		*ret_slices = threads.slices;
	}
	return r;
}

int running_read(const struct process *proc, struct running *ret)
{
	struct threads threads;
	clockid_t clock;
	int r = read_threads(proc->pid, THREADS_MAX, &threads);

	if (!r && threads.more)
		r = -E2BIG;
	if (!r && (clock_getcpuclockid(proc->pid, &clock) || !process_is_alive(proc)))
		r = -ESRCH;
	if (!r)
		*ret = (struct running){ clock_read(clock), threads.seen, threads.hash };
	return r;
}

#define STAT_STATE 3
#define STAT_PROCESSOR 39

/* proc_pid_stat(5): the name in parentheses is the only field that may hold spaces. */
static void add_cpu(void *arg, pid_t pid, const char *tid)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[64], text[1024], *field, *save = NULL;
	size_t length;

	snprintf(path, sizeof(path), "/proc/%d/task/%.16s/stat", pid, tid);
	f = fopen(path, "re");
	length = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
	text[length] = '\0';
	field = strrchr(text, ')');
	field = field ? strtok_r(field + 1, " ", &save) : NULL;
	if (!field || *field != 'R')
		return;
	for (int i = STAT_STATE; field && i < STAT_PROCESSOR; i++)
		field = strtok_r(NULL, " ", &save);
	if (field)
		CPU_SET(strtoul(field, NULL, 10) % CPU_SETSIZE, (cpu_set_t *)arg);
}

int running_cpus(pid_t pid, uint64_t max, cpu_set_t *ret)
{
	int r;

	CPU_ZERO(ret);
	r = each_thread(pid, max, add_cpu, ret);
	return r < 0 ? r : 0;
}
