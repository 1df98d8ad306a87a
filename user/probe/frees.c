/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/frees.h"

#include "base/util.h"
#include "probe/copies.h"
#include "probe/match.h"

/* MAP_TOP_SHIFT: 48 address bits, 10 of them on top (Objects/obmalloc.c, 3.10); 64 and 15 from 3.11
 * on. */
#define RADIX_SHIFT_310 38
#define RADIX_SHIFT 49

#define REG_RSP 4

#define PATHS_MAX 24
#define PATH_STEPS 400

struct path {
	uint64_t addr;
	struct copies copies;
};

/*
 * `*(block *)p = pool->freeblock` or `pool->freeblock = p` (Objects/obmalloc.c, pymalloc_free):
 * what only a free does.
 */
static bool links(const cs_insn *insn, uint32_t regs, int64_t freeblock)
{
	const cs_x86_op *op = insn->detail->x86.operands;
	uint8_t base;

	if (insn->id != X86_INS_MOV || op[0].type != X86_OP_MEM || op[0].size != 8 ||
	    op[1].type != X86_OP_REG || op[0].mem.index != X86_REG_INVALID)
		return false;
	base = code_reg(op[0].mem.base);
	if (base == CODE_NO_REG || base == REG_RSP)
		return false;
	return (op[0].mem.disp == 0 && (regs & copies_bit(base))) ||
	       (op[0].mem.disp == freeblock && (regs & copies_bit(code_reg(op[1].reg))));
}

/*
 * Follows all paths from @addr to where they link the block into a pool's free list, before any
 * call. There may be several (duplicated tails); a realloc has none. Fills in site->links; true if
 * there is one.
 */
static bool links_block(struct code *code, const struct layout *layout, uint64_t addr,
			struct site *site)
{
	struct path paths[PATHS_MAX] = { { addr, copies_before(code, site->vaddr, site->reg) } };
	size_t count = 1, found = 0;
	int steps = 0;

	while (count && steps < PATH_STEPS) {
		struct path p = paths[--count];
		const cs_insn *insn = code_at(code, p.addr);

		for (int i = 0; insn && i < 40; i++, steps++, insn = match_follow(code, insn)) {
			bool ends = links(insn, p.copies.regs, layout->pool_freeblock);

			if (ends && found < SITE_LINKS_MAX)
				site->links[found++] = insn->address;
			if (ends || insn->id == X86_INS_CALL || code_ends(insn))
				break;
			copies_after(code, insn, &p.copies);
			if (code_is_jcc(insn) && count < PATHS_MAX)
				paths[count++] = (struct path){ code_target(insn), p.copies };
		}
	}
	return found > 0;
}

/* The register that was copied into @shifted before the shift at @addr. */
static uint8_t shifted_from(struct code *code, uint64_t addr, uint8_t shifted)
{
	for (int i = 0; i < 10; i++) {
		const cs_insn *insn;
		const cs_x86_op *op;

		addr = code_previous(code, addr);
		insn = addr ? code_at(code, addr) : NULL;
		if (!insn || code_ends(insn))
			return CODE_NO_REG;
		op = insn->detail->x86.operands;
		if (!code_writes(code, insn, shifted))
			continue;
		if (insn->id == X86_INS_MOV && op[0].type == X86_OP_REG && op[0].size == 8 &&
		    op[1].type == X86_OP_REG)
			return code_reg(op[1].reg);
		return CODE_NO_REG;
	}
	return CODE_NO_REG;
}

/* True if @reg changes on the straight way from @from to @to. */
static bool is_lost_between(struct code *code, uint64_t from, uint64_t to, uint8_t reg)
{
	const cs_insn *insn = code_at(code, from);

	for (int i = 0; insn && insn->address < to && i < 16; i++) {
		if (code_writes(code, insn, reg))
			return true;
		insn = code_at(code, insn->address + insn->size);
	}
	return false;
}

static bool indexes(const cs_insn *insn, uint8_t index, uint8_t *dst)
{
	const cs_x86_op *op = insn->detail->x86.operands;

	if (insn->id != X86_INS_MOV || op[0].type != X86_OP_REG || op[0].size != 8 ||
	    op[1].type != X86_OP_MEM || op[1].mem.scale != 8 ||
	    op[1].mem.index == X86_REG_INVALID || code_reg(op[1].mem.index) != index)
		return false;
	*dst = code_reg(op[0].reg);
	return true;
}

/* From `shr s, 49` over `mov x, [root + 8 * s]`, `test x, x` to the branch. */
static bool match_radix(struct code *code, uint64_t addr, struct site *site)
{
	const cs_insn *insn = code_at(code, addr);
	uint8_t shifted, node = CODE_NO_REG;
	struct site test = { 0 };

	if (!insn || insn->id != X86_INS_SHR || insn->detail->x86.operands[0].type != X86_OP_REG)
		return false;
	shifted = code_reg(insn->detail->x86.operands[0].reg);
	*site = (struct site){ .role = SITE_REALLOC, .size_reg = CODE_NO_REG, .vaddr = addr };
	for (int i = 0, tested = 0; i < 20; i++) {
		insn = code_at(code, insn->address + insn->size);
		if (!insn || code_ends(insn) || insn->id == X86_INS_CALL || code_is_jump(insn))
			return false;
		if (tested && match_jumps_on_zero(insn))
			break;
		if (node == CODE_NO_REG) {
			if (!indexes(insn, shifted, &node) && insn->id != X86_INS_AND &&
			    code_writes(code, insn, shifted))
				return false;
		} else if (match_tests_value(insn, &test) && test.reg == node && !test.flags) {
			tested = 1;
		}
	}
	if (!match_jumps_on_zero(insn) || node == CODE_NO_REG)
		return false;
	site->vaddr = insn->address;
	return true;
}

static void radix_classify(struct code *code, const struct layout *layout, uint64_t shift,
			   struct site *site)
{
	const cs_insn *shr = code_at(code, shift);
	const cs_insn *jcc;

	site->reg = shifted_from(code, shift, code_reg(shr->detail->x86.operands[0].reg));
	if (site->reg == CODE_NO_REG) {
		site->rejected = "the register of the block is not kept";
		return;
	}
	if (is_lost_between(code, shift, site->vaddr, site->reg)) {
		site->rejected = "the register of the block changes before the branch";
		return;
	}
	jcc = code_at(code, site->vaddr);
	if (links_block(code, layout, match_branch(jcc, false), site))
		site->role = SITE_FREE;
}

int frees_find_lookups(struct code *code, const struct layout *layout, struct sites *sites)
{
	uint64_t base;
	size_t size;
	const uint8_t *text = code_text(code, &base, &size);

	for (size_t i = 0; i + 16 < size; i++) {
		struct site site;
		int r;

		if ((text[i] & 0xfe) != 0x48 || text[i + 1] != 0xc1 ||
		    (text[i + 2] & 0xf8) != 0xe8 ||
		    (text[i + 3] != RADIX_SHIFT && text[i + 3] != RADIX_SHIFT_310))
			continue;
		if (!code_is_boundary(code, base + i) || !match_radix(code, base + i, &site))
			continue;
		radix_classify(code, layout, base + i, &site);
		sites_describe(code, &site);
		r = sites_add(sites, &site);
		if (r)
			return r;
	}
	return 0;
}

/* `and r64, -4096`, as bytes: the pool that a block would be in. */
static bool looks_like_pool(const uint8_t *b)
{
	static const uint8_t mask[] = { 0x00, 0xf0, 0xff, 0xff };

	if ((b[0] & 0xfe) != 0x48)
		return false;
	if (b[0] == 0x48 && b[1] == 0x25) /* rax */
		return !memcmp(b + 2, mask, sizeof(mask));
	return b[1] == 0x81 && (b[2] & 0xf8) == 0xe0 && !memcmp(b + 3, mask, sizeof(mask));
}

/* Where @jcc leads when a number is less than another that it was compared with, in this order or
 * the other; 0: that is not what it asks. */
static uint64_t less_branch(const cs_insn *jcc, bool is_swapped)
{
	unsigned int there = is_swapped ? X86_INS_JA : X86_INS_JB;
	unsigned int behind = is_swapped ? X86_INS_JBE : X86_INS_JAE;

	if (jcc->id == there)
		return code_target(jcc);
	return jcc->id == behind ? jcc->address + jcc->size : 0;
}

/* maxarenas, the other side, may have been loaded before. */
static bool is_index(const cs_x86_op *op, uint8_t index)
{
	return op->type == X86_OP_REG && op->size == 4 && code_reg(op->reg) == index;
}

/*
 * From `and p, -4096` over `mov i, p->arenaindex` and `cmp i, maxarenas` to the branch
 * (address_in_range() in Objects/obmalloc.c, up to 3.9). *ret_inside: where it leads when the index
 * is a valid one.
 */
static bool match_range(struct code *code, const struct layout *layout, uint64_t addr,
			struct site *site, uint64_t *ret_inside)
{
	const cs_insn *insn = code_at(code, addr);
	uint8_t pool, index = CODE_NO_REG;
	int compared = 0; /* 1: index, maxarenas; 2: the other way round */

	if (!insn || insn->id != X86_INS_AND || insn->detail->x86.operands[0].type != X86_OP_REG)
		return false;
	pool = code_reg(insn->detail->x86.operands[0].reg);
	for (int i = 0; i < 16; i++) {
		const cs_x86_op *op;

		insn = code_at(code, insn->address + insn->size);
		if (!insn || code_ends(insn) || insn->id == X86_INS_CALL || code_is_jump(insn))
			return false;
		if (code_is_jcc(insn))
			break;
		op = insn->detail->x86.operands;
		if (insn->id == X86_INS_MOV && op[0].type == X86_OP_REG && op[0].size == 4 &&
		    code_is_based(&op[1], pool, layout->pool_arena_index))
			index = code_reg(op[0].reg);
		else if (insn->id == X86_INS_CMP && index != CODE_NO_REG)
			compared = is_index(&op[0], index) ? 1 : is_index(&op[1], index) ? 2 : 0;
		else if (match_sets_flags(insn))
			compared = 0;
	}
	*ret_inside = compared ? less_branch(insn, compared == 2) : 0;
	*site = (struct site){ .role = SITE_REALLOC,
			       .size_reg = CODE_NO_REG,
			       .vaddr = insn->address,
			       .reg = shifted_from(code, addr, pool) };
	return *ret_inside;
}

int frees_find_ranges(struct code *code, const struct layout *layout, struct sites *sites)
{
	uint64_t base, inside;
	size_t size;
	const uint8_t *text = code_text(code, &base, &size);

	for (size_t i = 0; i + 16 < size; i++) {
		struct site site;
		int r;

		if (!looks_like_pool(text + i) || !code_is_boundary(code, base + i) ||
		    !match_range(code, layout, base + i, &site, &inside))
			continue;
		if (site.reg == CODE_NO_REG ||
		    is_lost_between(code, base + i, site.vaddr, site.reg))
			site.rejected = "the register of the block is not kept";
		else if (links_block(code, layout, inside, &site))
			site.role = SITE_FREE;
		sites_describe(code, &site);
		r = sites_add(sites, &site);
		if (r)
			return r;
	}
	return 0;
}

/* `mov [r64 + disp8], r64`, as bytes. */
static bool looks_like_store(const uint8_t *b, uint8_t disp)
{
	if ((b[0] & 0xf8) != 0x48 || b[1] != 0x89 || b[2] >> 6 != 1)
		return false;
	return (b[2] & 7) == 4 ? b[3] == 0x24 && b[4] == disp : b[3] == disp;
}

/* `pool->ref.count`, 4 bytes, within the next instructions: 3.8 counts behind the branch. */
static bool counts_soon(struct code *code, const struct layout *layout, uint64_t addr, uint8_t pool)
{
	for (int i = 0; i < 4; i++) {
		const cs_insn *insn = code_at(code, addr);

		if (!insn || code_ends(insn) || code_writes(code, insn, pool))
			return false;
		for (uint8_t k = 0; k < insn->detail->x86.op_count; k++)
			if (insn->detail->x86.operands[k].size == 4 &&
			    code_is_based(&insn->detail->x86.operands[k], pool, layout->pool_count))
				return true;
		addr += insn->size;
	}
	return false;
}

/*
 * From `y = pool->freeblock` over `*p = y`, `pool->freeblock = p` to the branch on y. At that
 * branch the first word of the block is already overwritten.
 */
static bool match_push(struct code *code, const struct layout *layout, uint64_t addr,
		       struct site *site)
{
	const cs_insn *insn = code_at(code, addr);
	uint8_t pool, last, block = CODE_NO_REG, linked = CODE_NO_REG;
	bool counted = false, tested = false;

	if (!insn || insn->id != X86_INS_MOV || insn->detail->x86.operands[1].type != X86_OP_MEM)
		return false;
	pool = code_reg(insn->detail->x86.operands[1].mem.base);
	if (pool == CODE_NO_REG || !match_loads(insn, pool, layout->pool_freeblock, &last))
		return false;
	*site = (struct site){ .role = SITE_FREE, .flags = SITE_LINKED, .size_reg = CODE_NO_REG };
	for (int i = 0; i < 12; i++) {
		const cs_x86_op *op;
		struct site test = { 0 };

		insn = code_at(code, insn->address + insn->size);
		if (!insn || insn->id == X86_INS_CALL || code_ends(insn) || code_is_jump(insn))
			return false;
		if (code_is_jcc(insn))
			break;
		op = insn->detail->x86.operands;
		if (insn->id == X86_INS_MOV && op[0].type == X86_OP_MEM &&
		    op[1].type == X86_OP_REG && op[0].size == 8) {
			if (code_is_based(&op[0], pool, layout->pool_freeblock))
				block = code_reg(op[1].reg);
			else if (code_reg(op[1].reg) == last && op[0].mem.disp == 0)
				linked = code_reg(op[0].mem.base);
		}
		if (block != CODE_NO_REG && code_writes(code, insn, block))
			site->rejected = "the register of the block is not kept";
		for (uint8_t k = 0; k < insn->detail->x86.op_count; k++)
			counted |= code_is_based(&op[k], pool, layout->pool_count) &&
				   op[k].size == 4;
		tested |= match_tests_value(insn, &test) && test.reg == last && !test.flags;
	}
	site->vaddr = insn->address;
	site->reg = block;
	return match_jumps_on_zero(insn) && tested && block != CODE_NO_REG && block == linked &&
	       (counted || counts_soon(code, layout, insn->address + insn->size, pool));
}

/* Does the function at @caller call the one at @callee? */
static bool calls(struct code *code, uint64_t caller, uint64_t callee)
{
	struct elf_function fn;
	const cs_insn *insn;

	if (!elf_find_function(code_elf(code), caller, &fn))
		return false;
	for (uint64_t at = fn.start; at < fn.end && (insn = code_at(code, at)); at += insn->size)
		if ((code_is_call(insn) || code_is_jump(insn)) && code_target(insn) == callee)
			return true;
	return false;
}

static bool is_linked_already(const struct sites *sites, uint64_t from, uint64_t to)
{
	for (size_t i = 0; i < sites->count; i++)
		for (size_t k = 0; k < SITE_LINKS_MAX; k++)
			if (sites->list[i].links[k] >= from && sites->list[i].links[k] <= to)
				return true;
	return false;
}

int frees_find_pushes(struct code *code, const struct layout *layout, uint64_t but,
		      struct sites *sites)
{
	uint8_t disp = (uint8_t)layout->pool_freeblock;
	uint64_t base;
	size_t size;
	const uint8_t *text = code_text(code, &base, &size);

	for (size_t i = 0; i + 64 < size; i++) {
		struct site site;
		bool store = false;
		int r;

		if (!match_looks_like_load(text + i, disp))
			continue;
		for (size_t k = 4; k < 40 && !store; k++)
			store = looks_like_store(text + i + k, disp);
		if (!store || !match_push(code, layout, base + i, &site) ||
		    !code_is_boundary(code, base + i) ||
		    is_linked_already(sites, base + i, site.vaddr))
			continue;
		sites_describe(code, &site);
		if (but && (site.function == but || calls(code, but, site.function)))
			continue;
		r = sites_add(sites, &site);
		if (r)
			return r;
	}
	return 0;
}
