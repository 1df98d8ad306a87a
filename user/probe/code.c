/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/code.h"

#include "base/util.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

/* More than capstone allocates while it is opened. */
#define SPARE_BYTES (64 * KiB)
#define FUNCTION_BYTES_MAX (512 * KiB)
#define INSN_BYTES_MAX ((size_t)15)
/* Functions of which the instructions are kept: they are looked at by several searches. */
#define LISTINGS 256

struct jump {
	uint64_t to, from;
};

/* Of one function: where its instructions start. */
struct listing {
	struct elf_function function;
	uint64_t *starts;
	struct jump *jumps; /* the direct ones in it, by where they lead */
	size_t starts_count, jumps_count;
};

struct code {
	csh cs, plain; /* plain: without operands, in half the time */
	bool open;
	cs_insn *scratch;
	const struct elf *elf;
	struct elf_section text;
	cs_insn *ring[CODE_RING];
	unsigned int next;
	struct listing listings[LISTINGS]; /* by a hash of the function's start */
};

/*
 * capstone does not look whether what it allocates for the registers' names, and when it decodes
 * first for its table of instructions, is there (4.0.2, arch/X86/X86Module.c, X86_global_init, and
 * utils.c, insn_find). So there is something to give up for it meanwhile.
 */
static _Thread_local void *code_spare;

static void *code_malloc(size_t size)
{
	void *ret = malloc(size);

	if (ret || !code_spare)
		return ret;
	cleanup_free(&code_spare);
	return malloc(size);
}

static void *code_calloc(size_t count, size_t size)
{
	void *ret = calloc(count, size);

	if (ret || !code_spare)
		return ret;
	cleanup_free(&code_spare);
	return calloc(count, size);
}

static void code_set_memory(void)
{
	cs_opt_mem memory = { code_malloc, code_calloc, realloc, free, vsnprintf };

	cs_option(0, CS_OPT_MEM, (size_t)(uintptr_t)&memory);
}

static int code_open_one(csh *ret)
{
	static const uint8_t nop[] = { 0x90 };
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const uint8_t *at = nop;
	size_t left = sizeof(nop);
	uint64_t addr = 0;
	cs_insn *insn;

	pthread_once(&once, code_set_memory);
	code_spare = malloc(SPARE_BYTES);
	if (!code_spare || cs_open(CS_ARCH_X86, CS_MODE_64, ret) != CS_ERR_OK) {
		cleanup_free(&code_spare);
		return -ENOMEM;
	}
	insn = cs_malloc(*ret);
	if (insn) {
		cs_disasm_iter(*ret, &at, &left, &addr, insn);
		cs_free(insn, 1);
	} else {
		cs_close(ret);
	}
	cleanup_free(&code_spare);
	return insn ? 0 : -ENOMEM;
}

static int code_open(struct code *code)
{
	int r = code_open_one(&code->cs);

	if (r)
		return r;
	r = code_open_one(&code->plain);
	if (r) {
		cs_close(&code->cs);
		return r;
	}
	code->open = true;
	code->scratch = cs_malloc(code->plain);
	if (!code->scratch)
		return -ENOMEM;
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

static void listing_clear(struct listing *list)
{
	free(list->starts);
	free(list->jumps);
	*list = (struct listing){ 0 };
}

void code_free(struct code *code)
{
	if (!code)
		return;
	for (size_t i = 0; i < CODE_RING; i++)
		if (code->ring[i])
			cs_free(code->ring[i], 1);
	if (code->scratch)
		cs_free(code->scratch, 1);
	if (code->open) {
		cs_close(&code->cs);
		cs_close(&code->plain);
	}
	for (size_t i = 0; i < LISTINGS; i++)
		listing_clear(&code->listings[i]);
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

/* NULL: none there. *@ret: how many bytes of an instruction there may be. */
static const uint8_t *bytes_at(const struct code *code, uint64_t addr, size_t *ret)
{
	*ret = INSN_BYTES_MAX;
	if (addr < code->text.addr || addr - code->text.addr >= code->text.size)
		return elf_bytes(code->elf, addr, *ret); /* .plt and the like */
	*ret = MIN(*ret, (size_t)(code->text.size - (addr - code->text.addr)));
	return (const uint8_t *)code->text.data + (addr - code->text.addr);
}

const cs_insn *code_at(struct code *code, uint64_t addr)
{
	cs_insn *insn = code->ring[code->next];
	size_t left;
	const uint8_t *bytes = bytes_at(code, addr, &left);

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

/* It cannot fail: then all of it is kept. */
static void *shrink(void *block, size_t bytes)
{
	void *smaller = realloc(block, bytes);

	return smaller ? smaller : block;
}

static void listing_add_jump(struct listing *list, uint64_t addr, const cs_insn *insn)
{
	if (insn && (code_is_jcc(insn) || code_is_jump(insn)))
		list->jumps[list->jumps_count++] = (struct jump){ code_target(insn), addr };
}

static int listing_fill(struct code *code, struct listing *list)
{
	const struct elf_function *fn = &list->function;

	for (uint64_t addr = fn->start; addr < fn->end;) {
		uint64_t next = addr;
		size_t left;
		const uint8_t *bytes = bytes_at(code, addr, &left);

		if (!bytes || !cs_disasm_iter(code->plain, &bytes, &left, &next, code->scratch))
			break;
		if (code->scratch->mnemonic[0] == 'j')
			listing_add_jump(list, addr, code_at(code, addr));
		list->starts[list->starts_count++] = addr;
		addr = next;
	}
	qsort(list->jumps, list->jumps_count, sizeof(*list->jumps), by_target);
	return list->starts_count ? 0 : -ENOEXEC;
}

static int listing_new(struct code *code, struct listing *list, const struct elf_function *fn)
{
	size_t bytes = fn->end - fn->start;
	int r;

	listing_clear(list);
	if (fn->end <= fn->start || bytes > FUNCTION_BYTES_MAX)
		return -E2BIG;
	list->function = *fn;
	list->starts = calloc(bytes, sizeof(*list->starts));
	/* A jump has two bytes or more. */
	list->jumps = calloc(bytes / 2 + 1, sizeof(*list->jumps));
	r = list->starts && list->jumps ? listing_fill(code, list) : -ENOMEM;
	if (r) {
		listing_clear(list);
		return r;
	}
	list->starts = shrink(list->starts, list->starts_count * sizeof(*list->starts));
	list->jumps = shrink(list->jumps, (list->jumps_count + 1) * sizeof(*list->jumps));
	return 0;
}

/* The function around @addr, or NULL; *@ret: which of its instructions starts last at or before
 * @addr. */
static const struct listing *code_locate(struct code *code, uint64_t addr, size_t *ret)
{
	struct elf_function fn;
	struct listing *list;
	size_t low = 0, high;

	if (!elf_find_function(code->elf, addr, &fn))
		return NULL;
	list = &code->listings[fn.start / 16 % LISTINGS];
	if ((list->function.start != fn.start || list->function.end != fn.end) &&
	    listing_new(code, list, &fn))
		return NULL;
	for (high = list->starts_count; high - low > 1;) {
		size_t middle = low + (high - low) / 2;

		if (list->starts[middle] <= addr)
			low = middle;
		else
			high = middle;
	}
	*ret = low;
	return list;
}

bool code_is_boundary(struct code *code, uint64_t addr)
{
	size_t i;
	const struct listing *list = code_locate(code, addr, &i);

	return list && list->starts[i] == addr;
}

uint64_t code_previous(struct code *code, uint64_t addr)
{
	size_t i;
	const struct listing *list = code_locate(code, addr, &i);

	return list && i && list->starts[i] == addr ? list->starts[i - 1] : 0;
}

uint64_t code_jump_to(struct code *code, uint64_t addr, uint64_t after)
{
	struct jump wanted = { addr, after + 1 };
	size_t low, high;
	const struct listing *list = code_locate(code, addr, &low);

	if (!list)
		return 0;
	for (low = 0, high = list->jumps_count; low < high;) {
		size_t middle = low + (high - low) / 2;

		if (by_target(&list->jumps[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < list->jumps_count && list->jumps[low].to == addr ? list->jumps[low].from : 0;
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
