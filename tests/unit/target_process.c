/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"
#include "target/process.h"

static pid_t start_sleeper(void)
{
	pid_t child = fork();

	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	assert_true(child > 0);
	return child;
}

static void opens_ourselves(void **state)
{
	_cleanup_process_ struct process *proc = NULL;
	struct error err = { 0 };
	char exe[4096];
	ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	assert_int_equal(process_open(getpid(), &proc, &err), 0);
	assert_false(error_is_set(&err));
	exe[len] = '\0';
	assert_string_equal(proc->exe, exe);
	assert_false(proc->exe_deleted);
	assert_int_equal(proc->pid, getpid());
	assert_int_equal(proc->uid, geteuid());
	assert_true(proc->start_time_ticks > 0);
	assert_true(proc->start_time_unix_ns < clock_realtime());
	assert_true(clock_realtime() - proc->start_time_unix_ns < 600 * NSEC_PER_SEC);
	assert_non_null(strstr(proc->cmdline_full, "target_process"));
	assert_true(process_is_alive(proc));
	assert_int_equal(process_state(proc), 'R');
}

static void a_name_may_hold_anything(void **state)
{
	_cleanup_process_ struct process *plain = NULL, *odd = NULL;

	assert_int_equal(process_open(getpid(), &plain, NULL), 0);
	prctl(PR_SET_NAME, "a) Z 1 (2\n\xff");
	assert_int_equal(process_open(getpid(), &odd, NULL), 0);
	prctl(PR_SET_NAME, "target_process");
	assert_true(odd->start_time_ticks == plain->start_time_ticks);
	assert_non_null(strstr(odd->comm, "a) Z 1 (2"));
	assert_null(strchr(odd->comm, '\n'));
	assert_null(strchr(odd->comm, '\xff'));
}

static void sees_the_end(void **state)
{
	_cleanup_process_ struct process *proc = NULL;
	pid_t child = start_sleeper();
	char *text = NULL;
	size_t len;
	siginfo_t info;

	assert_int_equal(process_open(child, &proc, NULL), 0);
	assert_true(process_is_alive(proc));
	kill(child, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
	assert_false(process_is_alive(proc));
	assert_int_equal(process_state(proc), 'Z');
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_false(process_is_alive(proc));
	assert_int_equal(process_state(proc), 0);
	assert_int_equal(process_open_file(proc, "maps"), -ESRCH);
	assert_int_equal(process_read_file(proc, "maps", 4096, &text, &len), -ESRCH);
	assert_null(text);
}

/* -ESRCH with EXIT_NO_PROCESS, and a line that says @why. */
/* When a byte comes. */
static pid_t child_that_execs(int go)
{
	pid_t child = fork();
	char byte;

	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (read(go, &byte, 1) != 1)
			_exit(1);
		execl("/bin/sleep", "sleep", "100", NULL);
		_exit(2);
	}
	assert_true(child > 0);
	return child;
}

static void sees_an_exec(void **state)
{
	_cleanup_process_ struct process *proc = NULL;
	struct error err = { 0 };
	int pipes[2], status;
	pid_t child;

	assert_int_equal(pipe(pipes), 0);
	child = child_that_execs(pipes[0]);
	assert_int_equal(process_open(child, &proc, &err), 0);
	assert_true(process_is_alive(proc));
	assert_false(process_has_execed(proc));
	assert_int_equal(write(pipes[1], "x", 1), 1);
	for (int i = 0; i < 10000 && !process_has_execed(proc); i++)
		usleep(1000);
	assert_true(process_has_execed(proc));
	assert_false(process_is_alive(proc));
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_false(process_has_execed(proc));
	assert_false(process_is_alive(proc));
	close(pipes[0]);
	close(pipes[1]);
}

static void refused_with(pid_t pid, const char *why, int exit_code)
{
	struct process *proc = NULL;
	struct error err = { 0 };

	assert_int_equal(process_open(pid, &proc, &err), -ESRCH);
	assert_null(proc);
	assert_int_equal(err.exit_code, exit_code);
	assert_non_null(strstr(err.text, why));
	assert_null(strchr(err.text, '\n'));
}

static void refused(pid_t pid, const char *why)
{
	refused_with(pid, why, EXIT_NO_PROCESS);
}

static void refuses_zombies(void **state)
{
	pid_t child = start_sleeper();
	siginfo_t info;

	kill(child, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
	refused(child, "zombie");
	assert_int_equal(waitpid(child, NULL, 0), child);
	refused(child, "no process");
}

static void refuses_what_is_no_process(void **state)
{
	refused(0, "no process 0");
	refused(-1, "no process -1");
	refused(INT32_MAX, "no process 2147483647");
	/* In a PID namespace of its own, 2 is no kernel thread. */
	if (access("/proc/2/exe", F_OK) != 0 && access("/proc/2/stat", F_OK) == 0)
		refused_with(2, "kernel thread", EXIT_UNSUPPORTED);
	else
		skip();
}

static void *tell_thread_id(void *arg)
{
	int *pipe_fds = arg;
	pid_t tid = (pid_t)syscall(SYS_gettid);

	assert_int_equal(write(pipe_fds[1], &tid, sizeof(tid)), sizeof(tid));
	assert_int_equal(read(pipe_fds[2], &tid, 1), 0);
	return NULL;
}

static void refuses_threads_by_name(void **state)
{
	int fds[4];
	pthread_t thread;
	pid_t tid;

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(pipe(fds + 2), 0);
	assert_int_equal(pthread_create(&thread, NULL, tell_thread_id, fds), 0);
	assert_int_equal(read(fds[0], &tid, sizeof(tid)), sizeof(tid));
	refused(tid, "is a thread of process");
	close(fds[3]);
	pthread_join(thread, NULL);
	for (size_t i = 0; i < 3; i++)
		close(fds[i]);
}

static void reads_files_within_bounds(void **state)
{
	_cleanup_process_ struct process *proc = NULL;
	_cleanup_free_ char *text = NULL;
	size_t len;

	assert_int_equal(process_open(getpid(), &proc, NULL), 0);
	assert_int_equal(process_read_file(proc, "status", 16, &text, &len), -E2BIG);
	assert_null(text);
	assert_int_equal(process_read_file(proc, "nothing", 4096, &text, &len), -ENOENT);
	assert_int_equal(process_read_file(proc, "status", 65536, &text, &len), 0);
	assert_int_equal(strlen(text), len);
}

/* Without rights a process can be named, but its files are refused. As another user, so only for
 * root. */
static void knows_what_it_may_not(void **state)
{
	pid_t target, child;
	int status;

	if (geteuid() != 0)
		skip();
	target = start_sleeper();
	child = fork();
	if (child == 0) {
		struct process *proc = NULL;
		struct error err = { 0 };

		if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
			_exit(10);
		if (process_open(target, &proc, &err) != 0)
			_exit(11);
		if (process_open_file(proc, "maps") != -EACCES || proc->exe[0] != '\0')
			_exit(12);
		if (process_no_permission(proc, "read the memory of", &err) != -EPERM ||
		    err.exit_code != EXIT_NO_PERMISSION || !strstr(err.text, "cap_sys_ptrace"))
			_exit(13);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	kill(target, SIGKILL);
	assert_int_equal(waitpid(target, NULL, 0), target);
}

#define ARGS(text) text, sizeof(text)

static void shortens_command_lines(void **state)
{
	static const struct {
		const char *args;
		size_t len;
		const char *text;
	} cases[] = {
		{ ARGS("python3\0-m\0http.server\0008000"), "python3 -m http.server" },
		{ ARGS("/usr/bin/python3.11\0app.py\0--token\0secret"),
		  "/usr/bin/python3.11 app.py" },
		{ ARGS("python\0-c\0print('secret')"), "python -c ..." },
		{ ARGS("python\0-cprint('secret')"), "python -c ..." },
		{ ARGS("python\0-Ic\0secret"), "python -c ..." },
		{ ARGS("python\0-W\0ignore\0-X\0dev\0app.py\0x"), "python app.py" },
		{ ARGS("python\0-Wignore\0-Xdev\0app.py\0x"), "python app.py" },
		{ ARGS("python\0-uW\0ignore\0-Im\0pkg.mod\0x"), "python -m pkg.mod" },
		{ ARGS("python\0-mpkg\0x"), "python -m pkg" },
		{ ARGS("python\0--check-hash-based-pycs\0always\0app.py"), "python app.py" },
		{ ARGS("python\0--\0-odd.py\0secret"), "python -odd.py" },
		{ ARGS("python\0-\0secret"), "python -" },
		{ ARGS("python\0-i"), "python" },
		{ ARGS("python\0-m"), "python" },
		{ ARGS("python\0-W"), "python" },
		{ ARGS("python"), "python" },
		{ ARGS("uwsgi\0--secret\0token"), "uwsgi" },
		{ ARGS("/opt/python/bin/server\0secret"), "/opt/python/bin/server" },
		{ ARGS("python\0\xff\xfe.py"), "python \xef\xbf\xbd\xef\xbf\xbd.py" },
		{ ARGS("python\0\0secret"), "python " },
		{ "python\0app.py", 10, "python app" }, /* no NUL at the end */
		{ "", 0, "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text = process_short_cmdline(cases[i].args, cases[i].len);

		assert_string_equal(text, cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_ourselves),
		cmocka_unit_test(a_name_may_hold_anything),
		cmocka_unit_test(sees_the_end),
		cmocka_unit_test(sees_an_exec),
		cmocka_unit_test(refuses_zombies),
		cmocka_unit_test(refuses_what_is_no_process),
		cmocka_unit_test(refuses_threads_by_name),
		cmocka_unit_test(reads_files_within_bounds),
		cmocka_unit_test(knows_what_it_may_not),
		cmocka_unit_test(shortens_command_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
