/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/mipages.h"

#include "base/util.h"
#include "probe/copies.h"
#include "probe/match.h"

#include <string.h>

#define TEST_STEPS 6
#define POP_STEPS 12
#define CALLS_DEEP 3
#define CALLS_BYTES_MAX 4096
#define OWNER_BACK 12
#define OWNER_STEPS 40
#define OWNER_BRANCHES 3

static int add_described(struct code *code, struct sites *sites, struct site *site)
{
	sites_describe(code, site);
	return sites_add(sites, site);
}

/* From the load of the list's first block to the branch on it. 0: none. */
static uint64_t find_branch(struct code *code, const cs_insn *insn, uint8_t page, uint8_t block)
{
	bool tested = false;

	for (int i = 0; i < TEST_STEPS; i++) {
		struct site test = { 0 };

		insn = code_at(code, insn->address + insn->size);
		if (!insn || insn->id == X86_INS_CALL || code_ends(insn) || code_is_jump(insn))
			return 0;
		if (code_is_jcc(insn))
			return tested && match_jumps_on_zero(insn) ? insn->address : 0;
		if (match_tests_value(insn, &test) && !test.flags && test.reg == block)
			tested = true;
		else if (match_sets_flags(insn) || code_writes(code, insn, page) ||
			 code_writes(code, insn, block))
			return 0;
	}
	return 0;
}

/* `page->used++` or what it ends in: a store of its width. */
static bool counts_used(const struct layout *layout, const cs_insn *insn, uint8_t page)
{
	const cs_x86_op *op = insn->detail->x86.operands;

	return insn->detail->x86.op_count && code_is_based(&op[0], page, layout->mi_page_used) &&
	       op[0].size == layout->mi_page_used_size && op[0].access & CS_AC_WRITE;
}

/* Is the block taken from @addr on: `used++`, `free = *block`? */
static bool pops_page(struct code *code, const struct layout *layout, uint64_t addr, uint8_t page,
		      uint8_t block)
{
	const cs_insn *insn = code_at(code, addr);
	bool counted = false, unlinked = false;
	uint8_t next = CODE_NO_REG, dst;

	for (int i = 0; i < POP_STEPS && insn; i++, insn = match_follow(code, insn)) {
		const cs_x86_op *op = insn->detail->x86.operands;

		if (code_is_jcc(insn) || insn->id == X86_INS_CALL || code_ends(insn))
			return false;
		counted |= counts_used(layout, insn, page);
		if (match_loads(insn, block, 0, &dst))
			next = dst;
		else if (insn->id == X86_INS_MOV && op[1].type == X86_OP_REG && op[0].size == 8 &&
			 code_is_based(&op[0], page, layout->mi_page_free))
			unlinked = next != CODE_NO_REG && code_reg(op[1].reg) == next;
		if (counted && unlinked)
			return true;
		if (code_writes(code, insn, page))
			return false;
	}
	return false;
}

/* `test reg, reg` within the bytes behind the load: a cheap look before decoding. */
static bool looks_tested(const uint8_t *b)
{
	for (size_t i = 0; i < 12; i++)
		if ((b[i] == 0x48 || b[i] == 0x4d) && b[i + 1] == 0x85 && b[i + 2] >= 0xc0)
			return true;
	return false;
}

static bool match_block(struct code *code, const struct layout *layout, uint64_t addr,
			struct site *site)
{
	const cs_insn *insn = code_at(code, addr);
	uint8_t page, block;
	uint64_t branch;

	if (!insn || insn->id != X86_INS_MOV || insn->detail->x86.op_count != 2 ||
	    insn->detail->x86.operands[1].type != X86_OP_MEM)
		return false;
	page = code_reg(insn->detail->x86.operands[1].mem.base);
	if (page == CODE_NO_REG || !match_loads(insn, page, layout->mi_page_free, &block) ||
	    page == block)
		return false;
	branch = find_branch(code, insn, page, block);
	insn = branch ? code_at(code, branch) : NULL;
	if (!insn || !pops_page(code, layout, match_branch(insn, false), page, block))
		return false;
	*site = (struct site){ .role = SITE_PAGE,
			       .vaddr = branch,
			       .reg = block,
			       .size_reg = page,
			       .disp = (int16_t)layout->mi_page_block_size };
	/* Wide from mimalloc 2.2 on, as is told by another field that it brought. */
	if (layout->mi_page_start != LAYOUT_NONE)
		site->flags = SITE_WIDE;
	return true;
}

int mipages_find_blocks(struct code *code, const struct layout *layout, struct sites *sites)
{
	uint64_t base;
	size_t size;
	const uint8_t *text = code_text(code, &base, &size);

	for (size_t i = 0; i + 24 < size; i++) {
		struct site site;
		int r;

		if (!match_looks_like_load(text + i, (uint8_t)layout->mi_page_free) ||
		    !looks_tested(text + i + 4) || !match_block(code, layout, base + i, &site) ||
		    !code_is_boundary(code, base + i))
			continue;
		r = add_described(code, sites, &site);
		if (r)
			return r;
	}
	return 0;
}

/* What is known on the way to the branch: which registers hold the segment, its owner and our
 * thread. */
struct owner {
	struct copies block;
	uint32_t segment, owner, thread;
	bool compared;
};

/* `fs:0`, which is what mimalloc takes for the number of a thread (_mi_prim_thread_id). */
static bool is_thread(const cs_x86_op *op)
{
	return op->type == X86_OP_MEM && op->mem.segment == X86_REG_FS && !op->mem.disp &&
	       op->mem.base == X86_REG_INVALID && op->mem.index == X86_REG_INVALID;
}

static bool is_of_segment(const struct owner *o, const cs_x86_op *op)
{
	return op->type == X86_OP_MEM && op->size == 8 && op->mem.index == X86_REG_INVALID &&
	       op->mem.segment == X86_REG_INVALID && op->mem.base != X86_REG_INVALID &&
	       (o->segment & copies_bit(code_reg(op->mem.base)));
}

static bool is_one_of(uint32_t regs, const cs_x86_op *op)
{
	return op->type == X86_OP_REG && op->size == 8 && (regs & copies_bit(code_reg(op->reg)));
}

static bool compares_owner(const struct owner *o, const cs_insn *insn)
{
	const cs_x86_op *op = insn->detail->x86.operands;

	if (insn->id != X86_INS_CMP)
		return false;
	for (int i = 0; i < 2; i++) {
		const cs_x86_op *a = &op[i], *b = &op[1 - i];

		if ((is_thread(a) || is_one_of(o->thread, a)) &&
		    (is_of_segment(o, b) || is_one_of(o->owner, b)))
			return true;
	}
	return false;
}

/* Goes on over @insn. */
static void owner_after(struct code *code, const cs_insn *insn, struct owner *o)
{
	const cs_x86_op *op = insn->detail->x86.operands;
	bool moves = insn->id == X86_INS_MOV && op[0].type == X86_OP_REG && op[0].size == 8;
	uint32_t to = moves ? copies_bit(code_reg(op[0].reg)) : 0, written = 0;
	bool thread = moves && (is_thread(&op[1]) || is_one_of(o->thread, &op[1]));
	bool owner = moves && (is_of_segment(o, &op[1]) || is_one_of(o->owner, &op[1]));
	bool segment = moves && is_one_of(o->segment, &op[1]);

	if (compares_owner(o, insn))
		o->compared = true;
	else if (match_sets_flags(insn))
		o->compared = false;
	for (uint8_t reg = 0; reg < 16; reg++)
		if (code_writes(code, insn, reg))
			written |= copies_bit(reg);
	o->thread = (o->thread & ~written) | (thread ? to : 0);
	o->owner = (o->owner & ~written) | (owner ? to : 0);
	o->segment = (o->segment & ~written) | (segment ? to : 0);
	copies_after(code, insn, &o->block);
}

/* `lea s, [p - 1]`: the register p. */
static uint8_t block_before(struct code *code, uint64_t addr, uint8_t segment, uint64_t *ret_lea)
{
	for (int i = 0; i < 6; i++) {
		const cs_insn *insn;
		const cs_x86_op *op;

		addr = code_previous(code, addr);
		insn = addr ? code_at(code, addr) : NULL;
		if (!insn || insn->id == X86_INS_CALL || code_ends(insn))
			return CODE_NO_REG;
		if (!code_writes(code, insn, segment))
			continue;
		op = insn->detail->x86.operands;
		*ret_lea = addr;
		return insn->id == X86_INS_LEA && op[1].mem.disp == -1 &&
				       op[1].mem.index == X86_REG_INVALID
			       ? code_reg(op[1].mem.base)
			       : CODE_NO_REG;
	}
	return CODE_NO_REG;
}

/* Which registers hold our thread at @addr, by what stands in front of it. */
static uint32_t thread_before(struct code *code, uint64_t addr)
{
	struct owner o = { .block = { .base = CODE_NO_REG } };
	uint64_t from = addr;

	for (int i = 0; i < OWNER_BACK; i++) {
		uint64_t before = code_previous(code, from);

		if (!before)
			break;
		from = before;
	}
	while (from < addr) {
		const cs_insn *insn = code_at(code, from);

		if (!insn)
			return 0;
		from += insn->size;
		owner_after(code, insn, &o);
	}
	return o.thread;
}

/* From `and s, ~(segment size - 1)` to the branch. */
static bool match_free(struct code *code, uint64_t addr, struct site *site)
{
	const cs_insn *insn = code_at(code, addr);
	struct owner o = { .block = { .base = CODE_NO_REG } };
	uint8_t segment, block;
	int branches = 0;
	uint64_t lea;

	if (!insn || insn->id != X86_INS_AND || insn->detail->x86.operands[0].type != X86_OP_REG)
		return false;
	segment = code_reg(insn->detail->x86.operands[0].reg);
	block = block_before(code, addr, segment, &lea);
	if (block == CODE_NO_REG)
		return false;
	o.block = copies_before(code, lea, block);
	o.thread = thread_before(code, lea);
	for (uint64_t at = lea; at < addr;) {
		insn = code_at(code, at);
		at += insn->size;
		owner_after(code, insn, &o);
	}
	insn = code_at(code, addr);
	owner_after(code, insn, &o);
	o.segment = copies_bit(segment);
	for (int i = 0; i < OWNER_STEPS; i++) {
		insn = match_follow(code, insn);
		if (!insn || insn->id == X86_INS_CALL || code_ends(insn))
			return false;
		if (o.compared && match_jumps_on_zero(insn))
			break;
		if (code_is_jcc(insn) && ++branches > OWNER_BRANCHES)
			return false;
		owner_after(code, insn, &o);
	}
	*site = (struct site){ .role = SITE_FREE, .vaddr = insn->address, .size_reg = CODE_NO_REG };
	site->reg = o.block.regs ? (uint8_t)__builtin_ctz(o.block.regs) : CODE_NO_REG;
	if (!o.block.regs)
		site->rejected = "the register of the block is not kept";
	return o.compared && match_jumps_on_zero(insn);
}

/* `and r64, imm32`, as bytes. */
static bool looks_like_mask(const uint8_t *b, uint32_t mask)
{
	uint32_t imm;
	bool rax = b[0] == 0x48 && b[1] == 0x25;

	if (!rax && ((b[0] & 0xfe) != 0x48 || b[1] != 0x81 || (b[2] & 0xf8) != 0xe0))
		return false;
	memcpy(&imm, b + (rax ? 2 : 3), sizeof(imm));
	return imm == mask;
}

static bool is_known(const struct sites *sites, const struct site *site)
{
	for (size_t i = 0; i < sites->count; i++)
		if (sites->list[i].vaddr == site->vaddr)
			return true;
	return false;
}

int mipages_find_frees(struct code *code, const struct layout *layout, struct sites *sites)
{
	uint32_t mask = ~((1u << layout->mi_segment_shift) - 1);
	uint64_t base;
	size_t size;
	const uint8_t *text = code_text(code, &base, &size);

	for (size_t i = 0; i + 16 < size; i++) {
		struct site site;
		int r;

		if (!looks_like_mask(text + i, mask) || !code_is_boundary(code, base + i) ||
		    !match_free(code, base + i, &site) || is_known(sites, &site))
			continue;
		r = add_described(code, sites, &site);
		if (r)
			return r;
	}
	return 0;
}

static bool has_site(const struct sites *sites, uint64_t function, enum site_role role)
{
	for (size_t i = 0; i < sites->count; i++)
		if (sites->list[i].role == role && sites->list[i].function == function &&
		    !sites->list[i].rejected)
			return true;
	return false;
}

static bool reach(struct code *code, const struct sites *sites, uint64_t entry, enum site_role role,
		  int deep)
{
	struct elf_function fn;
	uint64_t at, end;

	if (!elf_find_function(code_elf(code), entry, &fn) || fn.start != entry)
		return false;
	if (has_site(sites, entry, role))
		return true;
	end = MIN(fn.end, entry + CALLS_BYTES_MAX);
	for (at = deep ? entry : end; at < end;) {
		const cs_insn *insn = code_at(code, at);
		uint64_t to;

		if (!insn)
			break;
		at += insn->size;
		to = code_is_call(insn) || code_is_jump(insn) ? code_target(insn) : 0;
		if (to && (to < fn.start || to >= fn.end) && reach(code, sites, to, role, deep - 1))
			return true;
	}
	return false;
}

bool mipages_reach(struct code *code, const struct sites *sites, uint64_t entry,
		   enum site_role role)
{
	return reach(code, sites, entry, role, CALLS_DEEP);
}
