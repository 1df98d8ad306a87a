/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/openings.h"

#include "base/util.h"
#include "probe/match.h"

#define STEPS_MAX 8
#define STORES_MAX 16

/* `mov dword [pool + count], 1`, as bytes: a register from rax to rdi, or one of r8 to r15. */
static bool looks_like_first(const uint8_t *b, uint8_t count)
{
	static const uint8_t one[4] = { 1 };

	if (b[0] != 0xc7 || (b[1] & 0x38) || (b[1] & 7) == 4)
		return false;
	return b[1] >> 6 == 0 ? !count && !memcmp(b + 2, one, 4)
			      : b[1] >> 6 == 1 && b[2] == count && !memcmp(b + 3, one, 4);
}

/* `mov [pool + szidx], r32`, as bytes. */
static bool looks_like_size(const uint8_t *b, uint8_t size_index)
{
	if (b[0] != 0x89 || b[1] >> 6 != 1)
		return false;
	return (b[1] & 7) == 4 ? b[3] == size_index : b[2] == size_index;
}

static bool stores(const cs_insn *insn, uint8_t pool, uint32_t field, uint8_t size)
{
	const cs_x86_op *op = insn->detail->x86.operands;

	return insn->id == X86_INS_MOV && op[0].size == size &&
	       code_is_based(&op[0], pool, field) && op[1].type == X86_OP_REG;
}

/* Does @insn take a way out of what is looked at, or lose the pool? */
static bool leaves(struct code *code, const cs_insn *insn, uint8_t pool)
{
	return code_is_jcc(insn) || insn->id == X86_INS_CALL || code_ends(insn) ||
	       code_writes(code, insn, pool);
}

/* `pool->szidx = size`, and with it the offsets and the free list of a pool that is set up. */
static bool match_set_up(struct code *code, const struct layout *layout, uint64_t addr,
			 struct site *site)
{
	const cs_insn *insn = code_at(code, addr);
	bool next = false, max = false, list = false;
	uint8_t pool;

	if (!insn || insn->id != X86_INS_MOV || insn->detail->x86.operands[0].type != X86_OP_MEM)
		return false;
	pool = code_reg(insn->detail->x86.operands[0].mem.base);
	if (pool == CODE_NO_REG || !stores(insn, pool, layout->pool_size_index, 4))
		return false;
	*site = (struct site){ .role = SITE_OPENING,
			       .vaddr = addr,
			       .reg = pool,
			       .size_reg = code_reg(insn->detail->x86.operands[1].reg) };
	for (int i = 0; i < STORES_MAX && insn && !leaves(code, insn, pool);
	     i++, insn = match_follow(code, insn)) {
		next |= stores(insn, pool, layout->pool_next_offset, 4);
		max |= stores(insn, pool, layout->pool_max_next_offset, 4);
		list |= stores(insn, pool, layout->pool_freeblock, 8);
	}
	return next && max && list && site->size_reg != CODE_NO_REG;
}

static bool pops(struct code *code, const struct layout *layout, uint64_t addr, uint8_t pool)
{
	const cs_insn *insn = code_at(code, addr);
	uint8_t block;

	for (int i = 0; i < STEPS_MAX && insn; i++, insn = match_follow(code, insn)) {
		if (match_loads(insn, pool, layout->pool_freeblock, &block))
			return true;
		if (leaves(code, insn, pool))
			break;
	}
	return false;
}

/* From `pool->ref.count = 1` to the branch on `pool->szidx == size`. */
static bool match_same(struct code *code, const struct layout *layout, uint64_t addr,
		       struct site *site)
{
	const cs_insn *insn = code_at(code, addr);
	struct site set_up;
	uint8_t pool;

	if (!insn || insn->id != X86_INS_MOV || insn->detail->x86.operands[0].type != X86_OP_MEM)
		return false;
	pool = code_reg(insn->detail->x86.operands[0].mem.base);
	if (pool == CODE_NO_REG ||
	    !code_is_based(&insn->detail->x86.operands[0], pool, layout->pool_count))
		return false;
	for (int i = 0; i < STEPS_MAX && !match_jumps_on_zero(insn); i++) {
		insn = code_at(code, insn->address + insn->size);
		if (!insn || insn->id == X86_INS_CALL || code_ends(insn) ||
		    code_writes(code, insn, pool))
			return false;
	}
	if (!match_jumps_on_zero(insn))
		return false;
	*site = (struct site){ .role = SITE_OPENING,
			       .vaddr = insn->address,
			       .reg = pool,
			       .size_reg = CODE_NO_REG,
			       .flags = SITE_SAME_SIZE };
	return match_set_up(code, layout, match_branch(insn, false), &set_up) &&
	       set_up.reg == pool &&
	       pops(code, layout, match_branch(code_at(code, site->vaddr), true), pool);
}

int openings_find(struct code *code, const struct layout *layout, struct sites *sites)
{
	uint64_t base;
	size_t size;
	const uint8_t *text = code_text(code, &base, &size);

	for (size_t i = 1; i + 16 < size; i++) {
		bool first = looks_like_first(text + i, (uint8_t)layout->pool_count);
		struct site site;
		uint64_t addr;
		int r;

		if (!first && !looks_like_size(text + i, (uint8_t)layout->pool_size_index))
			continue;
		addr = base + i - (code_is_boundary(code, base + i) ? 0 : 1); /* behind a prefix */
		if (!code_is_boundary(code, addr) ||
		    !(first ? match_same(code, layout, addr, &site)
			    : match_set_up(code, layout, addr, &site)))
			continue;
		sites_describe(code, &site);
		if (!site.emulated)
			site.rejected = NULL; /* dear, but rare */
		r = sites_add(sites, &site);
		if (r)
			return r;
	}
	return 0;
}
