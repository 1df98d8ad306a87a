/* SPDX-License-Identifier: BSD-2-Clause */
/* Snapshots as files, for --on-pressure. */
#pragma once

#include "base/error.h"
#include "model/picture.h"

#include <stddef.h>

/* Files of one directory beyond these are not written: a process that swings around its limit fills
 * no disk. */
#define DUMP_FILES_MAX 64

/*
 * Writes @pic to @dir as "pymemtop-PID-TIME.json", readable by its owner only, whole or not at all.
 * @path (of @cap bytes) gets its name. 0 or negative errno with @err: -ENOSPC, -EACCES, -EDQUOT
 * (DUMP_FILES_MAX are there).
 */
int dump_write(const char *dir, const struct picture *pic, char *path, size_t cap,
	       struct error *err);
