/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What of the allocators' memory is resident, page by page (/proc/PID/pagemap), and what the rest
 * of the RSS is (/proc/PID/smaps). The parts add up to the RSS: what nothing explains is `other`.
 *
 * A page that only ever was read is the kernel's zero page: present, but no memory. It is told by
 * its frame number where we may see that (CAP_SYS_ADMIN), and counted otherwise.
 *
 * By shares, a page that several processes map counts for each with its part of it (the PSS): sums
 * over processes then count it once. Of a mapping all pages count alike, by what the whole of it
 * is shared.
 */
#pragma once

#include "census/census.h"
#include "target/maps.h"
#include "target/smaps.h"

#include <stdint.h>

struct resident {
	uint64_t whole_rss_bytes;
	uint64_t rss_bytes;	/* by shares: the PSS; files, stacks and other likewise */
	uint64_t private_bytes; /* shared with no other process */
	uint64_t swap_bytes;
	uint64_t arena_bytes;	/* of pymalloc's arenas */
	uint64_t heap_bytes;	/* of malloc's heaps */
	uint64_t mmapped_bytes; /* of malloc's chunks with a mapping of their own */
	uint64_t mmapped_size;	/* those, resident or not */
	double arena_share,
		malloc_share; /* of the above, what is this process's; 1 if not by shares */
	uint64_t file_bytes;  /* mapped files, their private pages included */
	uint64_t stack_bytes; /* of all threads */
	uint64_t other_bytes;
};

/* 0, or negative errno: -EBADF without a pagemap (@fd -1). */
int resident_measure(const struct census *census, const struct maps *maps,
		     const struct smaps *smaps, int fd, bool by_shares, struct resident *ret);
