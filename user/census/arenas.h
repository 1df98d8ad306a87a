/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where pymalloc's arenas are.
 *
 * From 3.12 on the state hangs off the interpreters (Include/internal/pycore_obmalloc_state.h); up
 * to 3.11 it is a set of static variables of Objects/obmalloc.c, found by symbol where the file has
 * them and by a scan of the interpreter's writable data otherwise. Either way what was found must
 * prove itself: every pool that hangs on a usedpools ring must lie in the arena that its arenaindex
 * names.
 */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"
#include "layout/layout.h"
#include "target/memory.h"
#include "target/python.h"

#include <stddef.h>
#include <stdint.h>

#define ARENAS_STATES_MAX 64
#define ARENAS_MAX (1u << 22)

enum arenas_evidence { ARENAS_BY_NOTHING, ARENAS_BY_INTERPRETER, ARENAS_BY_SYMBOL, ARENAS_BY_SCAN };

/* The variables of one allocator state, as addresses in the target. */
struct arenas_state {
	uint64_t usedpools; /* of the array itself */
	uint64_t arenas;    /* of the variable that points to the arena objects */
	uint64_t maxarenas; /* of the 32-bit count; 0: take it from the malloc chunk around the
			       array */
};

/* Found once per target; stays valid while it lives, sub-interpreters apart (arenas_refresh). */
struct arenas_root {
	struct arenas_state states[ARENAS_STATES_MAX];
	size_t states_count;
	uint64_t interpreters; /* a digest of those they were found by; 0: look again */
	enum arenas_evidence evidence;
};

struct arena {
	uint64_t address;      /* as mapped, not aligned */
	uint64_t pool_address; /* pools from the first aligned one up to here have been carved */
	uint32_t free_pools_count;
	uint32_t total_pools;
	uint32_t index; /* in its array: pools carry it */
};

struct arenas {
	struct arena *list; /* in the order of the arrays */
	size_t count;
};

/*
 * Finds the allocator state(s). 0; -ENOTSUP where this build has no pymalloc at all (mimalloc);
 * -ENOENT with EXIT_UNSUPPORTED where nothing proved itself.
 */
int arenas_locate(const struct python *py, const struct layout *layout, struct memory *mem,
		  struct arenas_root *ret, struct error *err);

/*
 * Looks for the states again where sub-interpreters have come or gone since. 0, or negative errno
 * as arenas_locate() has it, @root as before.
 */
int arenas_refresh(const struct python *py, const struct layout *layout, struct memory *mem,
		   struct arenas_root *root);

/* Reads the arena objects that are in use now. Entries that make no sense are skipped and counted
 * in *ret_bad. */
int arenas_read(const struct arenas_root *root, const struct layout *layout, struct memory *mem,
		struct arenas *ret, size_t *ret_bad);

void arenas_fini(struct arenas *arenas);

/* First pool of an arena, and how many pools have been carved. */
uint64_t arenas_first_pool(const struct arena *arena, const struct layout *layout);
size_t arenas_pools_count(const struct arena *arena, const struct layout *layout);
