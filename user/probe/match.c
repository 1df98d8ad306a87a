/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/match.h"

const cs_insn *match_follow(struct code *code, const cs_insn *insn)
{
	return code_at(code, code_is_jump(insn) ? code_target(insn) : insn->address + insn->size);
}

bool match_sets_flags(const cs_insn *insn)
{
	return insn->detail->x86.eflags & (X86_EFLAGS_MODIFY_ZF | X86_EFLAGS_UNDEFINED_ZF |
					   X86_EFLAGS_RESET_ZF | X86_EFLAGS_SET_ZF);
}

/* A load `mov dst, [base + disp]` of 8 bytes. */
bool match_loads(const cs_insn *insn, uint8_t base, int64_t disp, uint8_t *dst)
{
	const cs_x86_op *op = insn->detail->x86.operands;

	if (insn->id != X86_INS_MOV || op[0].type != X86_OP_REG || op[0].size != 8 ||
	    !code_is_based(&op[1], base, disp))
		return false;
	*dst = code_reg(op[0].reg);
	return true;
}

bool match_jumps_on_zero(const cs_insn *insn)
{
	return code_is_jcc(insn) && (insn->id == X86_INS_JE || insn->id == X86_INS_JNE);
}

/* Where a je or jne leads when the zero flag is set, or clear. */
uint64_t match_branch(const cs_insn *jcc, bool zero)
{
	return (jcc->id == X86_INS_JE) == zero ? code_target(jcc) : jcc->address + jcc->size;
}

/* `mov r64, [r64 + disp8]`: a cheap look at the bytes before decoding. */
bool match_looks_like_load(const uint8_t *b, uint8_t disp)
{
	if ((b[0] & 0xf8) != 0x48 || b[1] != 0x8b || b[2] >> 6 != 1)
		return false;
	return (b[2] & 7) == 4 ? b[3] == 0x24 && b[4] == disp : b[3] == disp;
}

bool match_tests_value(const cs_insn *insn, struct site *site)
{
	const cs_x86_op *op = insn->detail->x86.operands;

	if (insn->id == X86_INS_TEST && op[0].type == X86_OP_REG && op[0].size == 8 &&
	    op[1].type == X86_OP_REG && op[0].reg == op[1].reg) {
		site->reg = code_reg(op[0].reg);
		return true;
	}
	if (insn->id != X86_INS_CMP || op[1].type != X86_OP_IMM || op[1].imm ||
	    op[0].type != X86_OP_MEM || op[0].size != 8 || op[0].mem.index != X86_REG_INVALID ||
	    code_reg(op[0].mem.base) == CODE_NO_REG || op[0].mem.disp < INT16_MIN ||
	    op[0].mem.disp > INT16_MAX)
		return false;
	site->reg = code_reg(op[0].mem.base);
	site->disp = (int16_t)op[0].mem.disp;
	site->flags |= SITE_IN_MEMORY;
	return true;
}
