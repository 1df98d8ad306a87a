/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/interrupt.h"

static void signals_set_the_flag(void **state)
{
	unsigned int before = interrupt_count();

	/* A run in the background may have come with them ignored. */
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	interrupt_install();
	assert_false(*interrupt_flag());
	raise(SIGINT);
	assert_true(*interrupt_flag());
	interrupt_clear();
	assert_false(*interrupt_flag());
	raise(SIGTERM);
	assert_true(*interrupt_flag());
	assert_int_equal(interrupt_count(), before + 2);
	interrupt_clear();
}

static void closed_pipe_is_an_error_and_no_death(void **state)
{
	int fds[2];

	interrupt_install();
	assert_int_equal(pipe(fds), 0);
	close(fds[0]);
	assert_int_equal(write(fds[1], "x", 1), -1);
	assert_int_equal(errno, EPIPE);
	close(fds[1]);
}

static void dies_of_the_signal_that_came(void **state)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		interrupt_install();
		raise(SIGTERM);
		interrupt_die();
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGTERM);
}

static void ignored_stays_ignored(void **state)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		signal(SIGHUP, SIG_IGN);
		interrupt_install();
		raise(SIGHUP);
		_exit(*interrupt_flag() ? 1 : 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signals_set_the_flag),
		cmocka_unit_test(closed_pipe_is_an_error_and_no_death),
		cmocka_unit_test(dies_of_the_signal_that_came),
		cmocka_unit_test(ignored_stays_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
