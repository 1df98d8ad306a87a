/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/rights.h"

#include "base/util.h"
#include "probe/kernel.h"

#include <errno.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FILES_WANTED 8192
#define NICE_WANTED 35 /* 20 - -15 */

/* ---- limits ------------------------------------------------------------------------------------
 */

static void raise_limit(int which, rlim_t wanted)
{
	struct rlimit limit;

	if (getrlimit((__rlimit_resource_t)which, &limit) ||
	    (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur >= wanted))
		return;
	limit.rlim_cur = wanted;
	limit.rlim_max = MAX(limit.rlim_max, wanted);
	if (!setrlimit((__rlimit_resource_t)which, &limit) ||
	    getrlimit((__rlimit_resource_t)which, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit((__rlimit_resource_t)which, &limit);
}

void rights_raise_limits(void)
{
	raise_limit(RLIMIT_NOFILE, FILES_WANTED);
	/* Kernels before 5.11 count BPF maps as locked memory. */
	raise_limit(RLIMIT_MEMLOCK, RLIM_INFINITY);
	/* For pymemtop-links, without CAP_SYS_NICE (kernel/sched/syscalls.c, can_nice()). */
	raise_limit(RLIMIT_NICE, NICE_WANTED);
}

/* ---- seccomp -----------------------------------------------------------------------------------
 */

/*
 * What a hijacked daemon would want and we never do. EPERM, not death: a library that tries goes on
 * without. Landlock is no help here: a process in a Landlock domain may not read the memory of one
 * outside it (hook_ptrace_access_check() of security/landlock/ptrace.c, 5.13).
 */
static const int denied_calls[] = {
	SYS_execve,	  SYS_execveat,	     SYS_ptrace,       SYS_process_vm_writev,
	SYS_kexec_load,	  SYS_init_module,   SYS_finit_module, SYS_delete_module,
	SYS_mount,	  SYS_umount2,	     SYS_pivot_root,   SYS_chroot,
	SYS_setns,	  SYS_unshare,	     SYS_reboot,       SYS_swapon,
	SYS_settimeofday, SYS_clock_settime, SYS_sethostname,  SYS_add_key,
	SYS_request_key,  SYS_keyctl,	     SYS_userfaultfd,  SYS_process_madvise,
	SYS_acct,	  SYS_mount_setattr, SYS_move_mount,   SYS_open_tree,
	SYS_fsopen,	  SYS_pidfd_getfd,
};

#define DENIED ARRAY_SIZE(denied_calls)

static int deny_calls(void)
{
	struct sock_filter code[DENIED + 7];
	struct sock_fprog program = { .filter = code };
	size_t n = 0;

	/* Another architecture's numbers mean other calls, and so do those of x32. */
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						 offsetof(struct seccomp_data, arch));
	code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0,
						 DENIED + 3);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						 offsetof(struct seccomp_data, nr));
	code[n++] =
		(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, DENIED + 1, 0);
	for (size_t i = 0; i < DENIED; i++)
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
							 (unsigned int)denied_calls[i],
							 (unsigned char)(DENIED - i), 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	program.len = (unsigned short)n;
	if (!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return 0;
	return errno == EINVAL ? 0 : -errno; /* EINVAL: a kernel without */
}

/* ---- capabilities ------------------------------------------------------------------------------
 */

#define CAPS_MOST 4

/* Those that we keep; how many. */
static int wanted_caps(cap_value_t ret[CAPS_MOST], bool admin)
{
	if (!CAP_IS_SUPPORTED(CAP_BPF)) {
		ret[0] = CAP_SYS_ADMIN;
		ret[1] = CAP_SYS_PTRACE;
		return 2;
	}
	ret[0] = CAP_BPF;
	ret[1] = CAP_PERFMON;
	ret[2] = CAP_SYS_PTRACE;
	ret[3] = CAP_SYS_ADMIN;
	return admin ? 4 : 3;
}

/* @admin is CAP_SYS_ADMIN, which is @effective only then. */
static int set_caps(bool admin, bool effective)
{
	cap_value_t wanted[CAPS_MOST];
	int count = wanted_caps(wanted, admin), r = 0;
	cap_t have = cap_get_proc(), keep = cap_init();

	for (int i = 0; have && keep && i < count; i++) {
		cap_flag_value_t value;

		if (cap_get_flag(have, wanted[i], CAP_PERMITTED, &value) || value != CAP_SET)
			continue;
		cap_set_flag(keep, CAP_PERMITTED, 1, &wanted[i], CAP_SET);
		if (i < 3 || effective)
			cap_set_flag(keep, CAP_EFFECTIVE, 1, &wanted[i], CAP_SET);
	}
	if (!have || !keep || cap_set_proc(keep))
		r = errno ? -errno : -ENOMEM;
	cap_free(have);
	cap_free(keep);
	return r;
}

/* Whether perf events are refused can be seen only without CAP_SYS_ADMIN. */
static int set_caps_for_probes(void)
{
	int r = set_caps(kernel_needs_perf(), false);

	return r ? r : set_caps(kernel_needs_perf() && kernel_refuses_perf(), true);
}

/* What exec could give back. Without CAP_SETPCAP there is no bounding set to change, and no exec
 * anyhow. */
static void drop_bounds(void)
{
	cap_reset_ambient();
	for (cap_value_t cap = 0; CAP_IS_SUPPORTED(cap); cap++)
		cap_drop_bound(cap);
}

static int become(const char *user, struct error *err)
{
	const struct passwd *entry = user ? getpwnam(user) : NULL;

	if (!user)
		return 0;
	if (!entry)
		return error_set(err, ENOENT, EXIT_USAGE, "there is no user '%.60s'", user);
	if (prctl(PR_SET_KEEPCAPS, 1) || setgroups(0, NULL) ||
	    setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) ||
	    setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid))
		return error_set(err, errno, EXIT_NO_PERMISSION,
				 "cannot become user '%.60s': %s; start as root", user,
				 strerror(errno));
	return 0;
}

int rights_drop(const char *user, bool probes, struct error *err)
{
	int r;

	drop_bounds();
	r = become(user, err);
	if (r)
		return r;
	r = probes ? set_caps_for_probes() : set_caps(false, true);
	if (!r && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		r = -errno;
	if (!r)
		r = deny_calls();
	return r ? error_set(err, -r, EXIT_INTERNAL, "cannot give up rights: %s", strerror(-r)) : 0;
}

int rights_settle(struct error *err)
{
	int r = set_caps(false, true);

	return r ? error_set(err, -r, EXIT_INTERNAL, "cannot give up rights: %s", strerror(-r)) : 0;
}

const char *rights_describe(void)
{
	static char text[256];
	cap_t have = cap_get_proc();
	char *all = have ? cap_to_text(have, NULL) : NULL;

	snprintf(text, sizeof(text), "%s", all ? all : "unknown");
	cap_free(all);
	cap_free(have);
	return text;
}
