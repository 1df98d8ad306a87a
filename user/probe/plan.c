/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/plan.h"

#include "base/clock.h"
#include "base/util.h"
#include "probe/frees.h"
#include "probe/mipages.h"
#include "probe/openings.h"

#include <errno.h>

#define REG_RSI 6
#define PLT_STEPS 12
#define OWN_POOL_SITES 3 /* malloc, calloc, realloc */

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	sites_clear(&plan->sites);
	sites_clear(&plan->fresh);
	free(plan->image_path);
	free(plan->libc_path);
	free(plan);
}

/* `jmp [got]` of a PLT entry: the address of the GOT word, as in the file. */
static uint64_t plt_slot(struct code *code, uint64_t stub)
{
	const cs_insn *insn = code_at(code, stub);

	for (int i = 0; insn && i < 3; i++, insn = code_at(code, insn->address + insn->size))
		if (insn->id == X86_INS_JMP && insn->detail->x86.operands[0].type == X86_OP_MEM)
			return code_fixed_address(insn, &insn->detail->x86.operands[0]);
	return 0;
}

/*
 * Where libc's realloc is in the target: CPython's _PyMem_RawRealloc ends in a jump through the
 * PLT, and the word behind it is what the dynamic linker chose, a preloaded allocator included. 0:
 * not found.
 */
static uint64_t libc_realloc(const struct plan_source *source, struct code *code,
			     const struct plan *plan)
{
	uint64_t bias = source->py->bias, value;
	const cs_insn *insn = code_at(code, plan->allocator.libc.realloc - bias);

	for (int i = 0; insn && i < PLT_STEPS; i++) {
		uint64_t next = insn->address + insn->size, slot = 0;

		if (code_is_jump(insn) || code_is_call(insn))
			slot = plt_slot(code, code_target(insn));
		else if (insn->id == X86_INS_JMP || insn->id == X86_INS_CALL) /* -fno-plt */
			slot = code_fixed_address(insn, &insn->detail->x86.operands[0]);
		if (slot && !memory_read_u64(source->mem, slot + bias, &value))
			return value;
		insn = code_at(code, next);
	}
	return 0;
}

static int plan_realloc(const struct plan_source *source, struct code *code, struct plan *plan)
{
	_cleanup_code_ struct code *libc_code = NULL;
	_cleanup_elf_ struct elf *libc = NULL;
	uint64_t addr = libc_realloc(source, code, plan), bias;
	struct elf_symbol version;
	const struct mapping *map = addr ? maps_find(source->py->maps, addr) : NULL;
	struct site site = { .role = SITE_LIBC_REALLOC };
	int r;

	if (!map || map->kind != MAPPING_FILE || map->inode == source->py->map->inode)
		return 0; /* not bound yet: its site stays out, and the reason is told */
	r = elf_open_mapping(source->proc, map, &libc);
	if (r)
		return r;
	bias = elf_bias(libc, source->py->maps, map);
	r = code_new(libc, &libc_code);
	if (r)
		return r;
	r = sites_find_entry(libc_code, addr - bias, CODE_NO_REG, true, &site);
	if (r)
		return r;
	plan->libc_path = strdup(elf_path(libc));
	if (!plan->libc_path)
		return -ENOMEM;
	plan->realloc = site;
	plan->libc_bias = bias;
	plan->is_glibc = elf_find_symbol(libc, "gnu_get_libc_version", &version);
	return 0;
}

static int unsupported(struct error *err, const char *why)
{
	return error_set(err, ENOTSUP, EXIT_UNSUPPORTED, "cannot trace allocations: %s", why);
}

static int plan_allocator(const struct plan_source *source, struct code *code, struct plan *plan,
			  struct error *err)
{
	if (allocator_read(source->py, source->layout, source->mem, code, &plan->allocator))
		return unsupported(err, "the allocator table was not found (use --events off)");
	switch (plan->allocator.kind) {
	case ALLOCATOR_HOOKED:
		if (!plan->allocator.pymalloc)
			return unsupported(err, "behind the process's hooks there is only malloc "
						"(use --events off)");
		return 0;
	case ALLOCATOR_PYMALLOC:
	case ALLOCATOR_MIMALLOC:
		return 0;
	case ALLOCATOR_MALLOC:
		return unsupported(err,
				   "the process runs with PYTHONMALLOC=malloc (use --events off)");
	default:
		break;
	}
	return unsupported(err, "the allocator in use is not known (use --events off)");
}

static bool is_inlined(const struct plan *plan)
{
	return plan_count(plan, SITE_POOL, false) + plan_count(plan, SITE_BLOCK, false) >
	       OWN_POOL_SITES;
}

/*
 * Up to 3.9 there is no radix tree to look for, and where compilers do not inline it is looked at
 * in a function of its own: there free and realloc are probed where they begin. That misses copies
 * that a compiler has inlined, so more pool sites than malloc, calloc and realloc have themselves
 * are refused.
 */
static int plan_entries(const struct plan_source *source, struct code *code, struct plan *plan,
			struct error *err)
{
	const struct allocator_domain *inner = &plan->allocator.inner;
	const struct {
		enum site_role role;
		uint64_t entry;
	} entries[] = { { SITE_FREE, inner->free }, { SITE_REALLOC, inner->realloc } };

	if (is_inlined(plan))
		return unsupported(
			err,
			"frees are inlined in a way that is not recognised (use --events off)");
	sites_drop(&plan->sites, SITE_REALLOC);
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		struct site site = { .role = entries[i].role };
		int r = sites_find_entry(code, entries[i].entry - source->py->bias, REG_RSI, false,
					 &site);

		if (!r)
			r = sites_add(&plan->sites, &site);
		if (r)
			return r;
	}
	return 0;
}

/* Where pools are opened. @entry: the function that does it, 0: each copy of malloc does it itself.
 */
static int plan_fresh(const struct plan_source *source, struct code *code, uint64_t entry,
		      struct plan *plan, struct error *err)
{
	struct site site = { .role = SITE_FRESH };
	int r;

	if (entry) {
		r = sites_find_entry(code, entry, CODE_NO_REG, true, &site);
		return r ? r : sites_add(&plan->fresh, &site);
	}
	r = openings_find(code, source->layout, &plan->fresh);
	if (r)
		return r;
	for (size_t i = 0; i < plan->fresh.count; i++)
		if (plan->fresh.list[i].rejected)
			return unsupported(err, "a place where pools are opened cannot be probed "
						"(use --events off)");
	return plan->fresh.count ? 0
				 : unsupported(err, "the place where pools are opened was not "
						    "recognised (use --events off)");
}

/* Debug hooks wipe a block before they free or move it: what it was is read where they begin. */
static int plan_hooks(const struct plan_source *source, struct code *code, struct plan *plan)
{
	const uint64_t entries[] = { plan->allocator.debug_free, plan->allocator.debug_realloc };
	int r = 0;

	for (size_t i = 0; !r && plan->allocator.debug && i < ARRAY_SIZE(entries); i++) {
		struct site site = { .role = SITE_DYING };

		r = sites_find_entry(code, entries[i] - source->py->bias, REG_RSI, false, &site);
		if (!r)
			r = sites_add(&plan->sites, &site);
	}
	return r;
}

/* What the BPF program takes for granted of an object's head; the same from 3.13 to 3.15. */
static bool is_split_as_known(const struct layout *l)
{
	return l->refcount == LAYOUT_REFCOUNT_SPLIT && l->ob_ref_local == 12 &&
	       l->ob_ref_shared == 16 && l->ob_type == 24;
}

/* Each function of the table must come to a place that is probed: else something is not seen. */
static bool reaches_all(struct code *code, const struct plan *plan,
			const struct allocator_domain *domain)
{
	const struct {
		uint64_t entry;
		enum site_role role;
	} wanted[] = { { domain->malloc, SITE_PAGE },
		       { domain->calloc, SITE_PAGE },
		       { domain->realloc, SITE_PAGE },
		       { domain->realloc, SITE_FREE },
		       { domain->free, SITE_FREE } };

	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		if (!mipages_reach(code, &plan->sites, wanted[i].entry - plan->bias,
				   wanted[i].role))
			return false;
	return true;
}

static int plan_mimalloc(const struct plan_source *source, struct code *code, struct plan *plan,
			 struct error *err)
{
	int r;

	if (!is_split_as_known(source->layout))
		return unsupported(err, "objects of this free-threaded version begin in a way that "
					"is not known (use --events off)");
	r = mipages_find_blocks(code, source->layout, &plan->sites);
	if (!r)
		r = mipages_find_frees(code, source->layout, &plan->sites);
	if (!r)
		r = plan_hooks(source, code, plan);
	if (r)
		return r;
	if (!reaches_all(code, plan, &plan->allocator.inner) ||
	    !reaches_all(code, plan, &plan->allocator.inner_mem))
		return unsupported(err, "mimalloc's code was not recognised (use --events off)");
	return 0;
}

/* Where a realloc's free comes too late to see what the block was, the realloc itself looks. */
static void plan_keep_words(struct plan *plan)
{
	uint8_t linked = 0;

	for (size_t i = 0; i < plan->sites.count; i++)
		if (plan->sites.list[i].role == SITE_FREE)
			linked |= plan->sites.list[i].flags & SITE_LINKED;
	for (size_t i = 0; i < plan->sites.count; i++)
		if (plan->sites.list[i].role == SITE_REALLOC)
			plan->sites.list[i].flags |= linked;
}

static int plan_pymalloc(const struct plan_source *source, struct code *code, struct plan *plan,
			 struct error *err)
{
	struct elf_function fn;
	uint64_t fresh = 0, but = 0;
	int r;

	r = sites_find_pools(code, source->layout, &plan->sites, &fresh);
	if (r)
		return r;
	if (!elf_find_function(source->py->image, plan->allocator.inner.malloc - source->py->bias,
			       &fn))
		return unsupported(err, "the allocator has no unwind information");
	r = large_find_counter(code, &fn, &plan->sites, &plan->counter);
	if (r)
		return unsupported(err, "the counter of large blocks was not recognised "
					"(use --events off)");
	r = large_find(code, &plan->counter, &plan->sites);
	if (r)
		return r;
	r = frees_find_lookups(code, source->layout, &plan->sites);
	if (r)
		return r;
	if (!plan_count(plan, SITE_FREE, false) && is_inlined(plan))
		r = frees_find_ranges(code, source->layout, &plan->sites);
	if (r)
		return r;
	if (!plan_count(plan, SITE_FREE, false)) {
		but = plan->allocator.inner.free - source->py->bias;
		r = plan_entries(source, code, plan, err);
	}
	if (!r)
		r = frees_find_pushes(code, source->layout, but, &plan->sites);
	if (!r)
		r = plan_hooks(source, code, plan);
	if (r)
		return r;
	plan_keep_words(plan);
	return plan_fresh(source, code, fresh, plan, err);
}

static int plan_fill(const struct plan_source *source, struct plan *plan, struct error *err)
{
	_cleanup_code_ struct code *code = NULL;
	uint64_t start = clock_monotonic();
	int r;

	r = code_new(source->py->image, &code);
	if (r)
		return error_set(err, -r, EXIT_UNSUPPORTED, "cannot decode %s", source->py->path);
	plan->bias = source->py->bias;
	plan->pool_size = source->layout->pool_size;
	/* Up to 3.13 it is 0 in what dies; 3.14 has flags there (Include/object.h). */
	plan->refcount_mask_high = source->layout->refcount == LAYOUT_REFCOUNT_FLAGS ? 0
										     : UINT32_MAX;
	plan->image_path = strdup(elf_path(source->py->image));
	if (!plan->image_path)
		return -ENOMEM;
	plan->values_prefix = source->layout->values == LAYOUT_VALUES_PREFIX;
	plan->split_refcount = source->layout->refcount == LAYOUT_REFCOUNT_SPLIT;
	r = plan_allocator(source, code, plan, err);
	if (r)
		return r;
	if (plan->allocator.kind == ALLOCATOR_MIMALLOC) {
		r = plan_mimalloc(source, code, plan, err);
	} else {
		r = plan_pymalloc(source, code, plan, err);
		if (!r)
			r = plan_realloc(source, code, plan);
	}
	for (size_t i = 0; i < plan->sites.count; i++)
		if (!plan->sites.list[i].rejected)
			plan->sites.list[i].spare = sites_find_spare(code, &plan->sites.list[i]);
	plan->duration_ns = clock_monotonic() - start;
	return r;
}

int plan_new(const struct plan_source *source, struct plan **ret, struct error *err)
{
	_cleanup_plan_ struct plan *plan = calloc(1, sizeof(*plan));
	int r;

	if (!plan)
		return -ENOMEM;
	r = plan_fill(source, plan, err);
	if (r)
		return r;
	*ret = TAKE_PTR(plan);
	return 0;
}

size_t plan_count(const struct plan *plan, enum site_role role, bool rejected)
{
	size_t n = 0;

	for (size_t i = 0; i < plan->sites.count; i++)
		n += plan->sites.list[i].role == role && !!plan->sites.list[i].rejected == rejected;
	return n;
}

const char *plan_role_name(enum site_role role)
{
	static const char *const names[] = {
		[SITE_POOL] = "small allocation",
		[SITE_BLOCK] = "small allocation",
		[SITE_PAGE] = "allocation",
		[SITE_LARGE] = "large allocation",
		[SITE_FREE] = "free",
		[SITE_REALLOC] = "reallocation",
		[SITE_FRESH] = "pool opened",
		[SITE_OPENING] = "pool opened",
		[SITE_DYING] = "free by debug hooks",
		[SITE_LIBC_REALLOC] = "large reallocation",
		[SITE_LIBC_REALLOC_END] = "large reallocation, end",
	};

	return (size_t)role < ARRAY_SIZE(names) && names[role] ? names[role] : "other";
}
