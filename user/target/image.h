/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Captured heaps: what a census needs of a process, in one file. Tests and fuzzers run on them
 * without a process and without rights. The file holds memory of the target, secrets too: it is
 * made for its owner only.
 *
 * A gzip stream of little-endian fields:
 *   magic "pymtimg\n", u32 format (1), u32 PY_VERSION_HEX, u32 flags, u32 evidence, u64 runtime,
 * u64 bias, u64 start of the image's first mapping (0: none), u32 runtimes_count, texts: path of
 * the image, /proc/PID/maps; u32 symbols, each u64 address and a text (the name); segments in order
 * of address, each u64 address, u64 length up to 1 MiB, bytes; one of length 0 ends them. A text is
 * u32 length and bytes.
 */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"
#include "target/memory.h"
#include "target/python.h"

#include <stddef.h>
#include <stdint.h>

struct image_range {
	uint64_t addr, len;
};

/* What to write. All borrowed. */
struct image_writer {
	const struct python *py;
	struct memory *mem;
	const struct image_range *ranges; /* sorted by address, not overlapping; pages that are not
					     mapped are left out */
	size_t ranges_count;
	const struct python_symbol *symbols; /* that python_symbol() shall find again */
	size_t symbols_count;
};

/* Writes a new file (-EEXIST when there is one), removes it again on failure. 0 or negative errno.
 */
int image_write(const struct image_writer *writer, const char *path, struct error *err);

struct image {
	struct memory *memory;
	struct python *python; /* with maps and symbols, without an ELF image */
	void **buffers;	       /* the bytes behind memory */
	size_t buffers_count;
};

/*
 * Reads a file that anybody may have made: all fields are checked, sizes are bounded (4 GiB of
 * memory in all). -EBADMSG when it is not such a file or damaged; otherwise negative errno.
 */
int image_open(const char *path, struct image **ret, struct error *err);

void image_free(struct image *image);
DEFINE_CLEANUP(struct image, image_free)
#define _cleanup_image_ cleanup(image_freep)
