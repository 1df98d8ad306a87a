/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file of --output. It appears whole or not at all: what is written goes to a temporary file
 * beside it, which takes its place only at the end. Devices and pipes (/dev/stdout, /dev/null) are
 * written directly.
 */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdio.h>

struct output {
	FILE *stream;
	char *path;	 /* NULL: stdout */
	char *temporary; /* NULL: written directly */
	bool force;
};

/*
 * Says early, before any work, whether output_open() will do: -EEXIST (EXIT_USAGE) without @force,
 * -ENOENT, -EISDIR ... (EXIT_USAGE), -EACCES (EXIT_NO_PERMISSION). Creates nothing.
 */
int output_check(const char *path, bool force, struct error *err);

/* @path: NULL or "-" for stdout. 0 or negative errno with @err. output_fini() also after a failure.
 */
int output_open(struct output *ret, const char *path, bool force, struct error *err);

/*
 * The same for what is written line by line and may be read meanwhile: the file is there at once
 * and keeps what was written, whatever happens. An old file is replaced (@force) only here.
 */
int output_open_stream(struct output *ret, const char *path, bool force, struct error *err);

/* Writes @len bytes and flushes them: all or, in a file, nothing. 0 or negative errno. */
int output_append(struct output *out, const char *text, size_t len);

/* Flushes and puts the file in place. -EEXIST when it has come into being meanwhile; -ENOSPC,
 * -EPIPE ... */
int output_commit(struct output *out, struct error *err);

/* Fills @err for a failed write (EXIT_INTERNAL) and returns @r. -EPIPE is quiet: @err stays empty.
 */
int output_failed(const struct output *out, int r, struct error *err);

/* Removes what was not committed. */
void output_fini(struct output *out);
#define _cleanup_output_ cleanup(output_fini)
