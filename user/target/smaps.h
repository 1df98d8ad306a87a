/* SPDX-License-Identifier: BSD-2-Clause */
/* What of each mapping is resident, from /proc/PID/smaps. */
#pragma once

#include "base/cleanup.h"
#include "target/process.h"

#include <stddef.h>
#include <stdint.h>

struct smaps_entry {
	uint64_t start, end;
	uint64_t rss_bytes, swap_bytes;
	uint64_t private_bytes; /* Private_Clean + Private_Dirty: shared with nobody */
	uint64_t pss_bytes;	/* each page divided by the number of processes that map it */
	uint64_t anonymous_bytes;
};

struct smaps {
	struct smaps_entry *list; /* by address */
	size_t count;
	uint64_t rss_bytes, pss_bytes; /* sums */
	uint64_t forked_bytes;	       /* anonymous, and shared with a process by fork() */
};

/* 0 or negative errno (-EPERM, -ESRCH). The kernel walks the target's page tables for it: about 5
 * ms a GiB. */
int smaps_read(const struct process *proc, struct smaps **ret);
int smaps_parse(const char *text, size_t len, struct smaps **ret);
/* NULL is nothing. */
void smaps_free(struct smaps *smaps);
DEFINE_CLEANUP(struct smaps, smaps_free)
