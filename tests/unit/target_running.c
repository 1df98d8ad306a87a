/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "target/running.h"

static void our_own_delay_never_shrinks(void **state)
{
	uint64_t before, after;
	int r = running_delay(getpid(), &before);

	if (r == -ENOTSUP)
		skip();
	assert_int_equal(r, 0);
	for (volatile int i = 0; i < 1000000; i++)
		;
	assert_int_equal(running_delay(getpid(), &after), 0);
	assert_true(after >= before);
}

static void who_is_gone_has_none(void **state)
{
	uint64_t ns = 7;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	assert_int_equal(running_delay(pid, &ns), -ESRCH);
	assert_int_equal(ns, 7);
}

/* A child that does what a byte says, and answers when it is done. */
struct child {
	pid_t pid;
	int fd;
	struct process *proc;
};

static void *end_at_once(void *arg)
{
	return arg;
}

static void serve(int fd)
{
	pthread_t thread;
	char what;

	while (read(fd, &what, 1) == 1) {
		if (what == 't' && !pthread_create(&thread, NULL, end_at_once, NULL))
			pthread_join(thread, NULL);
		if (write(fd, &what, 1) != 1)
			break;
	}
	_exit(0);
}

static void start(struct child *child)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	child->pid = fork();
	if (!child->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(fds[0]);
		serve(fds[1]);
	}
	close(fds[1]);
	child->fd = fds[0];
	assert_int_equal(process_open(child->pid, &child->proc, NULL), 0);
}

static void finish(struct child *child)
{
	close(child->fd);
	kill(child->pid, SIGKILL);
	waitpid(child->pid, NULL, 0);
	process_freep(&child->proc);
}

/* Answers, and is back in its read(). */
static void ask(struct child *child, char what)
{
	assert_int_equal(write(child->fd, &what, 1), 1);
	assert_int_equal(read(child->fd, &what, 1), 1);
	while (process_state(child->proc) != 'S')
		usleep(1000);
}

static void who_sleeps_stays_the_same(void **state)
{
	struct running before, after;
	struct child child;
	bool same = false;
	int r;

	start(&child);
	ask(&child, 'x');
	r = running_read(child.proc, &before);
	/* It may be still on its way to sleep. */
	for (int i = 0; !r && i < 200 && !same; i++) {
		usleep(20000);
		assert_int_equal(running_read(child.proc, &after), 0);
		same = running_is_same(&before, &after);
		before = after;
	}
	finish(&child);
	if (r == -ENOTSUP)
		skip();
	assert_int_equal(r, 0);
	assert_true(same);
}

static void whoever_runs_changes(void **state)
{
	static const char what[] = "xtxt";
	struct running before, after;
	struct child child;
	int r;

	start(&child);
	ask(&child, 'x');
	r = running_read(child.proc, &before);
	for (size_t i = 0; !r && i < sizeof(what) - 1; i++) {
		ask(&child, what[i]);
		assert_int_equal(running_read(child.proc, &after), 0);
		assert_false(running_is_same(&before, &after));
		before = after;
	}
	finish(&child);
	if (r == -ENOTSUP)
		skip();
	assert_int_equal(r, 0);
}

static void whoever_spins_changes(void **state)
{
	_cleanup_process_ struct process *self = NULL;
	struct running before, after;

	assert_int_equal(process_open(getpid(), &self, NULL), 0);
	if (running_read(self, &before) == -ENOTSUP)
		skip();
	assert_int_equal(running_read(self, &after), 0);
	assert_false(running_is_same(&before, &after));
}

static void its_clock_never_overtakes_the_wall(void **state)
{
	struct running_delays delays = { 0 };
	uint64_t first = running_clock(&delays, getpid(), 1000), later;

	assert_int_equal(first, 1000);
	/* All the delay that there ever was counts at most as the time since the last reading. */
	delays.delay_ns = 0;
	later = running_clock(&delays, getpid(), 3000);
	assert_true(later >= 1000 && later <= 3000);
	assert_int_equal(later, 3000 - delays.waited_ns);
}

/* All that our threads ever ran and waited, in a quarter of that time: four want to run at once,
 * and the average one waits for a quarter. */
static void threads_wait_on_average(void **state)
{
	struct running_delays delays = { 0 };
	uint64_t total, waited;

	for (volatile int i = 0; i < 20000000; i++)
		;
	running_clock(&delays, getpid(), 1000);
	total = delays.delay_ns + delays.ran_ns;
	waited = delays.delay_ns;
	delays.delay_ns = delays.ran_ns = 0;
	running_clock(&delays, getpid(), 1000 + total / 4);
	assert_true(delays.waited_ns <= waited / 4 + waited / 20 + 1000000);
	assert_true(delays.waited_ns >= waited / 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_own_delay_never_shrinks),
		cmocka_unit_test(who_is_gone_has_none),
		cmocka_unit_test(who_sleeps_stays_the_same),
		cmocka_unit_test(whoever_runs_changes),
		cmocka_unit_test(whoever_spins_changes),
		cmocka_unit_test(its_clock_never_overtakes_the_wall),
		cmocka_unit_test(threads_wait_on_average),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
