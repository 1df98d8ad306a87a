/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/links_process.h"

#include "base/cleanup.h"
#include "base/util.h"
#include "probe/links_hold.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define NAME "pymemtop-links"
#define PRIORITY (-15)
#define STOP_TRIES 2000
#define FILES_MOST 65536

static struct {
	pthread_mutex_t lock;
	pid_t pid; /* ours to wait for; 0: none */
	int control;
} process = { .lock = PTHREAD_MUTEX_INITIALIZER, .control = -1 };

/* What `ps` shows of us: over the arguments that we were started with, which lie in a row. */
static void rename_self(void)
{
	char *args = program_invocation_name, text[4096];
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text));

	if (fd >= 0)
		close(fd);
	prctl(PR_SET_NAME, NAME);
	if (n <= 1 || !args || memcmp(args, text, strnlen(text, (size_t)n)))
		return;
	memset(args, 0, (size_t)n);
	memcpy(args, NAME, MIN(sizeof(NAME), (size_t)n) - 1);
}

/* Whoever reads what pymemtop writes shall see its end when it ends. */
static void close_others(int *control)
{
	struct rlimit limit = { .rlim_cur = FILES_MOST };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd < 3; fd++)
		if (fd != *control)
			null < 0 ? close(fd) : dup2(null, fd);
	if (*control != 3) {
		dup3(*control, 3, O_CLOEXEC);
		*control = 3;
	}
	if (!syscall(SYS_close_range, 4, ~0u, 0))
		return;
	getrlimit(RLIMIT_NOFILE, &limit); /* before 5.9 */
	for (int fd = 4; fd < (int)MIN(limit.rlim_cur, (rlim_t)FILES_MOST); fd++)
		close(fd);
}

/* On old kernels each place has one or two. */
static void raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void __attribute__((noreturn)) live(int control)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	close_others(&control);
	raise_files();
	rename_self();
	/* A window is closed by who is late for it: see docs/overhead.md. It sleeps nearly all of
	 * the time, and nice values say nothing between sessions (kernel/sched/autogroup.c). */
	if (sched_setscheduler(0, SCHED_RR, &(struct sched_param){ .sched_priority = 1 }))
		setpriority(PRIO_PROCESS, 0, PRIORITY);
	links_hold_serve(control);
	_exit(0);
}

static void reap(void)
{
	while (process.pid && waitpid(process.pid, NULL, 0) < 0 && errno == EINTR)
		;
	process.pid = 0;
	cleanup_close(&process.control);
}

static int start(void)
{
	int pair[2];
	pid_t pid;

	if (process.pid && waitpid(process.pid, NULL, WNOHANG) == process.pid) {
		process.pid = 0;
		cleanup_close(&process.control);
	}
	if (process.pid)
		return process.control;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	pid = fork();
	if (pid < 0) {
		int r = -errno;

		close(pair[0]);
		close(pair[1]);
		return r;
	}
	if (!pid)
		live(pair[1]);
	close(pair[1]);
	process.pid = pid;
	process.control = pair[0];
	return process.control;
}

int links_process_start(void)
{
	int r;

	pthread_mutex_lock(&process.lock);
	r = start();
	pthread_mutex_unlock(&process.lock);
	return r;
}

void links_process_lost(int control)
{
	pthread_mutex_lock(&process.lock);
	if (process.pid && process.control == control)
		reap();
	pthread_mutex_unlock(&process.lock);
}

void links_process_wake(void)
{
	pthread_mutex_lock(&process.lock);
	if (process.pid)
		kill(process.pid, SIGCONT);
	pthread_mutex_unlock(&process.lock);
}

void links_process_stop(void)
{
	const struct timespec nap = { .tv_nsec = 1000000 };

	pthread_mutex_lock(&process.lock);
	cleanup_close(&process.control);
	for (int i = 0; process.pid && i < STOP_TRIES; i++) {
		kill(process.pid, SIGCONT);
		if (waitpid(process.pid, NULL, WNOHANG))
			process.pid = 0;
		else
			nanosleep(&nap, NULL);
	}
	process.pid = 0;
	pthread_mutex_unlock(&process.lock);
}
