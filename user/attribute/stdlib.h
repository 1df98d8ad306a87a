/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Types of the standard library's C modules whose __sizeof__ counts tables that they keep:
 * itertools, struct, pickle. Rows like those of modules.c. Private to attribute/.
 */
#pragma once

#include "attribute/builtins.h"

extern const struct builtin stdlib_rows[];
extern const size_t stdlib_rows_count;

/* A table of @count entries of @size bytes at @addr is @type's, and booked as sizeof too; nothing
 * where @addr is 0. A senseless count is counted as torn. */
void stdlib_book_table(struct worker *worker, struct type *type, uint64_t addr, uint64_t count,
		       uint64_t size);

/*
 * The text at @addr, which ends in a 0, is @type's: its bytes are booked as sizeof, its block as a
 * buffer. Text without an end is counted as torn.
 */
void stdlib_book_text(struct worker *worker, struct type *type, uint64_t addr);
