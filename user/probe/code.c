/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/code.h"

#include "base/util.h"

#include <errno.h>

#define FUNCTION_BYTES_MAX (512 * KiB)
#define INSN_BYTES_MAX ((size_t)15)

struct code {
	csh cs;
	bool open;
	const struct elf *elf;
	struct elf_section text;
	cs_insn *ring[CODE_RING];
	unsigned int next;
	/* Starts of the instructions of the function that was asked about last. */
	struct elf_function function;
	uint64_t *starts;
	struct jump *jumps; /* the direct ones in it, by where they lead */
	size_t starts_count, jumps_count;
};

struct jump {
	uint64_t to, from;
};

static int code_open(struct code *code)
{
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &code->cs) != CS_ERR_OK)
		return -ENOMEM;
	code->open = true;
	cs_option(code->cs, CS_OPT_DETAIL, CS_OPT_ON);
	for (size_t i = 0; i < CODE_RING; i++) {
		code->ring[i] = cs_malloc(code->cs);
		if (!code->ring[i])
			return -ENOMEM;
	}
	return 0;
}

int code_new_bare(const struct elf *elf, struct code **ret)
{
	_cleanup_code_ struct code *code = calloc(1, sizeof(*code));
	int r;

	if (!code)
		return -ENOMEM;
	code->elf = elf;
	r = code_open(code);
	if (r)
		return r;
	*ret = TAKE_PTR(code);
	return 0;
}

int code_new(const struct elf *elf, struct code **ret)
{
	_cleanup_code_ struct code *code = NULL;
	int r = code_new_bare(elf, &code);

	if (r)
		return r;
	if (!elf_find_section(elf, ".text", &code->text) || !code->text.data)
		return -ENOEXEC;
	*ret = TAKE_PTR(code);
	return 0;
}

void code_free(struct code *code)
{
	if (!code)
		return;
	for (size_t i = 0; i < CODE_RING; i++)
		if (code->ring[i])
			cs_free(code->ring[i], 1);
	if (code->open)
		cs_close(&code->cs);
	free(code->starts);
	free(code->jumps);
	free(code);
}

const struct elf *code_elf(const struct code *code)
{
	return code->elf;
}

const uint8_t *code_text(const struct code *code, uint64_t *addr, size_t *size)
{
	*addr = code->text.addr;
	*size = code->text.size;
	return code->text.data;
}

const cs_insn *code_at(struct code *code, uint64_t addr)
{
	cs_insn *insn = code->ring[code->next];
	const uint8_t *bytes;
	size_t left = INSN_BYTES_MAX;

	if (addr >= code->text.addr && addr - code->text.addr < code->text.size) {
		bytes = (const uint8_t *)code->text.data + (addr - code->text.addr);
		left = MIN(left, (size_t)(code->text.size - (addr - code->text.addr)));
	} else {
		bytes = elf_bytes(code->elf, addr, left); /* .plt and the like */
	}
	if (!bytes)
		return NULL;
	if (!cs_disasm_iter(code->cs, &bytes, &left, &addr, insn))
		return NULL;
	code->next = (code->next + 1) % CODE_RING;
	return insn;
}

static int by_target(const void *a, const void *b)
{
	const struct jump *x = a, *y = b;

	if (x->to != y->to)
		return x->to < y->to ? -1 : 1;
	return x->from < y->from ? -1 : x->from > y->from;
}

static int code_list_starts(struct code *code, const struct elf_function *fn)
{
	uint64_t addr = fn->start;
	size_t count = 0, jumps = 0;

	if (fn->end <= fn->start || fn->end - fn->start > FUNCTION_BYTES_MAX)
		return -E2BIG;
	free(code->starts);
	free(code->jumps);
	code->starts_count = code->jumps_count = 0;
	code->starts = calloc(fn->end - fn->start, sizeof(*code->starts));
	/* A jump has two bytes or more. */
	code->jumps = calloc((fn->end - fn->start) / 2 + 1, sizeof(*code->jumps));
	if (!code->starts || !code->jumps)
		return -ENOMEM;
	while (addr < fn->end) {
		const cs_insn *insn = code_at(code, addr);

		if (!insn)
			break;
		if (code_is_jcc(insn) || code_is_jump(insn))
			code->jumps[jumps++] = (struct jump){ code_target(insn), addr };
		code->starts[count++] = addr;
		addr += insn->size;
	}
	code->starts_count = count;
	code->jumps_count = jumps;
	qsort(code->jumps, jumps, sizeof(*code->jumps), by_target);
	code->function = *fn;
	return 0;
}

/* Makes code->starts the function around @addr; index of the last start <= @addr, or -1. */
static ssize_t code_locate(struct code *code, uint64_t addr)
{
	struct elf_function fn;
	size_t low = 0, high;

	if (!code->starts_count || addr < code->function.start || addr >= code->function.end) {
		if (!elf_find_function(code->elf, addr, &fn) || code_list_starts(code, &fn))
			return -1;
	}
	for (high = code->starts_count; high - low > 1;) {
		size_t middle = low + (high - low) / 2;

		if (code->starts[middle] <= addr)
			low = middle;
		else
			high = middle;
	}
	return code->starts_count && code->starts[low] <= addr ? (ssize_t)low : -1;
}

bool code_is_boundary(struct code *code, uint64_t addr)
{
	ssize_t i = code_locate(code, addr);

	return i >= 0 && code->starts[i] == addr;
}

uint64_t code_previous(struct code *code, uint64_t addr)
{
	ssize_t i = code_locate(code, addr);

	return i > 0 && code->starts[i] == addr ? code->starts[i - 1] : 0;
}

uint64_t code_jump_to(struct code *code, uint64_t addr, uint64_t after)
{
	struct jump wanted = { addr, after + 1 };
	size_t low = 0, high;

	if (code_locate(code, addr) < 0)
		return 0;
	for (high = code->jumps_count; low < high;) {
		size_t middle = low + (high - low) / 2;

		if (by_target(&code->jumps[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < code->jumps_count && code->jumps[low].to == addr ? code->jumps[low].from : 0;
}

#define REGS(n, r64, r32, r16, r8)                                                                 \
	case X86_REG_##r64:                                                                        \
	case X86_REG_##r32:                                                                        \
	case X86_REG_##r16:                                                                        \
	case X86_REG_##r8:                                                                         \
		return n;

uint8_t code_reg(x86_reg reg)
{
	switch ((int)reg) {
		REGS(0, RAX, EAX, AX, AL)
		REGS(1, RCX, ECX, CX, CL)
		REGS(2, RDX, EDX, DX, DL)
		REGS(3, RBX, EBX, BX, BL)
		REGS(4, RSP, ESP, SP, SPL)
		REGS(5, RBP, EBP, BP, BPL)
		REGS(6, RSI, ESI, SI, SIL)
		REGS(7, RDI, EDI, DI, DIL)
		REGS(8, R8, R8D, R8W, R8B)
		REGS(9, R9, R9D, R9W, R9B)
		REGS(10, R10, R10D, R10W, R10B)
		REGS(11, R11, R11D, R11W, R11B)
		REGS(12, R12, R12D, R12W, R12B)
		REGS(13, R13, R13D, R13W, R13B)
		REGS(14, R14, R14D, R14W, R14B)
		REGS(15, R15, R15D, R15W, R15B)
	case X86_REG_AH:
		return 0;
	case X86_REG_CH:
		return 1;
	case X86_REG_DH:
		return 2;
	case X86_REG_BH:
		return 3;
	}
	return CODE_NO_REG;
}

/* System V ABI, x86-64: rbx, rsp, rbp, r12 to r15 survive a call. */
static bool reg_is_preserved(uint8_t reg)
{
	return reg == 3 || reg == 4 || reg == 5 || (reg >= 12 && reg <= 15);
}

bool code_writes(struct code *code, const cs_insn *insn, uint8_t reg)
{
	cs_regs read, written;
	uint8_t read_count = 0, written_count = 0;

	if (insn->id == X86_INS_CALL)
		return !reg_is_preserved(reg);
	if (cs_regs_access(code->cs, insn, read, &read_count, written, &written_count) != CS_ERR_OK)
		return true;
	for (uint8_t i = 0; i < written_count; i++)
		if (code_reg(written[i]) == reg)
			return true;
	return false;
}

static bool insn_is_direct(const cs_insn *insn)
{
	const cs_x86 *x86 = &insn->detail->x86;

	return x86->op_count == 1 && x86->operands[0].type == X86_OP_IMM;
}

bool code_is_jcc(const cs_insn *insn)
{
	uint8_t op = insn->detail->x86.opcode[0], op2 = insn->detail->x86.opcode[1];

	return insn_is_direct(insn) &&
	       ((op >= 0x70 && op <= 0x7f) || (op == 0x0f && op2 >= 0x80 && op2 <= 0x8f));
}

bool code_is_jump(const cs_insn *insn)
{
	return insn->id == X86_INS_JMP && insn_is_direct(insn);
}

bool code_is_call(const cs_insn *insn)
{
	return insn->id == X86_INS_CALL && insn_is_direct(insn);
}

bool code_ends(const cs_insn *insn)
{
	switch (insn->id) {
	case X86_INS_RET:
	case X86_INS_UD2:
	case X86_INS_HLT:
	case X86_INS_INT3:
		return true;
	case X86_INS_JMP:
		return !insn_is_direct(insn);
	}
	return false;
}

uint64_t code_target(const cs_insn *insn)
{
	return (uint64_t)insn->detail->x86.operands[0].imm;
}

bool code_is_emulated(const cs_insn *insn)
{
	const cs_x86 *x86 = &insn->detail->x86;
	const uint8_t *b = insn->bytes;

	if (x86->prefix[2] == 0x66)
		return false; /* 16-bit forms are not emulated */
	if (insn->id == X86_INS_PUSH)
		return x86->op_count == 1 && x86->operands[0].type == X86_OP_REG && insn->size <= 2;
	if (insn->size == 1 && b[0] == 0x90)
		return true;
	return code_is_jcc(insn) || code_is_jump(insn) || code_is_call(insn);
}

uint64_t code_fixed_address(const cs_insn *insn, const cs_x86_op *op)
{
	if (op->type != X86_OP_MEM || op->mem.index != X86_REG_INVALID ||
	    op->mem.segment != X86_REG_INVALID)
		return 0;
	if (op->mem.base == X86_REG_RIP)
		return insn->address + insn->size + (uint64_t)op->mem.disp;
	return op->mem.base == X86_REG_INVALID ? (uint64_t)op->mem.disp : 0;
}

bool code_is_based(const cs_x86_op *op, uint8_t reg, int64_t disp)
{
	return op->type == X86_OP_MEM && op->mem.index == X86_REG_INVALID &&
	       op->mem.segment == X86_REG_INVALID && op->mem.base != X86_REG_INVALID &&
	       code_reg(op->mem.base) == reg && op->mem.disp == disp;
}
