/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the types took over the last two minutes: a value a second for each, in bounded memory. Of
 * very many types only the largest are kept.
 */
#pragma once

#include "base/cleanup.h"
#include "model/picture.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HISTORY_SECONDS 120
#define HISTORY_TYPES_MAX 8192

struct history;

/* Bytes in use, oldest first, a value a second; between two pictures the older one's stands. */
struct history_series {
	int64_t bytes[HISTORY_SECONDS];
	size_t count;
};

/* 0 or -ENOMEM. */
int history_new(struct history **ret);
void history_free(struct history *history);
DEFINE_CLEANUP(struct history, history_free)

/*
 * Adds what @pic says, seen at @now_ns (monotonic; never earlier than the one before). A type that
 * is missing in it has nothing. 0 or -ENOMEM; types that were added by then stay.
 */
int history_add(struct history *history, const struct picture *pic, uint64_t now_ns);

/* The series of @type as it was at @until_ns; false where nothing is known of it. */
bool history_series(const struct history *history, const struct picture_type *type,
		    uint64_t until_ns, struct history_series *ret);

/* Growth is judged from here on: what came before is warm-up. */
void history_mark(struct history *history, uint64_t now_ns);

/* Since the mark, or within the last two minutes. */
struct history_growth {
	double per_second; /* bytes; 0 where it does not keep growing */
	double sure;	   /* at least so much, by how it went so far: after a few pictures little
			      is sure of what comes and goes */
};

/*
 * A type keeps growing if it went up twice at least, never gave back more than a quarter of what it
 * gained, and still goes up; or if it comes and goes, and its lows and highs go up.
 */
struct history_growth history_growth(const struct history *history,
				     const struct picture_type *type);
