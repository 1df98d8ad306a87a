/* SPDX-License-Identifier: BSD-2-Clause */
/* The mappings of a process, sorted by address, from /proc/PID/maps. */
#pragma once

#include "base/cleanup.h"
#include "target/process.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mapping_kind {
	MAPPING_FILE,
	MAPPING_ANON,	 /* no name, or a name given with prctl(PR_SET_VMA_ANON_NAME) */
	MAPPING_HEAP,	 /* [heap] */
	MAPPING_STACK,	 /* [stack] */
	MAPPING_SPECIAL, /* [vdso], [vvar], [vsyscall] */
};

struct mapping {
	uint64_t start, end;
	uint64_t offset; /* in the file */
	uint64_t inode;
	uint32_t dev_major, dev_minor;
	enum mapping_kind kind;
	bool read, write, exec, shared, deleted;
	uint64_t run_end; /* see maps_run_end() */
	const char *path; /* as the kernel prints it, "\012" undone, " (deleted)" removed; "" when
			     none */
};

struct maps {
	struct mapping *list;
	size_t count;
	char *strings;
};

/* Reads all mappings. At most 1,000,000 are taken (-E2BIG beyond). 0 or negative errno. */
int maps_read(const struct process *proc, struct maps **ret);

/* The same from text (tests, fuzzers, images). */
int maps_parse(const char *text, size_t len, struct maps **ret);

/* The text that maps_parse() takes, as the kernel would print it; owned by the caller. NULL: no
 * memory. */
char *maps_format(const struct maps *maps, size_t *len);

void maps_free(struct maps *maps);
DEFINE_CLEANUP(struct maps, maps_free)
#define _cleanup_maps_ cleanup(maps_freep)

/* The mapping that holds @addr, or NULL. */
const struct mapping *maps_find(const struct maps *maps, uint64_t addr);

/*
 * Where the run of neighbours that begins with @map ends: mappings without a gap, of one kind and
 * all writable. What one mmap() gave is a run of several where part of it was given other advice
 * (madvise, mlock).
 */
static inline uint64_t maps_run_end(const struct mapping *map)
{
	return map->run_end;
}

/* False for a mapping that goes on where a like one ends. */
bool maps_begins_run(const struct maps *maps, const struct mapping *map);
