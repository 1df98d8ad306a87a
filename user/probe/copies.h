/* SPDX-License-Identifier: BSD-2-Clause */
/* Where else a value is: the copies that straight code has made of it. */
#pragma once

#include "probe/code.h"

#include <stdint.h>

/* Where one value is: registers (bit n is register n), and a word of the stack. */
struct copies {
	uint32_t regs;
	uint8_t base; /* CODE_NO_REG: none */
	int64_t disp;
};

static inline uint32_t copies_bit(uint8_t reg)
{
	return reg < 16 ? 1u << reg : 0;
}

/* All that hold at @addr what @reg does, by copies made on the straight way there. */
struct copies copies_before(struct code *code, uint64_t addr, uint8_t reg);

/* Goes on over @insn. */
void copies_after(struct code *code, const cs_insn *insn, struct copies *copies);
