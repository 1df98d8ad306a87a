/* SPDX-License-Identifier: BSD-2-Clause */
#include "target/running.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/util.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define DELAY_THREADS_MAX 64
#define THREADS_MAX 1024

struct threads {
	uint64_t seen, waited_ns, ran_ns;
	uint64_t hash; /* of who they are, and of how long and how often each ran */
	bool more;     /* than were looked at */
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
static void add_thread(struct threads *threads, pid_t pid, const char *tid)
{
	_cleanup_fclose_ FILE *f = NULL;
	uint64_t ran, waited, slices;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%.16s/schedstat", pid, tid);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%" SCNu64 " %" SCNu64 " %" SCNu64, &ran, &waited, &slices) != 3)
		return;
	threads->seen++;
	threads->waited_ns += waited;
	threads->ran_ns += ran;
	threads->hash = mix(mix(mix(threads->hash, strtoull(tid, NULL, 10)), ran), slices);
}

static int read_threads(pid_t pid, uint64_t max, struct threads *ret)
{
	cleanup(close_dir) DIR *dir = NULL;
	struct threads threads = { 0 };
	const struct dirent *entry;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		return -ESRCH;
	for (uint64_t i = 0; (entry = readdir(dir));) {
		if (entry->d_name[0] == '.')
			continue;
		threads.more = i++ == max;
		if (threads.more)
			break;
		add_thread(&threads, pid, entry->d_name);
	}
	if (!threads.seen)
		return -ENOTSUP;
	*ret = threads;
	return 0;
}

int running_delay(pid_t pid, uint64_t *ret_ns)
{
	struct threads threads;
	int r = read_threads(pid, DELAY_THREADS_MAX, &threads);

	if (!r)
		*ret_ns = threads.waited_ns;
	return r;
}

/* What the average thread waited of @elapsed: together they wanted to run for @waited + @ran. */
static uint64_t average_wait(uint64_t waited, uint64_t ran, uint64_t elapsed)
{
	double threads = elapsed ? (double)(waited + ran) / (double)elapsed : 1;

	return MIN((uint64_t)((double)waited / MAX(threads, 1.0)), elapsed);
}

uint64_t running_clock(struct running_delays *delays, pid_t pid, uint64_t now_ns)
{
	struct threads now;

	if (!read_threads(pid, DELAY_THREADS_MAX, &now)) {
		uint64_t ran = now.ran_ns > delays->ran_ns ? now.ran_ns - delays->ran_ns : 0;

		if (now.waited_ns > delays->delay_ns && delays->at_ns)
			delays->waited_ns += average_wait(now.waited_ns - delays->delay_ns, ran,
							  now_ns - delays->at_ns);
		delays->delay_ns = now.waited_ns;
		delays->ran_ns = now.ran_ns;
		delays->at_ns = now_ns;
	}
	return now_ns - delays->waited_ns;
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
