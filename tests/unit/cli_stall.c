/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "cli/interrupt.h"
#include "cli/stall.h"

#define LIMIT_NS 300000000ull
#define LONG_NS 60000000000ull

/* Runs @work in a child that is watched; its wait status. */
static int status_of(void (*work)(void), uint64_t limit_ns, int signal)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		close(STDERR_FILENO);
		if (signal)
			interrupt_install();
		if (stall_watch(getpid(), limit_ns))
			_exit(99);
		work();
		_exit(7);
	}
	if (signal) {
		usleep(200000);
		kill(pid, signal);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static char folder[] = "/tmp/pymemtop-stall-XXXXXX";

static int make_pipe(void **state)
{
	return !mkdtemp(folder) || chdir(folder) || mkfifo("pipe", 0600);
}

static int remove_pipe(void **state)
{
	return unlink("pipe") || rmdir(folder);
}

/* Opening a pipe that nobody writes to waits for ever, as reading a page that nobody fills. */
static void hang(void)
{
	while (openat(AT_FDCWD, "pipe", O_RDONLY) < 0)
		;
}

static void wait_for_nothing(void)
{
	char byte;
	int ends[2];

	alarm(2);
	if (signal(SIGALRM, SIG_DFL) == SIG_ERR || pipe(ends) || read(ends[0], &byte, 1) < 0)
		_exit(99);
}

static void be_busy(void)
{
	char byte[16];

	for (int i = 0; i < 200000; i++) {
		int fd = open("/proc/self/comm", O_RDONLY);

		if (read(fd, byte, sizeof(byte)) < 0)
			_exit(99);
		close(fd);
	}
}

static void a_call_that_never_returns_is_given_up(void **state)
{
	int status = status_of(hang, LIMIT_NS, 0);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EXIT_INTERNAL);
}

static void after_an_interrupt_at_once(void **state)
{
	int status = status_of(hang, LONG_NS, SIGINT);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGINT);
}

static void quit_and_hang(void)
{
	if (interrupt_count())
		_exit(98);
	while (!interrupt_count())
		usleep(10000);
	stall_quit();
	hang();
}

/* Ctrl-C is one way to quit the live view: no reason to die of it. */
static void who_has_quit_does_not_die_of_the_signal(void **state)
{
	int status = status_of(quit_and_hang, STALL_NEVER, SIGINT);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EXIT_INTERNAL);
}

static void hang_on(void)
{
	alarm(3);
	hang();
}

static void never_is_not_after_an_interrupt_either(void **state)
{
	int status = status_of(hang_on, STALL_NEVER, SIGINT);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGALRM);
}

/* A command may wait for what is written to it as long as it likes. */
static void waiting_for_input_is_no_hang(void **state)
{
	int status = status_of(wait_for_nothing, LIMIT_NS, 0);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGALRM);
}

static void many_calls_are_no_hang(void **state)
{
	int status = status_of(be_busy, LIMIT_NS, 0);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_that_never_returns_is_given_up),
		cmocka_unit_test(after_an_interrupt_at_once),
		cmocka_unit_test(who_has_quit_does_not_die_of_the_signal),
		cmocka_unit_test(never_is_not_after_an_interrupt_either),
		cmocka_unit_test(waiting_for_input_is_no_hang),
		cmocka_unit_test(many_calls_are_no_hang),
	};

	return cmocka_run_group_tests(tests, make_pipe, remove_pipe);
}
