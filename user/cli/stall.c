/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/stall.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/util.h"
#include "cli/interrupt.h"
#include "tui/display.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>

#define LOOK_NS (250 * NSEC_PER_MSEC)
#define THREADS_MAX 8 /* of a command: itself, one more for the census, one for the events */

/* Where a thread is: the call and its arguments, and how often it has given up a CPU. */
struct place {
	char text[192];
	unsigned long switches;
};

struct watched {
	int tid;
	struct place place;
	uint64_t since;
};

/* Both are read by the thread. */
static pid_t named;
static uint64_t limit;
static bool quitting;

static int read_line(int tid, const char *name, const char *key, char *buf, size_t cap)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d/%s", tid, name);
	f = fopen(path, "re");
	while (f && fgets(buf, (int)cap, f)) {
		if (!strncmp(buf, key, strlen(key)))
			return 0;
	}
	return -1;
}

/* A descriptor of /proc/PID, whose files are read from the process itself. */
static bool is_proc(unsigned long fd)
{
	char path[48], target[16] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%lu", fd);
	return readlink(path, target, sizeof(target) - 1) > 6 && !strncmp(target, "/proc/", 6);
}

/* In a call that reads something of the process: not one that waits for its user or for us. */
static bool is_reading(const char *call)
{
	unsigned long number, fd;

	if (sscanf(call, "%lu %lx", &number, &fd) != 2)
		return false; /* "running" */
	switch (number) {
	case SYS_process_vm_readv:
	case SYS_pread64:
	case SYS_openat:
	case SYS_readlinkat:
	case SYS_newfstatat:
	case SYS_getdents64:
#ifdef SYS_readlink
	case SYS_readlink:
#endif
		return true;
	case SYS_read:
		return is_proc(fd);
	}
	return false;
}

static bool read_place(int tid, struct place *ret)
{
	static const char key[] = "voluntary_ctxt_switches:";
	struct place place = { 0 };
	char line[128];

	if (read_line(tid, "syscall", "", place.text, sizeof(place.text)) ||
	    !is_reading(place.text) || read_line(tid, "status", key, line, sizeof(line)))
		return false;
	place.switches = strtoul(line + sizeof(key) - 1, NULL, 10);
	*ret = place;
	return true;
}

static struct watched *find(struct watched *list, int tid)
{
	struct watched *unused = NULL;

	for (size_t i = 0; i < THREADS_MAX; i++) {
		if (list[i].tid == tid)
			return &list[i];
		if (!list[i].tid)
			unused = &list[i];
	}
	return unused;
}

/* For how long @tid has been in the call that it is in. */
static uint64_t look_at(struct watched *list, int tid, uint64_t now)
{
	struct watched *watched = find(list, tid);
	struct place place;

	if (!watched)
		return 0;
	if (!read_place(tid, &place)) {
		*watched = (struct watched){ 0 };
		return 0;
	}
	if (watched->tid != tid || watched->place.switches != place.switches ||
	    strcmp(watched->place.text, place.text))
		*watched = (struct watched){ tid, place, now };
	return now - watched->since;
}

static uint64_t longest(struct watched *list)
{
	uint64_t now = clock_monotonic(), most = 0;
	DIR *dir = opendir("/proc/self/task");

	for (const struct dirent *e; dir && (e = readdir(dir));) {
		int tid = (int)strtol(e->d_name, NULL, 10);
		uint64_t time = tid && tid != gettid() ? look_at(list, tid, now) : 0;

		most = MAX(most, time);
	}
	if (dir)
		closedir(dir);
	return most;
}

static bool is_interrupted(void)
{
	return interrupt_count() || interrupt_waits();
}

static void give_up(uint64_t after)
{
	char whom[32] = "the process";

	pid_t pid = __atomic_load_n(&named, __ATOMIC_RELAXED);

	if (pid)
		snprintf(whom, sizeof(whom), "pid %d", (int)pid);
	display_rescue();
	log_error("%s lets its readers hang (userfaultfd, or a file system that does not answer): "
		  "given up after %.0f s",
		  whom, (double)after / 1e9);
	if (is_interrupted() && !__atomic_load_n(&quitting, __ATOMIC_RELAXED))
		interrupt_die();
	_exit(EXIT_INTERNAL);
}

static void *stall_main(void *arg)
{
	struct watched list[THREADS_MAX] = { 0 };
	const struct timespec nap = { .tv_nsec = LOOK_NS };

	for (;;) {
		uint64_t time = longest(list), most = __atomic_load_n(&limit, __ATOMIC_RELAXED);

		if (most != STALL_NEVER && is_interrupted())
			most = MIN(STALL_INTERRUPTED_NS, most);
		if (time >= most)
			give_up(time);
		nanosleep(&nap, NULL);
	}
	return NULL;
}

void stall_change(pid_t pid, uint64_t limit_ns)
{
	__atomic_store_n(&named, pid, __ATOMIC_RELAXED);
	__atomic_store_n(&limit, limit_ns, __ATOMIC_RELAXED);
}

void stall_quit(void)
{
	__atomic_store_n(&quitting, true, __ATOMIC_RELAXED);
	__atomic_store_n(&limit, STALL_INTERRUPTED_NS, __ATOMIC_RELAXED);
}

int stall_watch(pid_t pid, uint64_t limit_ns)
{
	sigset_t all, old;
	pthread_t thread;
	int r;

	stall_change(pid, limit_ns);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = -pthread_create(&thread, NULL, stall_main, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!r)
		pthread_detach(thread);
	return r;
}
