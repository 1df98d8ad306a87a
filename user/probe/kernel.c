/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/kernel.h"

#include "base/util.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
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
