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

static void our_own_cpu_time_grows(void **state)
{
	uint64_t before = running_cpu(getpid());

	for (volatile int i = 0; i < 10000000; i++)
		;
	assert_true(before > 0);
	assert_true(running_cpu(getpid()) > before);
}

static void waiting_for_a_cpu_is_known(void **state)
{
	uint64_t waited = UINT64_MAX, slices = 0;
	int r = running_waited(getpid(), 64, &waited, &slices);

	assert_true(!r || r == -ENOTSUP);
	if (!r)
		assert_true(waited < 1ull << 60 && slices > 0);
}

static void who_runs_has_a_cpu(void **state)
{
	cpu_set_t cpus;

	assert_int_equal(running_cpus(getpid(), 8, &cpus), 0);
	assert_true(CPU_COUNT(&cpus) >= 1); /* we are running */
	assert_int_equal(running_cpus(getpid(), 0, &cpus), 0);
	assert_int_equal(CPU_COUNT(&cpus), 0);
}

static void who_is_gone_has_none(void **state)
{
	pid_t pid = fork();
	cpu_set_t cpus;

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	assert_int_equal(running_cpu(pid), 0);
	assert_int_equal(running_cpus(pid, 8, &cpus), -ESRCH);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waiting_for_a_cpu_is_known),
		cmocka_unit_test(our_own_cpu_time_grows),
		cmocka_unit_test(who_runs_has_a_cpu),
		cmocka_unit_test(who_is_gone_has_none),
		cmocka_unit_test(who_sleeps_stays_the_same),
		cmocka_unit_test(whoever_runs_changes),
		cmocka_unit_test(whoever_spins_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
