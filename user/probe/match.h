/* SPDX-License-Identifier: BSD-2-Clause */
/* What the searches for sites recognise in a single instruction. */
#pragma once

#include "probe/code.h"
#include "probe/sites.h"

#include <stdbool.h>
#include <stdint.h>

/* The instruction that runs after @insn when no condition sends it elsewhere. NULL: none. */
const cs_insn *match_follow(struct code *code, const cs_insn *insn);

/* True if @insn changes the zero flag. */
bool match_sets_flags(const cs_insn *insn);

/* `mov dst, [base + disp]` of 8 bytes. */
bool match_loads(const cs_insn *insn, uint8_t base, int64_t disp, uint8_t *dst);

/* je or jne. */
bool match_jumps_on_zero(const cs_insn *insn);

/* Where a je or jne leads when the zero flag is set (@zero), or clear. */
uint64_t match_branch(const cs_insn *jcc, bool zero);

/* The bytes of `mov r64, [r64 + disp8]`: a cheap look before decoding. At least 5 bytes must be
 * there. */
bool match_looks_like_load(const uint8_t *b, uint8_t disp);

/* `test r, r` or `cmp qword [r + d], 0`: fills in where the value is in @site. */
bool match_tests_value(const cs_insn *insn, struct site *site);
