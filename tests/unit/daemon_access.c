/* SPDX-License-Identifier: BSD-2-Clause */
/* Here with children of this process; tests/daemon/test_socket.py with other users' processes. */
#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/access.h"

#define SOMEBODY 12345

/* A child of that user and group, which can be looked into or not; it sleeps. */
static pid_t start(uid_t uid, gid_t gid, int dumpable)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		if (setresgid(gid, gid, gid) || setresuid(uid, uid, uid) ||
		    prctl(PR_SET_DUMPABLE, dumpable))
			_exit(1);
		if (write(ready[1], "r", 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void who_may(void **state)
{
	static const struct {
		uid_t uid;
		gid_t gid;
		int dumpable;
		struct access_peer peer;
		bool may;
	} cases[] = {
		{ SOMEBODY, SOMEBODY, 1, { .uid = SOMEBODY, .gid = SOMEBODY }, true },
		{ SOMEBODY, SOMEBODY, 1, { .uid = 0 }, true },
		{ SOMEBODY, SOMEBODY, 1, { .uid = SOMEBODY + 1, .gid = SOMEBODY }, false },
		{ SOMEBODY, SOMEBODY, 1, { .uid = SOMEBODY, .gid = SOMEBODY + 1 }, false },
		{ SOMEBODY, SOMEBODY, 0, { .uid = SOMEBODY, .gid = SOMEBODY }, false },
		{ SOMEBODY, SOMEBODY, 0, { .uid = 0 }, true },
		{ 0, 0, 1, { .uid = SOMEBODY, .gid = SOMEBODY }, false },
		{ 0, 0, 1, { .uid = SOMEBODY, .gid = 0 }, false },
	};

	if (geteuid())
		skip();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		pid_t pid = start(cases[i].uid, cases[i].gid, cases[i].dumpable);
		struct process *proc;

		assert_int_equal(process_open(pid, &proc, NULL), 0);
		assert_int_equal(access_allows(&cases[i].peer, proc), cases[i].may);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		/* What is gone is nobody's but root's. */
		assert_int_equal(access_allows(&cases[i].peer, proc), cases[i].peer.uid == 0);
		process_free(proc);
	}
}

static void peers(void **state)
{
	struct access_peer peer;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	assert_int_equal(access_read_peer(fds[0], &peer), 0);
	assert_int_equal(peer.pid, getpid());
	assert_int_equal(peer.uid, geteuid());
	assert_int_equal(peer.gid, getegid());
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(access_read_peer(-1, &peer), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_may),
		cmocka_unit_test(peers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
