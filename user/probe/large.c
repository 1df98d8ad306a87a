/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/large.h"

#include "base/util.h"
#include "probe/match.h"

#include <errno.h>

/* How far the branch on the result may be from the counter, and on how many ways. */
#define STEPS_MAX 12
#define WAYS_MAX 16
#define LOOKS_MAX 100
#define TESTS_MAX 8
#define ORIGIN_STEPS 6
#define TEST_STEPS 5

#define REG_RAX 0
#define REG_RSP 4
#define REG_RBP 5

/* A way back from the counter. */
struct way {
	uint64_t addr;
	uint8_t steps;
	bool behind_call;
};

struct search {
	struct code *code;
	const struct sites *sites;
	struct way ways[WAYS_MAX];
	size_t ways_count;
	struct site found[TESTS_MAX];
	size_t count;
	bool small; /* a way leads from where a small block is handed out: 3.8 counts them too */
};

/* `add qword [counter], 1` or `inc`. */
static bool counts_up(const cs_insn *insn)
{
	const cs_x86_op *op = insn->detail->x86.operands;

	if (!insn->detail->x86.op_count || op[0].type != X86_OP_MEM || op[0].size != 8)
		return false;
	return insn->id == X86_INS_INC ||
	       (insn->id == X86_INS_ADD && op[1].type == X86_OP_IMM && op[1].imm == 1);
}

/* Do @a and @b name the same word? */
static bool same_word(const cs_insn *a, const cs_x86_op *x, const cs_insn *b, const cs_x86_op *y)
{
	uint64_t fixed = code_fixed_address(a, x);

	if (x->type != X86_OP_MEM || y->type != X86_OP_MEM || x->size != 8 || y->size != 8)
		return false;
	if (fixed)
		return code_fixed_address(b, y) == fixed;
	return x->mem.base != X86_REG_INVALID && x->mem.base != X86_REG_RIP &&
	       code_is_based(y, code_reg(x->mem.base), x->mem.disp) &&
	       x->mem.index == X86_REG_INVALID;
}

/* `add to, 1`, `inc to` or `lea to, [from + 1]`: the register that is counted up. */
static uint8_t counts_register(const cs_insn *insn, uint8_t to)
{
	const cs_x86_op *op = insn->detail->x86.operands;

	if (!insn->detail->x86.op_count || op[0].type != X86_OP_REG || code_reg(op[0].reg) != to)
		return CODE_NO_REG;
	if (insn->id == X86_INS_INC ||
	    (insn->id == X86_INS_ADD && op[1].type == X86_OP_IMM && op[1].imm == 1))
		return to;
	if (insn->id != X86_INS_LEA || op[1].mem.index != X86_REG_INVALID || op[1].mem.disp != 1)
		return CODE_NO_REG;
	return code_reg(op[1].mem.base);
}

#define COUNT_STEPS 5

/* The same by way of a register: `mov r, [counter]`, `add r, 1`, and at @addr `mov [counter], r`.
 */
static bool stores_count(struct code *code, uint64_t addr)
{
	/* First of all: what is borrowed does not outlive a change of functions. */
	uint64_t at = code_previous(code, addr);
	const cs_insn *store = at ? code_at(code, addr) : NULL;
	const cs_x86_op *to = store ? store->detail->x86.operands : NULL;
	bool counted = false;
	uint8_t reg;

	if (!store || store->id != X86_INS_MOV || to[0].type != X86_OP_MEM ||
	    to[1].type != X86_OP_REG)
		return false;
	reg = code_reg(to[1].reg);
	for (int i = 0; at && i < COUNT_STEPS; i++, at = code_previous(code, at)) {
		const cs_insn *insn = code_at(code, at);
		uint8_t from;

		if (!insn || insn->id == X86_INS_CALL || code_ends(insn) || code_is_jump(insn))
			return false;
		from = counted ? CODE_NO_REG : counts_register(insn, reg);
		if (from != CODE_NO_REG) {
			counted = true;
			reg = from;
		} else if (code_writes(code, insn, reg)) {
			return counted && insn->id == X86_INS_MOV &&
			       same_word(store, &to[0], insn, &insn->detail->x86.operands[1]);
		}
	}
	return false;
}

/* Where a value is: in a register, or in a word of the stack. */
struct place {
	uint8_t reg; /* CODE_NO_REG: in memory */
	uint8_t base;
	int64_t disp;
};

/* Goes back over @insn, a move of the value. False if it came from somewhere else. */
static bool place_before(struct code *code, const cs_insn *insn, struct place *place)
{
	const cs_x86_op *op = insn->detail->x86.operands;

	if (place->reg == CODE_NO_REG) {
		if (insn->id == X86_INS_MOV && op[1].type == X86_OP_REG &&
		    code_is_based(&op[0], place->base, place->disp))
			place->reg = code_reg(op[1].reg);
		return true;
	}
	if (!code_writes(code, insn, place->reg))
		return true;
	if (insn->id != X86_INS_MOV || op[0].size != 8)
		return false;
	if (op[1].type == X86_OP_REG) {
		place->reg = code_reg(op[1].reg);
		return place->reg != CODE_NO_REG;
	}
	if (op[1].type != X86_OP_MEM || op[1].mem.index != X86_REG_INVALID)
		return false;
	*place = (struct place){ CODE_NO_REG, code_reg(op[1].mem.base), op[1].mem.disp };
	return place->base == REG_RSP || place->base == REG_RBP;
}

static bool hands_out_small(const struct sites *sites, uint64_t function)
{
	for (size_t i = 0; i < sites->count; i++)
		if ((sites->list[i].role == SITE_POOL || sites->list[i].role == SITE_BLOCK) &&
		    sites->list[i].function == function)
			return true;
	return false;
}

/*
 * Is the value that is tested at @addr what a function has returned? *ret_function: which one, 0
 * where that cannot be told.
 */
static bool is_result(struct code *code, uint64_t addr, const struct site *site,
		      uint64_t *ret_function)
{
	bool in_memory = site->flags & SITE_IN_MEMORY;
	struct place place = { in_memory ? CODE_NO_REG : site->reg, site->reg, site->disp };

	*ret_function = 0;
	for (int i = 0; i < ORIGIN_STEPS; i++) {
		const cs_insn *insn;

		addr = code_previous(code, addr);
		insn = addr ? code_at(code, addr) : NULL;
		if (!insn || code_ends(insn) || code_is_jump(insn))
			return true;
		if (insn->id == X86_INS_CALL) {
			*ret_function = code_is_call(insn) ? code_target(insn) : 0;
			return true;
		}
		if (!place_before(code, insn, &place))
			return false;
	}
	return true;
}

/* The test in front of the branch at @at: fills in where the value is. Its address, 0: none. */
static uint64_t find_test(struct code *code, uint64_t at, struct site *site)
{
	*site = (struct site){
		.role = SITE_LARGE, .vaddr = at, .reg = CODE_NO_REG, .size_reg = CODE_NO_REG
	};
	for (int i = 0; i < 4; i++) {
		const cs_insn *insn;

		at = code_previous(code, at);
		insn = at ? code_at(code, at) : NULL;
		if (!insn || insn->id == X86_INS_CALL || code_ends(insn))
			return 0;
		if (match_tests_value(insn, site))
			return at;
		if (match_sets_flags(insn))
			return 0;
	}
	return 0;
}

static bool is_known(const struct sites *sites, const struct site *site)
{
	for (size_t i = 0; i < sites->count; i++)
		if (sites->list[i].vaddr == site->vaddr)
			return true;
	return false;
}

/* From the instruction at @from control comes to @way. */
static void search_edge(struct search *search, uint64_t from, struct way way)
{
	const cs_insn *insn = code_at(search->code, from);
	struct site site;
	uint64_t test = 0, function;

	if (!insn || code_ends(insn))
		return;
	if (match_jumps_on_zero(insn) && match_branch(insn, false) == way.addr)
		test = find_test(search->code, from, &site);
	if (test && !is_result(search->code, test, &site, &function)) {
		search->small |= is_known(search->sites, &site);
	} else if (test && hands_out_small(search->sites, function)) {
		search->small = true;
	} else if (test) {
		if (!way.behind_call && search->count < TESTS_MAX)
			search->found[search->count++] = site;
	} else if (way.steps < STEPS_MAX && search->ways_count < WAYS_MAX) {
		insn = code_at(search->code, from);
		way.behind_call |= insn->id == X86_INS_CALL;
		search->ways[search->ways_count++] =
			(struct way){ from, (uint8_t)(way.steps + 1), way.behind_call };
	}
}

/* All branches on a result that lead to the counter at @addr, wherever a compiler has put them. */
static void search_back(struct search *search, uint64_t addr)
{
	search->ways[0] = (struct way){ .addr = addr };
	search->ways_count = 1;
	search->count = 0;
	search->small = false;
	for (int i = 0; i < LOOKS_MAX && search->ways_count; i++) {
		struct way way = search->ways[--search->ways_count];
		uint64_t before = code_previous(search->code, way.addr), jump = 0;
		const cs_insn *insn = before ? code_at(search->code, before) : NULL;

		if (insn && !code_is_jump(insn))
			search_edge(search, before, way);
		while ((jump = code_jump_to(search->code, way.addr, jump)))
			search_edge(search, jump, way);
	}
}

int large_find_counter(struct code *code, const struct elf_function *malloc_fn,
		       const struct sites *sites, struct large_counter *ret)
{
	struct search search = { .code = code, .sites = sites };
	const cs_insn *insn = code_at(code, malloc_fn->start);
	uint64_t next;

	for (; insn && insn->address < malloc_fn->end; insn = code_at(code, next)) {
		struct large_counter counter = { 0 };
		uint64_t at = insn->address;

		next = at + insn->size;
		if (!counts_up(insn) && !stores_count(code, at))
			continue;
		insn = code_at(code, at);
		counter.address = code_fixed_address(insn, &insn->detail->x86.operands[0]);
		counter.disp = counter.address ? 0 : insn->detail->x86.operands[0].mem.disp;
		search_back(&search, insn->address);
		if (!search.count)
			continue;
		*ret = counter;
		return 0;
	}
	return -ENOENT;
}

/* Does the operand behind `48 83` or `48 ff` lie where the counter does? Intel's manual, volume 2,
 * table 2-2. */
static bool reaches_counter(const uint8_t *b, uint64_t addr, const struct large_counter *counter)
{
	uint8_t mod = b[2] >> 6, rm = b[2] & 7;
	const uint8_t *at = b + 3 + (rm == 4);
	uint64_t length = b[1] == 0x83 ? 8 : 7;
	int32_t disp;

	memcpy(&disp, at, sizeof(disp));
	if (mod == 0 && rm == 5)
		return addr + length + (uint64_t)(int64_t)disp == counter->address;
	if (mod == 0)
		return rm == 4 || (!counter->address && !counter->disp);
	return !counter->address && (mod == 1 ? (int8_t)*at : disp) == counter->disp;
}

/* The bytes of `add qword [..], imm8` and `inc qword [..]`, REX.W in front. */
static bool looks_like_count(const uint8_t *b, uint64_t addr, const struct large_counter *counter)
{
	return (b[0] & 0xf8) == 0x48 && (b[1] == 0x83 || b[1] == 0xff) && ((b[2] >> 3) & 7) == 0 &&
	       b[2] >> 6 != 3 && reaches_counter(b, addr, counter);
}

/* The bytes of `mov [counter], r64`. */
static bool looks_like_store(const uint8_t *b, uint64_t addr, const struct large_counter *counter)
{
	int32_t disp;

	if ((b[0] & 0xfa) != 0x48 || b[1] != 0x89)
		return false;
	memcpy(&disp, b + 3, sizeof(disp));
	if (counter->address)
		return (b[2] & 0xc7) == 5 && addr + 7 + (uint64_t)(int64_t)disp == counter->address;
	return b[2] >> 6 == 2 && (b[2] & 7) != 4 && disp == counter->disp;
}

static bool is_counter(struct code *code, uint64_t addr, const struct large_counter *counter)
{
	bool stored = code_is_boundary(code, addr) && stores_count(code, addr);
	const cs_insn *insn = code_is_boundary(code, addr) ? code_at(code, addr) : NULL;
	const cs_x86_op *op;

	if (!insn || (!stored && !counts_up(insn)))
		return false;
	op = &insn->detail->x86.operands[0];
	if (counter->address)
		return code_fixed_address(insn, op) == counter->address;
	return op->mem.base != X86_REG_RIP && op->mem.base != X86_REG_RSP &&
	       op->mem.base != X86_REG_INVALID && op->mem.index == X86_REG_INVALID &&
	       op->mem.disp == counter->disp;
}

static int add_found(struct code *code, struct search *search, uint64_t addr, struct sites *sites)
{
	if (!search->count && !search->small)
		search->found[search->count++] =
			(struct site){ .role = SITE_LARGE,
				       .vaddr = addr,
				       .reg = CODE_NO_REG,
				       .size_reg = CODE_NO_REG,
				       .rejected = "no test of a result in front of the counter" };
	for (size_t i = 0; i < search->count; i++) {
		int r;

		if (is_known(sites, &search->found[i]))
			continue; /* one branch may lead to several counters */
		sites_describe(code, &search->found[i]);
		r = sites_add(sites, &search->found[i]);
		if (r)
			return r;
	}
	return 0;
}

/*
 * Where small blocks are counted as well, in 3.8, a realloc that moves a block need not count at
 * all: the compiler has struck out one more against one less. There the calls of the same functions
 * are what is left to be found.
 */
static int add_uncounted(struct code *code, const struct site *known, struct sites *sites)
{
	struct site site = *known;
	struct elf_function fn;
	const cs_insn *insn;
	uint64_t libc, next;

	if (!is_result(code, known->vaddr, known, &libc) || !libc ||
	    !elf_find_function(code_elf(code), known->vaddr, &fn))
		return 0;
	for (uint64_t at = fn.start; at < fn.end && (insn = code_at(code, at)); at = next) {
		int steps = code_is_call(insn) && code_target(insn) == libc ? TEST_STEPS : 0, r;

		next = at + insn->size;
		while (steps-- && insn && !match_jumps_on_zero(insn))
			insn = code_at(code, insn->address + insn->size);
		if (steps < 0 || !insn || !find_test(code, insn->address, &site) ||
		    is_known(sites, &site))
			continue;
		sites_describe(code, &site);
		r = sites_add(sites, &site);
		if (r)
			return r;
	}
	return 0;
}

int large_find(struct code *code, const struct large_counter *counter, struct sites *sites)
{
	struct search search = { .code = code, .sites = sites };
	uint64_t base;
	size_t size;
	const uint8_t *text = code_text(code, &base, &size);
	bool small = false;

	for (size_t i = 0; i + 16 < size; i++) {
		int r;

		if (!looks_like_count(text + i, base + i, counter) &&
		    !looks_like_store(text + i, base + i, counter))
			continue;
		if (!is_counter(code, base + i, counter))
			continue;
		search_back(&search, base + i);
		r = add_found(code, &search, base + i, sites);
		if (r)
			return r;
		small |= search.small;
	}
	for (size_t i = 0, known = sites->count; small && i < known; i++) {
		struct site site = sites->list[i];
		int r = site.role == SITE_LARGE ? add_uncounted(code, &site, sites) : 0;

		if (r)
			return r;
	}
	return 0;
}
