/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Equal strs, counted in bounded memory: by a hash of their contents, all of them while there is
 * room, then one in 2, 4, 8... of the different ones. Those with many copies are counted whole all
 * the same.
 */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct strings;

struct strings_sum {
	int64_t copies;	       /* objects beyond the first of each: estimated where sampled */
	int64_t bytes;	       /* of their blocks */
	int64_t distinct;      /* different contents that the sums rest on */
	int64_t unseen_bytes;  /* blocks of strs too long to be looked at whole */
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

/* One str object at @addr in a block of @size bytes; its @len bytes of contents are at @data (NULL:
 * not at hand). */
void strings_add(struct strings *strings, const uint8_t *data, size_t len, uint64_t addr,
		 uint64_t size);

/* What @from counted comes to @strings. */
void strings_merge(struct strings *strings, const struct strings *from);

struct strings_sum strings_sum(const struct strings *strings);

/* The contents whose copies take most, largest first, at most @cap. Returns how many. */
size_t strings_top(const struct strings *strings, struct strings_top *ret, size_t cap);
