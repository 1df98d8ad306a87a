/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "model/forked.h"

static pid_t start_child(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	assert_true(pid > 0);
	return pid;
}

static void stop_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void a_new_child_is_noticed_once(void **state)
{
	struct forked forked = { 0 };
	uint64_t now = FORKED_NS;
	pid_t first, second;

	assert_false(forked_look(&forked, getpid(), now));
	first = start_child();
	assert_true(forked_look(&forked, getpid(), now += FORKED_NS));
	assert_false(forked_look(&forked, getpid(), now += FORKED_NS));
	second = start_child();
	assert_false(forked_look(&forked, getpid(), now + 1)); /* too early to look again */
	assert_true(forked_look(&forked, getpid(), now += FORKED_NS));
	stop_child(first);
	assert_false(forked_look(&forked, getpid(), now += FORKED_NS));
	stop_child(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_child_is_noticed_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
