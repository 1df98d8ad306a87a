/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/sites.h"

#include "base/util.h"
#include "probe/match.h"

#include <errno.h>
#include <stdio.h>

#define REG_RSP 4

int sites_add(struct sites *sites, const struct site *site)
{
	if (sites->count >= SITES_MAX)
		return -E2BIG;
	if (sites->count == sites->capacity) {
		size_t capacity = MAX(sites->capacity * 2, (size_t)64);
		struct site *list = reallocarray(sites->list, capacity, sizeof(*list));

		if (!list)
			return -ENOMEM;
		sites->list = list;
		sites->capacity = capacity;
	}
	sites->list[sites->count++] = *site;
	return 0;
}

void sites_drop(struct sites *sites, enum site_role role)
{
	size_t kept = 0;

	for (size_t i = 0; i < sites->count; i++)
		if (sites->list[i].role != role)
			sites->list[kept++] = sites->list[i];
	sites->count = kept;
}

void sites_clear(struct sites *sites)
{
	free(sites->list);
	*sites = (struct sites){ 0 };
}

void sites_describe(struct code *code, struct site *site)
{
	const cs_insn *insn = code_at(code, site->vaddr);
	struct elf_function fn;
	const char *name;

	if (insn) {
		snprintf(site->text, sizeof(site->text), "%.16s%s%.28s", insn->mnemonic,
			 insn->op_str[0] ? " " : "", insn->op_str);
		site->emulated = code_is_emulated(insn);
	}
	if (elf_find_function(code_elf(code), site->vaddr, &fn))
		site->function = fn.start;
	name = elf_symbol_at(code_elf(code), site->vaddr);
	if (name)
		snprintf(site->symbol, sizeof(site->symbol), "%s", name);
	if (!elf_offset_of(code_elf(code), site->vaddr, &site->offset) && !site->rejected)
		site->rejected = "not in a loadable segment";
	if (!site->emulated && !site->rejected)
		site->rejected = "would be single-stepped";
}

static int add_described(struct code *code, struct sites *sites, struct site *site)
{
	sites_describe(code, site);
	return sites_add(sites, site);
}

/* `cmp a, b` of two registers, either way round. */
static bool compares(const cs_insn *insn, uint8_t a, uint8_t b)
{
	const cs_x86_op *op = insn->detail->x86.operands;

	if (insn->id != X86_INS_CMP || op[0].type != X86_OP_REG || op[1].type != X86_OP_REG ||
	    op[0].size != 8)
		return false;
	return (code_reg(op[0].reg) == a && code_reg(op[1].reg) == b) ||
	       (code_reg(op[0].reg) == b && code_reg(op[1].reg) == a);
}

/* Does this path pop the free list of the pool in @reg: `count++`, and freeblock loaded? */
static bool pops_pool(struct code *code, const struct layout *layout, uint64_t addr,
		      struct site *site)
{
	const cs_insn *insn = code_at(code, addr);
	bool counted = false;

	site->check_vaddr = 0;
	for (int i = 0; i < 14 && insn; i++, insn = match_follow(code, insn)) {
		const cs_x86_op *op = insn->detail->x86.operands;
		uint8_t dst;

		if (match_loads(insn, site->reg, layout->pool_freeblock, &dst) &&
		    !site->check_vaddr) {
			site->check_vaddr = insn->address + insn->size;
			site->check_reg = dst;
		} else if (insn->detail->x86.op_count &&
			   code_is_based(&op[0], site->reg, layout->pool_count) &&
			   (op[0].access & CS_AC_WRITE)) {
			counted = true;
		}
		if (counted && site->check_vaddr)
			return true;
		if (code_is_jcc(insn) || insn->id == X86_INS_CALL || code_ends(insn) ||
		    code_writes(code, insn, site->reg))
			return false;
	}
	return false;
}

/*
 * From where the free list's head was loaded to the branch on `(pool->freeblock = *block) == NULL`:
 * moves @site there if the block is still in its register.
 */
static void move_to_block(struct code *code, struct site *site)
{
	const cs_insn *insn = code_at(code, site->check_vaddr);
	uint8_t block = site->check_reg, next = CODE_NO_REG, dst;
	bool tested = false;

	for (int i = 0; i < 14 && insn; i++, insn = match_follow(code, insn)) {
		struct site test = { 0 };

		if (tested && match_jumps_on_zero(insn)) {
			site->role = SITE_BLOCK;
			site->vaddr = insn->address;
			site->reg = block;
			return;
		}
		if (code_is_jcc(insn) || insn->id == X86_INS_CALL || code_ends(insn))
			return;
		if (next == CODE_NO_REG && match_loads(insn, block, 0, &dst) && dst != block)
			next = dst;
		else if (next != CODE_NO_REG && match_tests_value(insn, &test) &&
			 !(test.flags & SITE_IN_MEMORY) && test.reg == next)
			tested = true;
		else if (code_writes(code, insn, block) || (tested && match_sets_flags(insn)) ||
			 (!tested && next != CODE_NO_REG && code_writes(code, insn, next)))
			return;
	}
}

static uint64_t first_call(struct code *code, uint64_t addr)
{
	const cs_insn *insn = code_at(code, addr);

	for (int i = 0; i < 14 && insn && !code_ends(insn); i++, insn = match_follow(code, insn)) {
		if (code_is_call(insn))
			return code_target(insn);
		if (code_is_jcc(insn))
			return 0;
	}
	return 0;
}

/* `cmp [pool + nextpool], pool`, either way round, as compilers write it that optimise less. */
static bool compares_at_once(const cs_insn *insn, const struct layout *layout, uint8_t *pool)
{
	const cs_x86_op *op = insn->detail->x86.operands;
	int reg = op[0].type == X86_OP_REG ? 0 : 1;

	if (insn->id != X86_INS_CMP || op[reg].type != X86_OP_REG || op[reg].size != 8)
		return false;
	*pool = code_reg(op[reg].reg);
	return code_is_based(&op[1 - reg], *pool, layout->pool_next);
}

/* From `mov next, [pool + nextpool]` to the branch on `pool == next`. */
static bool match_pool(struct code *code, const struct layout *layout, uint64_t addr,
		       struct site *site)
{
	const cs_insn *insn = code_at(code, addr);
	uint8_t next = CODE_NO_REG, pool;
	bool compared;

	if (!insn || insn->detail->x86.op_count != 2)
		return false;
	compared = compares_at_once(insn, layout, &pool);
	if (!compared && insn->detail->x86.operands[1].type != X86_OP_MEM)
		return false;
	if (!compared)
		pool = code_reg(insn->detail->x86.operands[1].mem.base);
	if (pool == CODE_NO_REG ||
	    (!compared && (!match_loads(insn, pool, layout->pool_next, &next) || next == pool)))
		return false;
	for (int i = 0; i < 10; i++) {
		insn = code_at(code, insn->address + insn->size);
		if (!insn || code_ends(insn) || insn->id == X86_INS_CALL)
			return false;
		if (compared && match_jumps_on_zero(insn))
			break;
		if (!compared && compares(insn, pool, next))
			compared = true;
		else if (code_is_jcc(insn) || code_is_jump(insn) || code_writes(code, insn, pool) ||
			 (!compared && code_writes(code, insn, next)) ||
			 (compared && match_sets_flags(insn)))
			return false;
	}
	*site = (struct site){
		.role = SITE_POOL, .vaddr = insn->address, .reg = pool, .size_reg = CODE_NO_REG
	};
	return match_jumps_on_zero(insn) && compared;
}

struct vote {
	uint64_t target;
	unsigned int votes;
};

static void vote_add(struct vote *votes, size_t count, uint64_t target)
{
	for (size_t i = 0; i < count; i++) {
		if (votes[i].votes && votes[i].target != target)
			continue;
		votes[i].target = target;
		votes[i].votes++;
		return;
	}
}

static uint64_t vote_winner(const struct vote *votes, size_t count)
{
	const struct vote *best = &votes[0];

	for (size_t i = 1; i < count; i++)
		if (votes[i].votes > best->votes)
			best = &votes[i];
	return best->target;
}

static bool match_pool_whole(struct code *code, const struct layout *layout, uint64_t addr,
			     struct site *site, uint64_t *slow)
{
	const cs_insn *jcc;
	uint64_t pops;

	if (!match_pool(code, layout, addr, site))
		return false;
	jcc = code_at(code, site->vaddr);
	pops = match_branch(jcc, false);
	*slow = match_branch(jcc, true);
	if (!pops_pool(code, layout, pops, site))
		return false;
	move_to_block(code, site);
	return true;
}

/* Copies of the fast path may share their end: one site stands for them. */
static bool is_known(const struct sites *sites, struct site *site)
{
	for (size_t i = 0; i < sites->count; i++) {
		if (sites->list[i].vaddr != site->vaddr || sites->list[i].role != site->role)
			continue;
		if (sites->list[i].reg == site->reg)
			return true;
		site->rejected = "shared by copies that keep the block in different registers";
	}
	return false;
}

/* `cmp [r64 + disp8], r64` of one and the same register, as bytes. */
static bool looks_like_compare(const uint8_t *b, uint8_t disp)
{
	bool low = b[0] == 0x48, high = b[0] == 0x4d;

	if ((!low && !high) || (b[1] != 0x39 && b[1] != 0x3b) || b[2] >> 6 != 1 ||
	    ((b[2] >> 3) & 7) != (b[2] & 7))
		return false;
	return (b[2] & 7) == 4 ? b[3] == 0x24 && b[4] == disp : b[3] == disp;
}

int sites_find_pools(struct code *code, const struct layout *layout, struct sites *sites,
		     uint64_t *fresh)
{
	struct vote votes[8] = { 0 };
	uint64_t base;
	size_t size;
	const uint8_t *text = code_text(code, &base, &size);

	for (size_t i = 0; i + 16 < size; i++) {
		struct site site;
		uint64_t slow, call;
		int r;

		if ((!match_looks_like_load(text + i, (uint8_t)layout->pool_next) &&
		     !looks_like_compare(text + i, (uint8_t)layout->pool_next)) ||
		    !match_pool_whole(code, layout, base + i, &site, &slow))
			continue;
		if (!code_is_boundary(code, base + i) || !code_is_boundary(code, site.vaddr))
			site.rejected = "not at the border of an instruction";
		call = first_call(code, slow);
		if (call)
			vote_add(votes, ARRAY_SIZE(votes), call);
		r = is_known(sites, &site) ? 0 : add_described(code, sites, &site);
		if (r)
			return r;
	}
	*fresh = vote_winner(votes, ARRAY_SIZE(votes));
	return 0;
}

/* Does any jump of the function around @entry lead into (entry, addr]? Then it may run more than
 * once. */
static bool is_entered_late(struct code *code, uint64_t entry, uint64_t addr)
{
	const cs_insn *insn = code_at(code, entry);

	while (insn && insn->address < addr) {
		uint64_t next = insn->address + insn->size;

		if (code_jump_to(code, next, 0))
			return true;
		insn = code_at(code, next);
	}
	return false;
}

int sites_find_entry(struct code *code, uint64_t entry, uint8_t reg, bool fresh_stack,
		     struct site *ret)
{
	const cs_insn *insn = code_at(code, entry);
	struct site site = {
		.vaddr = entry, .reg = reg, .size_reg = CODE_NO_REG, .role = ret->role
	};

	if (!insn)
		return -EFAULT;
	for (int i = 0; i < 12 && insn; i++) {
		bool last = code_is_jcc(insn) || code_is_jump(insn) || code_is_call(insn);
		uint64_t addr = insn->address, next = addr + insn->size;

		if (code_is_emulated(insn) && !is_entered_late(code, entry, addr)) {
			site.vaddr = addr;
			break;
		}
		insn = code_at(code, addr);
		if (last || code_ends(insn) ||
		    (reg != CODE_NO_REG && code_writes(code, insn, reg)) ||
		    (fresh_stack && code_writes(code, insn, REG_RSP)))
			break;
		insn = code_at(code, next);
	}
	sites_describe(code, &site);
	if (!site.emulated)
		site.rejected = NULL; /* dear, but these are rare */
	*ret = site;
	return 0;
}

uint64_t sites_find_spare(struct code *code, const struct site *site)
{
	uint64_t before = code_previous(code, site->vaddr);
	const cs_insn *insn = before ? code_at(code, before) : NULL;

	/* What the flags say there is not known before. */
	if (site->role != SITE_BLOCK && site->role != SITE_FREE && site->role != SITE_REALLOC)
		return 0;
	if (!insn || insn->address + insn->size != site->vaddr || code_is_jcc(insn) ||
	    code_is_jump(insn) || insn->id == X86_INS_CALL || code_ends(insn) ||
	    code_writes(code, insn, site->reg) || (site->flags & SITE_IN_MEMORY) ||
	    code_jump_to(code, site->vaddr, 0))
		return 0;
	return before;
}
