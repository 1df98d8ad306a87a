/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/copies.h"

static uint32_t written_by(struct code *code, const cs_insn *insn)
{
	uint32_t written = 0;

	for (uint8_t reg = 0; reg < 16; reg++)
		if (code_writes(code, insn, reg))
			written |= copies_bit(reg);
	return written;
}

static bool is_copy(const cs_insn *insn)
{
	const cs_x86_op *op = insn->detail->x86.operands;

	return insn->id == X86_INS_MOV && op[0].type == X86_OP_REG && op[0].size == 8 &&
	       op[1].type == X86_OP_REG;
}

/* `mov reg, [rsp + d]`, or rbp. */
static bool is_reload(const cs_insn *insn)
{
	const cs_x86_op *op = insn->detail->x86.operands;

	return insn->id == X86_INS_MOV && op[0].type == X86_OP_REG && op[0].size == 8 &&
	       op[1].type == X86_OP_MEM && op[1].mem.index == X86_REG_INVALID &&
	       (op[1].mem.base == X86_REG_RSP || op[1].mem.base == X86_REG_RBP);
}

void copies_after(struct code *code, const cs_insn *insn, struct copies *copies)
{
	const cs_x86_op *op = insn->detail->x86.operands;
	bool gains = (is_copy(insn) && (copies->regs & copies_bit(code_reg(op[1].reg)))) ||
		     (is_reload(insn) && code_is_based(&op[1], copies->base, copies->disp));

	if (op[0].type == X86_OP_MEM && op[0].access & CS_AC_WRITE &&
	    code_is_based(&op[0], copies->base, copies->disp))
		copies->base = CODE_NO_REG;
	copies->regs &= ~written_by(code, insn);
	if (gains)
		copies->regs |= copies_bit(code_reg(op[0].reg));
}

#define COPIES_BACK 12

struct copies copies_before(struct code *code, uint64_t addr, uint8_t reg)
{
	struct copies copies = { .regs = copies_bit(reg), .base = CODE_NO_REG };
	uint32_t written = 0;

	for (int i = 0; i < COPIES_BACK && !code_jump_to(code, addr, 0); i++) {
		const cs_insn *insn;
		const cs_x86_op *op;
		uint32_t to;

		addr = code_previous(code, addr);
		insn = addr ? code_at(code, addr) : NULL;
		if (!insn || code_is_jump(insn) || code_ends(insn))
			break;
		op = insn->detail->x86.operands;
		to = op[0].type == X86_OP_REG ? copies_bit(code_reg(op[0].reg)) : 0;
		if (is_copy(insn)) {
			uint32_t both = to | copies_bit(code_reg(op[1].reg));

			if ((both & copies.regs) && !(both & written))
				copies.regs |= both;
		} else if (is_reload(insn) && (to & copies.regs) && !(to & written)) {
			copies.base = code_reg(op[1].mem.base);
			copies.disp = op[1].mem.disp;
		}
		written |= written_by(code, insn);
	}
	return copies;
}
