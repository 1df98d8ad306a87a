/* SPDX-License-Identifier: BSD-2-Clause */
/* Columns of text, aligned by what a terminal shows. */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 12

enum table_align { TABLE_LEFT, TABLE_RIGHT };

struct table_column {
	const char *title;
	enum table_align align;
	size_t least;	/* width below which it is not cut; 0: never cut */
	bool cut_front; /* where it is cut: names keep their end */
	int drop;	/* when space is short, larger numbers leave first; 0: stays */
};

struct table;

/* NULL when out of memory. @columns: at most TABLE_COLUMNS_MAX; must outlive the table. */
struct table *table_new(const struct table_column *columns, size_t count);
void table_free(struct table *table);
DEFINE_CLEANUP(struct table, table_free)
#define _cleanup_table_ cleanup(table_freep)

/* Adds the next cell, row by row; the text is made printable. 0 or -ENOMEM. */
int table_add(struct table *table, const char *text);

/*
 * Writes title and rows, two spaces between columns, in @width columns (0: as wide as it gets),
 * @indent spaces in front. Columns leave and are cut as struct table_column says. 0 or negative
 * errno.
 */
int table_write(const struct table *table, FILE *out, size_t indent, size_t width, bool bold_title);
