/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/allocator.h"

#include "base/util.h"

#include <errno.h>

#define DOMAIN_WORDS 5
#define WALK_MAX 60
/* Hooks on hooks: debug and tracemalloc make two. */
#define HOOKS_MAX 4

static bool is_text(const struct python *py, uint64_t addr)
{
	const struct mapping *map = maps_find(py->maps, addr);

	return map && map->exec;
}

/* A table entry counts only if all four of its functions point to executable memory. */
static bool domain_read(const struct python *py, struct memory *mem, uint64_t slot,
			struct allocator_domain *ret)
{
	uint64_t words[DOMAIN_WORDS];

	if (memory_read(mem, slot, words, sizeof(words)))
		return false;
	for (int i = 1; i < DOMAIN_WORDS; i++)
		if (!is_text(py, words[i]))
			return false;
	*ret = (struct allocator_domain){ slot, words[0], words[1], words[2], words[3], words[4] };
	return true;
}

/*
 * Up to 3.11 the table is three static structs. PyObject_Malloc and its sisters load slot and
 * context with fixed addresses in their first instructions (Objects/obmalloc.c,
 * `_PyObject.malloc(_PyObject.ctx, size)`).
 */
static bool domain_decode(const struct python *py, struct memory *mem, struct code *code,
			  const char *name, struct allocator_domain *ret)
{
	struct elf_function fn;
	struct elf_symbol symbol;
	uint64_t addr;

	if (!elf_find_symbol(py->image, name, &symbol))
		return false;
	/* Reading all ranges takes longer than all else here. */
	fn = (struct elf_function){ symbol.value, symbol.value + symbol.size };
	if (!symbol.size && !elf_find_function(py->image, symbol.value, &fn))
		return false;
	addr = symbol.value;
	for (int i = 0; i < WALK_MAX && addr < fn.end; i++) {
		const cs_insn *insn = code_at(code, addr);

		if (!insn)
			return false;
		addr += insn->size;
		for (uint8_t k = 0; k < insn->detail->x86.op_count; k++) {
			const cs_x86_op *op = &insn->detail->x86.operands[k];
			uint64_t fixed = op->size == 8 ? code_fixed_address(insn, op) : 0;

			if (fixed && domain_read(py, mem, fixed + py->bias - 8, ret))
				return true;
		}
	}
	return false;
}

static bool domains_find(const struct python *py, const struct layout *layout, struct memory *mem,
			 struct code *code, struct allocator *ret)
{
	if (layout->runtime_allocator_obj != LAYOUT_NONE)
		return domain_read(py, mem, py->runtime + layout->runtime_allocator_raw,
				   &ret->raw) &&
		       domain_read(py, mem, py->runtime + layout->runtime_allocator_mem,
				   &ret->mem) &&
		       domain_read(py, mem, py->runtime + layout->runtime_allocator_obj, &ret->obj);
	return domain_decode(py, mem, code, "PyMem_RawMalloc", &ret->raw) &&
	       domain_decode(py, mem, code, "PyMem_Malloc", &ret->mem) &&
	       domain_decode(py, mem, code, "PyObject_Malloc", &ret->obj);
}

static bool same_functions(const struct allocator_domain *a, const struct allocator_domain *b)
{
	return a->malloc == b->malloc && a->calloc == b->calloc && a->realloc == b->realloc &&
	       a->free == b->free;
}

/*
 * Debug hooks keep the domain's letter and, at 8 bytes, the allocator behind them in their context
 * (debug_alloc_api_t, Objects/obmalloc.c), tracemalloc the allocator at its start
 * (Modules/_tracemalloc.c, Python/tracemalloc.c). *ret: what is behind all hooks of @outer;
 * *ret_debug: the debug hooks, untouched where there are none. False where that cannot be told.
 */
static bool behind_hooks(const struct python *py, struct memory *mem,
			 const struct allocator_domain *outer, struct allocator_domain *ret,
			 struct allocator_domain *ret_debug)
{
	struct allocator_domain inner = *outer;

	for (int depth = 0; inner.ctx; depth++) {
		const struct allocator_domain hook = inner;
		uint64_t ctx = inner.ctx;

		if (depth == HOOKS_MAX)
			return false;
		if (domain_read(py, mem, ctx + 8, &inner))
			*ret_debug = hook;
		else if (!domain_read(py, mem, ctx, &inner))
			return false;
	}
	*ret = inner;
	return true;
}

int allocator_read(const struct python *py, const struct layout *layout, struct memory *mem,
		   struct code *code, struct allocator *ret)
{
	struct allocator table = { 0 };
	struct allocator_domain debug = {}, mem_debug = {}, raw_debug = {};

	if (!domains_find(py, layout, mem, code, &table))
		return -ENOENT;
	if (!behind_hooks(py, mem, &table.obj, &table.inner, &debug) ||
	    !behind_hooks(py, mem, &table.mem, &table.inner_mem, &mem_debug) ||
	    !behind_hooks(py, mem, &table.raw, &table.libc, &raw_debug))
		table.kind = ALLOCATOR_UNKNOWN;
	else if (py->free_threaded)
		table.kind = ALLOCATOR_MIMALLOC;
	else if (table.obj.ctx)
		table.kind = ALLOCATOR_HOOKED;
	else
		table.kind = same_functions(&table.inner, &table.libc) ? ALLOCATOR_MALLOC
								       : ALLOCATOR_PYMALLOC;
	table.debug = debug.free;
	table.debug_free = debug.free;
	table.debug_realloc = debug.realloc;
	table.raw_debug = raw_debug.free;
	table.pymalloc = (table.kind == ALLOCATOR_HOOKED || table.kind == ALLOCATOR_PYMALLOC) &&
			 !same_functions(&table.inner, &table.libc);
	*ret = table;
	return 0;
}

const char *allocator_kind_name(enum allocator_kind kind)
{
	static const char *const names[] = {
		[ALLOCATOR_UNKNOWN] = "unknown",   [ALLOCATOR_PYMALLOC] = "pymalloc",
		[ALLOCATOR_HOOKED] = "hooked",	   [ALLOCATOR_MALLOC] = "malloc",
		[ALLOCATOR_MIMALLOC] = "mimalloc",
	};

	return (size_t)kind < ARRAY_SIZE(names) ? names[kind] : "unknown";
}
