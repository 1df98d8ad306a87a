/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/interrupt.h"

#include "base/util.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static const int signals[] = { SIGINT, SIGTERM, SIGHUP };

static volatile bool flag;
static volatile sig_atomic_t count, last = SIGINT;

static void on_signal(int number)
{
	flag = true;
	last = number;
	count++;
}

void interrupt_install(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		struct sigaction old;

		/* Started in the background or under nohup: what the parent ignores stays ignored.
		 */
		if (!sigaction(signals[i], NULL, &old) && old.sa_handler != SIG_IGN)
			sigaction(signals[i], &action, NULL);
	}
	sigaction(SIGPIPE, &ignore, NULL);
}

const volatile bool *interrupt_flag(void)
{
	return &flag;
}

void interrupt_clear(void)
{
	flag = false;
}

bool interrupt_waits(void)
{
	sigset_t pending;

	sigpending(&pending);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		if (sigismember(&pending, signals[i]) != 1)
			continue;
		last = signals[i];
		return true;
	}
	return false;
}

unsigned int interrupt_count(void)
{
	return (unsigned int)count;
}

void interrupt_die(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t one;

	sigemptyset(&one);
	sigaddset(&one, last);
	sigaction(last, &action, NULL);
	/* Threads of ours have all signals blocked. */
	pthread_sigmask(SIG_UNBLOCK, &one, NULL);
	raise(last);
	_exit(128 + last);
}
