/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "target/children.h"

static bool has(const pid_t *list, size_t count, pid_t pid)
{
	for (size_t i = 0; i < count; i++) {
		if (list[i] == pid)
			return true;
	}
	return false;
}

/* A child with a child of its own, whose names try to look like more fields. */
static void family(void **state)
{
	pid_t child, grandchild = 0, found[16];
	int ready[2];
	size_t count;

	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (!child) {
		prctl(PR_SET_NAME, ") S 1 1 (");
		grandchild = fork();
		if (grandchild && write(ready[1], &grandchild, sizeof(grandchild)) < 0)
			_exit(1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &grandchild, sizeof(grandchild)), sizeof(grandchild));
	assert_int_equal(children_find(getpid(), found, 16, &count), 0);
	assert_int_equal(count, 2);
	assert_int_equal(found[0], child);
	assert_int_equal(found[1], grandchild);
	assert_int_equal(children_find(getpid(), found, 1, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(children_find(getppid(), found, 16, &count), 0);
	assert_true(has(found, count, getpid()));
	kill(grandchild, SIGKILL);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(ready[0]);
	close(ready[1]);
}

static void *fork_one(void *arg)
{
	pid_t *child = arg;

	*child = fork();
	if (!*child) {
		pause();
		_exit(0);
	}
	return NULL;
}

/* Of whichever thread: also of one that has ended since. */
static void of_another_thread(void **state)
{
	pid_t child, found[4];
	pthread_t thread;
	size_t count;

	assert_int_equal(pthread_create(&thread, NULL, fork_one, &child), 0);
	pthread_join(thread, NULL);
	assert_int_equal(children_find(getpid(), found, 4, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(found[0], child);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_int_equal(children_find(getpid(), found, 4, &count), 0);
	assert_int_equal(count, 0);
}

static void nobody(void **state)
{
	pid_t found[4];
	size_t count = 7;

	assert_int_equal(children_find(2000000000, found, 4, &count), 0);
	assert_int_equal(count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(family),
		cmocka_unit_test(of_another_thread),
		cmocka_unit_test(nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
