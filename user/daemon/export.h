/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which types of one process become metrics, and their counters. Whatever the process does, there
 * are at most `limit` rows and one "(other)", no two of the same name, and the memory behind them
 * is bounded.
 */
#pragma once

#include "base/cleanup.h"
#include "view/openmetrics.h"

#include <stddef.h>

#define EXPORT_OTHER "(other)"

struct export;

/* @limit: rows besides "(other)"; at least 1. NULL when out of memory. */
struct export *export_new(size_t limit);
void export_free(struct export *export);
DEFINE_CLEANUP(struct export, export_free)

/*
 * Chooses the rows for @pic: the largest types, those of the same name as one. Where @pic has
 * rates, counters grow by rate times @elapsed_s, the time that these rates stand for. A counter
 * only grows: what a type allocates while it is not among the rows counts for "(other)". 0 or
 * -ENOMEM (rows unchanged).
 */
int export_update(struct export *export, const struct picture *pic, double elapsed_s);

/* Valid until the next update. */
const struct openmetrics_row *export_rows(const struct export *export, size_t *count);
