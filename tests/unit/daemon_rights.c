/* SPDX-License-Identifier: BSD-2-Clause */
/* What is given up stays given up: each test in a child. tests/daemon/test_daemon.py looks at the
 * daemon itself. */
#include "unit.h"

#include <errno.h>
#include <pwd.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/rights.h"
#include "probe/kernel.h"

static void in_child(int (*body)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(body());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int calls_are_denied(void)
{
	char name[] = "true", *argv[] = { name, NULL };
	char byte = 1;
	struct iovec iov = { &byte, 1 };

	if (rights_drop(NULL, true, NULL) || rights_settle(NULL))
		return 1;
	if (!execv("/bin/true", argv) || errno != EPERM)
		return 2;
	if (ptrace(PTRACE_TRACEME, 0, 0, 0) != -1 || errno != EPERM)
		return 3;
	if (process_vm_writev(getpid(), &iov, 1, &iov, 1, 0) != -1 || errno != EPERM)
		return 4;
	if (!unshare(CLONE_NEWNS) || errno != EPERM)
		return 5;
	if (!mount("none", "/mnt", "tmpfs", 0, NULL) || errno != EPERM)
		return 6;
	/* Reading goes on. */
	return process_vm_readv(getpid(), &iov, 1, &iov, 1, 0) == 1 ? 0 : 7;
}

static void denied(void **state)
{
	in_child(calls_are_denied);
}

static int becomes_nobody(void)
{
	const struct passwd *nobody = getpwnam("nobody");

	if (rights_drop("nobody", true, NULL) || rights_settle(NULL))
		return 1;
	if (getuid() != nobody->pw_uid || geteuid() != nobody->pw_uid ||
	    getegid() != nobody->pw_gid)
		return 2;
	if (!setuid(0) || !strstr(rights_describe(), "cap_sys_ptrace") ||
	    strstr(rights_describe(), "setuid") || strstr(rights_describe(), "admin"))
		return 3;
	return access("/etc/shadow", R_OK) ? 0 : 4;
}

static void another_user(void **state)
{
	if (geteuid())
		skip();
	in_child(becomes_nobody);
}

/* Between the two there is CAP_SYS_ADMIN where the kernel wants it for probes, and nowhere else. */
static int admin_while_needed(void)
{
	bool can = strstr(rights_describe(), "cap_sys_admin") || strstr(rights_describe(), "=ep");
	bool wanted;

	if (rights_drop(NULL, true, NULL))
		return 1;
	wanted = strstr(rights_describe(), "cap_sys_admin");
	if (kernel_refuses_perf() && kernel_needs_perf() && can)
		return 2;
	if (rights_settle(NULL) || strstr(rights_describe(), "cap_sys_admin"))
		return 3;
	if (!can)
		return wanted ? 4 : 0;
	return wanted == (kernel_needs_perf() && kernel_refuses_perf()) ? 0 : 5;
}

static void admin(void **state)
{
	in_child(admin_while_needed);
}

static int no_admin_without_probes(void)
{
	return rights_drop(NULL, false, NULL) || strstr(rights_describe(), "cap_sys_admin");
}

static void no_admin(void **state)
{
	in_child(no_admin_without_probes);
}

static int unknown_user(void)
{
	struct error err = { 0 };

	return rights_drop("no-such-user", false, &err) == -ENOENT && err.exit_code == EXIT_USAGE
		       ? 0
		       : 1;
}

static void unknown(void **state)
{
	in_child(unknown_user);
}

static int limits(void)
{
	struct rlimit few = { 64, 2048 }, now;

	if (setrlimit(RLIMIT_NOFILE, &few))
		return 1;
	rights_raise_limits();
	return getrlimit(RLIMIT_NOFILE, &now) || now.rlim_cur < 2048;
}

static void raised(void **state)
{
	in_child(limits);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(denied),  cmocka_unit_test(another_user),
		cmocka_unit_test(admin),   cmocka_unit_test(no_admin),
		cmocka_unit_test(unknown), cmocka_unit_test(raised),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
