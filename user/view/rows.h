/* SPDX-License-Identifier: BSD-2-Clause */
/* Which types a view shows, and in which order: --sort, --filter and --limit, the same for every
 * view. */
#pragma once

#include "base/cleanup.h"
#include "model/picture.h"

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>

struct rows_key; /* one word of --sort */

struct rows_options {
	const struct rows_key *sort; /* NULL: by bytes */
	bool reverse;
	const regex_t *filter; /* on the name; NULL: all */
	size_t limit;	       /* 0: all */
};

struct rows {
	const struct picture_type **list;
	size_t count;
	/* Rows which passed the filter but not the limit. */
	size_t rest_count;
	int64_t rest_objects, rest_bytes;
};

/* The word @name of --sort, or NULL. */
const struct rows_key *rows_find_key(const char *name);

/* Word number @i, or NULL behind the last; and the word itself. */
const struct rows_key *rows_key_at(size_t i);
const char *rows_key_name(const struct rows_key *key);

/* All words, separated by ", ": for help and error lines. */
const char *rows_key_names(void);

/* 0 or -ENOMEM. @pic must outlive @ret, which rows_fini() releases. Unknown values come last. */
int rows_init(struct rows *ret, const struct picture *pic, const struct rows_options *opts);
void rows_fini(struct rows *rows);
#define _cleanup_rows_ cleanup(rows_fini)
