/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "probe/links_process.h"

/* Our only child; 0: none. */
static pid_t child(void)
{
	char path[64], text[64];
	pid_t pid = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	f = fopen(path, "re");
	if (f && fgets(text, sizeof(text), f))
		pid = atoi(text);
	if (f)
		fclose(f);
	return pid;
}

/* What /proc/PID/@file begins with, once it is @expected, or 5 s later. */
static void wait_for(pid_t pid, const char *file, const char *expected)
{
	char path[64], text[64] = "";

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	for (int i = 0; i < 5000; i++) {
		FILE *f = fopen(path, "re");
		size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

		if (f)
			fclose(f);
		text[n] = '\0';
		if (!strncmp(text, expected, strlen(expected)))
			return;
		usleep(1000);
	}
	assert_string_equal(text, expected);
}

static void one_for_all(void **state)
{
	int control = links_process_start();
	pid_t pid = child();

	assert_true(control >= 0 && pid > 0);
	assert_int_equal(links_process_start(), control);
	assert_int_equal(child(), pid);
	wait_for(pid, "comm", "pymemtop-links\n");
	wait_for(pid, "cmdline", "pymemtop-links");
	assert_int_equal(getsid(pid), pid);
	links_process_stop();
	assert_int_equal(child(), 0);
	links_process_stop();
}

/* Signals that can be kept off are; one that stops it is undone. */
static void it_is_hard_to_disturb(void **state)
{
	pid_t pid;

	assert_true(links_process_start() >= 0);
	pid = child();
	wait_for(pid, "cmdline", "pymemtop-links");
	kill(pid, SIGTERM);
	kill(pid, SIGINT);
	kill(pid, SIGSTOP);
	assert_int_equal(waitpid(pid, NULL, WUNTRACED), pid);
	links_process_wake();
	kill(pid, SIGSTOP);
	links_process_stop();
	assert_int_equal(child(), 0);
}

/* Whoever was told that it is gone gets a new one, and no zombie stays. */
static void a_lost_one_is_replaced(void **state)
{
	int control = links_process_start();
	pid_t pid = child();

	assert_true(control >= 0);
	kill(pid, SIGKILL);
	links_process_lost(control);
	assert_int_equal(child(), 0);
	assert_true(links_process_start() >= 0);
	assert_int_not_equal(child(), pid);
	links_process_stop();
}

/* With the right to, which is a limit (setrlimit(2), RLIMIT_NICE) or CAP_SYS_NICE. */
static void it_has_priority(void **state)
{
	struct rlimit limit;

	if (geteuid() && (getrlimit(RLIMIT_NICE, &limit) || limit.rlim_cur < 35))
		skip();
	assert_true(links_process_start() >= 0);
	for (int i = 0; i < 5000 && getpriority(PRIO_PROCESS, (id_t)child()) != -15; i++)
		usleep(1000);
	errno = 0;
	if (getpriority(PRIO_PROCESS, (id_t)child()) != -15)
		skip(); /* root without CAP_SYS_NICE */
	assert_int_not_equal(getpriority(PRIO_PROCESS, 0), -15);
	links_process_stop();
}

/* Whoever reads what we write sees its end when we end: it holds none of our descriptors. */
static void it_holds_nothing_of_ours(void **state)
{
	struct pollfd end = { .events = POLLIN };
	int pipes[2];

	assert_int_equal(pipe(pipes), 0);
	assert_true(links_process_start() >= 0);
	wait_for(child(), "cmdline", "pymemtop-links");
	close(pipes[1]);
	end.fd = pipes[0];
	assert_int_equal(poll(&end, 1, 5000), 1);
	assert_true(end.revents & POLLHUP);
	close(pipes[0]);
	links_process_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_for_all),
		cmocka_unit_test(it_is_hard_to_disturb),
		cmocka_unit_test(a_lost_one_is_replaced),
		cmocka_unit_test(it_has_priority),
		cmocka_unit_test(it_holds_nothing_of_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
