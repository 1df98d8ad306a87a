/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Equal strs, counted in bounded memory: by a hash of their contents, all of them while there is
 * room, then one in 2, 4, 8... of the different ones. Those with many copies are counted whole all
 * the same.
 */
#pragma once

#include "base/cleanup.h"
#include "target/memory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct strings;

struct strings_sum {
	int64_t copies;	       /* objects beyond the first of each: estimated where sampled */
	int64_t bytes;	       /* of their blocks */
	int64_t distinct;      /* different contents that the sums rest on */
	int64_t unseen_bytes;  /* blocks of strs whose contents could not be read */
	unsigned int sampling; /* one in how many of the different contents was counted */
};

struct strings_top {
	uint64_t addr; /* of one object with these contents */
	int64_t copies, bytes;
};

/* NULL when out of memory. */
struct strings *strings_new(void);
void strings_free(struct strings *strings);
DEFINE_CLEANUP(struct strings, strings_free)

/* One str object and its contents. */
struct strings_text {
	uint64_t addr;	   /* of the object */
	uint64_t size;	   /* of its block */
	uint64_t contents; /* where they are in the target, all @len bytes of them */
	uint64_t len;
	const uint8_t *data; /* the first @have bytes of them */
	uint64_t have;
};

/* Contents that are not all at hand are read from @mem (NULL: they stay unseen), at the speed of
 * the copy, without keeping them. */
void strings_add(struct strings *strings, struct memory *mem, const struct strings_text *text);

/* What @from counted comes to @strings. */
void strings_merge(struct strings *strings, const struct strings *from);

struct strings_sum strings_sum(const struct strings *strings);

/* The contents whose copies take most, largest first, at most @cap. Returns how many. */
size_t strings_top(const struct strings *strings, struct strings_top *ret, size_t cap);
