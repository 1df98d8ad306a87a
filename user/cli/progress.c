/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/progress.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

static const char *volatile pending;
static volatile sig_atomic_t visible;

/* Only what a signal handler may call. */
static void put(const char *text)
{
	static const char clear[] = "\r\033[K";
	size_t done = 0, len = strlen(text);

	if (write(STDERR_FILENO, clear, sizeof(clear) - 1) < 0)
		return;
	while (done < len) {
		ssize_t n = write(STDERR_FILENO, text + done, len - done);

		if (n <= 0)
			return;
		done += (size_t)n;
	}
	visible = 1;
}

void progress_show(const char *text)
{
	if (isatty(STDERR_FILENO))
		put(text);
}

static void on_alarm(int number)
{
	if (pending)
		put(pending);
}

static void set_alarm(time_t seconds)
{
	struct itimerval timer = { .it_value = { .tv_sec = seconds } };

	setitimer(ITIMER_REAL, &timer, NULL);
}

void progress_begin(const char *text)
{
	/* Restarts system calls: the work is not to notice. */
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };

	if (!isatty(STDERR_FILENO))
		return;
	pending = text;
	sigaction(SIGALRM, &action, NULL);
	set_alarm(1);
}

void progress_end(void)
{
	set_alarm(0);
	pending = NULL;
	if (visible)
		put("");
	visible = 0;
}
