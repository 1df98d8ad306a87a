/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/kernel.h"

#include "base/util.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

static int load(const struct bpf_insn *insns, size_t count)
{
	int fd = bpf_prog_load(BPF_PROG_TYPE_KPROBE, NULL, "GPL", insns, count, NULL);

	if (fd < 0)
		return -fd;
	close(fd);
	return 0;
}

static int try_cookie(void)
{
	static const struct bpf_insn insns[] = {
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_attach_cookie },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return load(insns, ARRAY_SIZE(insns));
}

static int try_fetch(void)
{
	static const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_STX | BPF_MEM | BPF_DW,
		  .dst_reg = BPF_REG_10,
		  .src_reg = BPF_REG_0,
		  .off = -8 },
		{ .code = BPF_STX | BPF_ATOMIC | BPF_DW,
		  .dst_reg = BPF_REG_10,
		  .src_reg = BPF_REG_0,
		  .off = -8,
		  .imm = BPF_ADD | BPF_FETCH },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return load(insns, ARRAY_SIZE(insns));
}

int kernel_try(enum kernel_ability which)
{
	static int (*const tries[KERNEL_ABILITIES])(void) = {
		[KERNEL_COOKIE] = try_cookie,
		[KERNEL_FETCH] = try_fetch,
	};
	static struct {
		bool tried;
		int error;
	} answers[KERNEL_ABILITIES];

	if (!answers[which].tried) {
		answers[which].error = tries[which]();
		answers[which].tried = answers[which].error != EPERM;
	}
	return answers[which].error;
}

bool kernel_has(enum kernel_ability which)
{
	int error = kernel_try(which);

	return !error || error == EPERM || error == EACCES;
}

/* What counts nothing, of ourselves, outside the kernel: else open to everybody (Debian's
 * security-perf-allow-further-restriction-of-perf_event_open.patch, Ubuntu's likewise). */
bool kernel_refuses_perf(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_DUMMY,
		.disabled = 1,
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};
	long fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);

	if (fd < 0)
		return errno == EACCES;
	close((int)fd);
	return false;
}

/* 6.10: see measure_threads() of probe/cost.c. Where that came to an older kernel, perf events are
 * asked for in vain. */
bool kernel_needs_perf(void)
{
	struct utsname name;
	int major, minor;

	if (uname(&name) || sscanf(name.release, "%d.%d", &major, &minor) != 2)
		return true;
	return major < 6 || (major == 6 && minor < 10);
}

const char *kernel_rights_fix(void)
{
	if (kernel_needs_perf() && kernel_refuses_perf())
		return "run as root, or with CAP_BPF, CAP_PERFMON and, as this kernel opens perf "
		       "events for nobody else while kernel.perf_event_paranoid is above 2, "
		       "CAP_SYS_ADMIN";
	return "run as root, or with CAP_BPF and CAP_PERFMON";
}
