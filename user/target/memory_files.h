/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pages of mapped files that a target has not touched: read from the file, so that looking does
 * not make them resident in the target. A page that it has, or had written and swapped out, is read
 * from the target.
 */
#pragma once

#include "base/cleanup.h"
#include "target/maps.h"
#include "target/process.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct memory_files;

/*
 * Of all readable private file mappings in @maps (not kept). Several threads may use it. @proc is
 * borrowed. 0, -ENOMEM, or what opening the page map gave.
 */
int memory_files_new(const struct process *proc, const struct maps *maps,
		     struct memory_files **ret);

/* Another user of the same object; each calls memory_files_free(). */
struct memory_files *memory_files_ref(struct memory_files *files);
void memory_files_free(struct memory_files *files);
DEFINE_CLEANUP(struct memory_files, memory_files_free)

/* Does [addr, addr + len) touch such a mapping? */
bool memory_files_touches(const struct memory_files *files, uint64_t addr, size_t len);

/* Is @addr on a page of such a mapping that the target has not touched? */
bool memory_files_spares(struct memory_files *files, uint64_t addr);

/*
 * The bytes at @addr up to the end of its page, at most @len, where that page is untouched: how
 * many were read. -EAGAIN: it is not, or not of a file: read the target.
 */
ssize_t memory_files_read(struct memory_files *files, uint64_t addr, void *buf, size_t len);
