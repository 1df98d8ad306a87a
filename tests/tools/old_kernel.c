/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Test tool, not installed: runs a command as on an older kernel.
 *
 *   old_kernel 6.1|5.10 COMMAND...
 *
 * A seccomp filter has us asked about every bpf(2) call, and what such a kernel does not know is
 * answered with EINVAL: uprobe_multi links (6.6) by the size of their attributes, which only ours
 * have; for 5.10 links to perf events, programs made to try for cookies (5.15) and those with an
 * addition that tells what was there before (5.12).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define MULTI_SIZE 64
#define INSNS_MAX 65536
#define SMALL 8 /* instructions */

static bool is_old; /* 5.10 */

static bool fetch(pid_t pid, uint64_t from, void *to, size_t size)
{
	struct iovec local = { .iov_base = to, .iov_len = size },
		     remote = { .iov_base = (void *)(uintptr_t)from, .iov_len = size };

	return process_vm_readv(pid, &local, 1, &remote, 1, 0) == (ssize_t)size;
}

/*
 * What 5.10 does not take (kernel/bpf/verifier.c, resolve_pseudo_ldimm64()) wherever it stands; an
 * unknown helper is nothing to it where it is never called, so only a program that does little
 * else is refused for that.
 */
static bool is_newer(const struct bpf_insn *insn, uint32_t count)
{
	if (insn->code == (BPF_JMP | BPF_CALL) && !insn->src_reg)
		return insn->imm == BPF_FUNC_get_attach_cookie && count < SMALL;
	return insn->code == (BPF_STX | BPF_ATOMIC | BPF_DW) && insn->imm;
}

static bool knows_program(pid_t pid, uint64_t attr)
{
	struct {
		uint32_t type, count;
		uint64_t insns;
	} head;
	bool known = true;
	struct bpf_insn *insns;

	if (!fetch(pid, attr, &head, sizeof(head)) || head.count > INSNS_MAX)
		return true;
	insns = calloc(head.count + 1, sizeof(*insns));
	if (insns && fetch(pid, head.insns, insns, head.count * sizeof(*insns)))
		for (uint32_t i = 0; i < head.count; i++)
			known &= !is_newer(&insns[i], head.count);
	free(insns);
	return known;
}

static bool knows(const struct seccomp_notif *call)
{
	const __u64 *args = call->data.args;

	if (args[0] == BPF_LINK_CREATE)
		return !is_old && args[2] != MULTI_SIZE;
	if (args[0] == BPF_PROG_LOAD && is_old)
		return knows_program((pid_t)call->pid, args[1]);
	return true;
}

/* Until nobody is left who may ask. */
static void answer(int listener)
{
	struct seccomp_notif call;
	struct seccomp_notif_resp answer;
	struct pollfd wait = { .fd = listener, .events = POLLIN };

	while (poll(&wait, 1, -1) >= 0 && !(wait.revents & POLLHUP)) {
		memset(&call, 0, sizeof(call));
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call))
			continue;
		answer = (struct seccomp_notif_resp){ .id = call.id };
		if (knows(&call))
			answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		else
			answer.error = -EINVAL;
		ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
	}
}

static int install(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_bpf, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(*code), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
			    &program);
}

/* Whom the filter does not bind; a grandchild, as the command shall have no child that it does not
 * know. */
static void start_answering(pid_t command, int told, int ready)
{
	int listener, pidfd = (int)syscall(SYS_pidfd_open, command, 0);

	if (fork())
		_exit(0);
	if (read(told, &listener, sizeof(listener)) != sizeof(listener))
		_exit(1);
	listener = (int)syscall(SYS_pidfd_getfd, pidfd, listener, 0);
	if (listener < 0 || write(ready, &listener, sizeof(listener)) != sizeof(listener))
		_exit(1);
	close(0);
	close(1);
	close(2);
	close(ready);
	answer(listener);
	_exit(0);
}

int main(int argc, char **argv)
{
	pid_t self = getpid(), child;
	int listener, told[2], ready[2], byte;

	if (argc < 3 || (strcmp(argv[1], "6.1") && strcmp(argv[1], "5.10"))) {
		fprintf(stderr, "usage: old_kernel 6.1|5.10 COMMAND...\n");
		return 2;
	}
	is_old = !strcmp(argv[1], "5.10");
	if (pipe2(told, O_CLOEXEC) || pipe2(ready, O_CLOEXEC))
		return 1;
	child = fork();
	if (!child)
		start_answering(self, told[0], ready[1]);
	close(ready[1]);
	waitpid(child, NULL, 0);
	listener = install();
	if (listener < 0 || write(told[1], &listener, sizeof(listener)) != sizeof(listener) ||
	    read(ready[0], &byte, sizeof(byte)) != sizeof(byte)) {
		perror("old_kernel");
		return 1;
	}
	fcntl(listener, F_SETFD, FD_CLOEXEC);
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 1;
}
