/* SPDX-License-Identifier: BSD-2-Clause */
/* CPython's allocator table: which functions really allocate, as the live process has it now. */
#pragma once

#include "base/error.h"
#include "layout/layout.h"
#include "probe/code.h"
#include "target/memory.h"
#include "target/python.h"

#include <stdbool.h>
#include <stdint.h>

/* PyMemAllocatorEx. All are addresses in the target; file address = address - bias. */
struct allocator_domain {
	uint64_t slot; /* where the struct is */
	uint64_t ctx, malloc, calloc, realloc, free;
};

enum allocator_kind {
	ALLOCATOR_UNKNOWN,
	ALLOCATOR_PYMALLOC,
	ALLOCATOR_HOOKED,   /* debug hooks, tracemalloc: something in front of pymalloc */
	ALLOCATOR_MALLOC,   /* PYTHONMALLOC=malloc */
	ALLOCATOR_MIMALLOC, /* free-threaded */
};

struct allocator {
	enum allocator_kind kind;
	struct allocator_domain raw, mem, obj; /* as found */
	struct allocator_domain inner; /* pymalloc's own functions, behind hooks if there are any */
	struct allocator_domain inner_mem; /* the same of the mem domain */
	struct allocator_domain libc;	   /* and of the raw domain */
	bool debug;	/* debug hooks are among the hooks: each block has a header and a trailer */
	bool raw_debug; /* and among those of the raw domain, behind which large blocks come from */
	uint64_t debug_free; /* their free; 0: there are none */
	uint64_t debug_realloc;
	bool pymalloc; /* what is behind them all is pymalloc */
};

/*
 * Finds and reads the table. From 3.12 on it lies in _PyRuntime; up to 3.11 its address is decoded
 * from PyObject_Malloc and its sisters. -ENOENT with @err where it cannot be found or holds no code
 * addresses.
 */
int allocator_read(const struct python *py, const struct layout *layout, struct memory *mem,
		   struct code *code, struct allocator *ret);

/* "pymalloc", "hooked" ...: for doctor and JSON. */
const char *allocator_kind_name(enum allocator_kind kind);
