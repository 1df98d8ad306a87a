/* SPDX-License-Identifier: BSD-2-Clause */
/* Snapshots and recordings as input files. "-" is stdin. */
#pragma once

#include "base/error.h"
#include "model/picture.h"

#include <stdio.h>

/* Opens @path for reading: 0, or negative errno with @err (EXIT_USAGE, EXIT_NO_PERMISSION). */
int files_open(const char *path, FILE **ret, struct error *err);

/*
 * Reads every snapshot of the file, in order, and calls @each with it. What @each returns other
 * than 0 ends it and is returned. *ret_first and *ret_last (each may be NULL) are owned by the
 * caller; with one snapshot in the file the first is NULL. A file without any is an error.
 */
typedef int files_each(void *ctx, const struct picture *pic);
int files_read(const char *path, files_each *each, void *ctx, struct picture **ret_first,
	       struct picture **ret_last, struct error *err);
