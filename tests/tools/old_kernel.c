/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Test tool, not installed: runs a command as on a kernel without uprobe_multi links (before 6.6).
 *
 *   old_kernel COMMAND...
 *
 * A seccomp filter answers their creation with EINVAL, as such a kernel does. It cannot look into
 * the attributes, but their size tells: ours are those of uprobe_multi, libbpf's are shorter.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MULTI_SIZE 64
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define UNLESS(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (skip))
#define ANSWER(what) BPF_STMT(BPF_RET | BPF_K, (what))

int main(int argc, char **argv)
{
	struct sock_filter code[] = {
		LOAD(nr),
		UNLESS(SYS_bpf, 5),
		LOAD(args[0]),
		UNLESS(BPF_LINK_CREATE, 3),
		LOAD(args[2]),
		UNLESS(MULTI_SIZE, 1),
		ANSWER(SECCOMP_RET_ERRNO | EINVAL),
		ANSWER(SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(*code), code };

	if (argc < 2) {
		fprintf(stderr, "usage: old_kernel COMMAND...\n");
		return 2;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
		perror("old_kernel");
		return 1;
	}
	execvp(argv[1], argv + 1);
	perror(argv[1]);
	return 1;
}
