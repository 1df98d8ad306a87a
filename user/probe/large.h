/* SPDX-License-Identifier: BSD-2-Clause */
/* Where blocks that are not of a pool come from: libc's malloc and calloc. See sites.h. */
#pragma once

#include "probe/code.h"
#include "probe/sites.h"

#include <stdint.h>

/* How the counter of large blocks is addressed: a fixed address, or a displacement from some
 * register. */
struct large_counter {
	uint64_t address; /* 0: not fixed */
	int64_t disp;
};

/* Reads it out of the function [start, end) that is the allocator's malloc. @sites: where small
 * blocks are handed out. -ENOENT where there is none. */
int large_find_counter(struct code *code, const struct elf_function *malloc_fn,
		       const struct sites *sites, struct large_counter *ret);

/* All tests of the result of libc that lead to where the counter goes up. */
int large_find(struct code *code, const struct large_counter *counter, struct sites *sites);
