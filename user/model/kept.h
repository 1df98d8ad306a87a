/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The last census of a process, for as long as it has not run since: then nothing in its heap can
 * have changed, and reading it again would give the same. What others may do to it meanwhile
 * without its running, page it out or give up pages they shared with it, is looked at anew. Private
 * to model/.
 */
#pragma once

#include "attribute/heap.h"
#include "target/process.h"
#include "target/running.h"

#include <stdbool.h>
#include <stdint.h>

/* The state of a process at one moment. */
struct kept_mark {
	bool known; /* else it equals none */
	struct running running;
	uint64_t resident_pages;
	uint64_t at_ns; /* monotonic */
};

struct kept_mark kept_mark(const struct process *proc);

/* A census of more types takes too much room: 100 bytes each. */
#define KEPT_TYPES_MAX 50000u

struct kept {
	struct heap *heap; /* NULL: none */
	struct kept_mark mark;
};

/* The kept census if it holds at @now, else NULL. It is the caller's to look at until the next
 * call. */
const struct heap *kept_find(struct kept *kept, const struct process *proc,
			     const struct kept_mark *now);

/* Takes over @heap, which was read from @mark on, and gives it back to look at as kept_find() does.
 */
const struct heap *kept_put(struct kept *kept, const struct kept_mark *mark, struct heap *heap);

/* False for a census that is let go of after use: it was read so fast that keeping it saves
 * nothing, or takes too much room. */
bool kept_lasts(const struct kept *kept);
void kept_trim(struct kept *kept);
void kept_drop(struct kept *kept);
