/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine code of an interpreter, decoded (capstone). x86-64. Addresses are those of the file.
 */
#pragma once

#include "base/cleanup.h"
#include "target/elf.h"

#include <capstone/capstone.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CODE_NO_REG 0xff

struct code;

/* Decodes the .text of @elf (borrowed: must outlive the object). -ENOEXEC where there is none,
 * -ENOMEM. */
int code_new(const struct elf *elf, struct code **ret);
/* The same without .text, of which code_text() has nothing then: each instruction is read by
 * itself. For who decodes a few. */
int code_new_bare(const struct elf *elf, struct code **ret);
void code_free(struct code *code);
DEFINE_CLEANUP(struct code, code_free)
#define _cleanup_code_ cleanup(code_freep)

const struct elf *code_elf(const struct code *code);

/* The bytes of .text, which start at file address *addr. Borrowed. */
const uint8_t *code_text(const struct code *code, uint64_t *addr, size_t *size);

/* The instruction at @addr; borrowed, valid until code_at() has been called CODE_RING times more.
 * NULL: none. */
#define CODE_RING 32
const cs_insn *code_at(struct code *code, uint64_t addr);

/*
 * True if @addr is where an instruction starts, counted from the start of the function that
 * .eh_frame says it belongs to: a pattern found by its bytes may lie across two instructions.
 */
bool code_is_boundary(struct code *code, uint64_t addr);

/* The start of the instruction before @addr in the same function; 0: there is none. */
uint64_t code_previous(struct code *code, uint64_t addr);

/* The first direct jump to @addr behind @after (0: from the start) in the same function; 0: none.
 */
uint64_t code_jump_to(struct code *code, uint64_t addr, uint64_t after);

/* Registers as x86 encodes them, 0 (rax) to 15 (r15); parts of a register count as the register. */
uint8_t code_reg(x86_reg reg);

/* True if @insn changes the register. A call changes all that the ABI does not preserve. */
bool code_writes(struct code *code, const cs_insn *insn, uint8_t reg);

bool code_is_jcc(const cs_insn *insn);	/* conditional, direct */
bool code_is_jump(const cs_insn *insn); /* unconditional, direct */
bool code_is_call(const cs_insn *insn); /* direct */
bool code_ends(const cs_insn *insn);	/* nothing follows: ret, indirect jump, trap */

/* Where a direct jump or call leads. */
uint64_t code_target(const cs_insn *insn);

/*
 * True if the kernel emulates a probed @insn instead of single-stepping it
 * (arch/x86/kernel/uprobes.c, branch_setup_xol_ops() and push_setup_xol_ops(), since v4.20): twelve
 * times cheaper.
 */
bool code_is_emulated(const cs_insn *insn);

/* The address that the memory operand @op of @insn names, if it is known from the file alone, else
 * 0. */
uint64_t code_fixed_address(const cs_insn *insn, const cs_x86_op *op);

/* `[reg + disp]` and nothing else. */
bool code_is_based(const cs_x86_op *op, uint8_t reg, int64_t disp);
