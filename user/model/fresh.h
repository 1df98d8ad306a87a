/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Types of blocks, from outside and late: of fresh ones by reading their header some milliseconds
 * after the allocation, of dying ones from the words that the record carries. Private to model/.
 */
#pragma once

#include "base/cleanup.h"
#include "layout/layout.h"
#include "probe/session.h"
#include "target/process.h"

#include <stdbool.h>
#include <stdint.h>

/* After this long an object's header is written, as a rule. It is not where the thread lost its CPU
 * in between, or up to 3.11 where a collection came in between (Modules/gcmodule.c,
 * _PyObject_GC_Alloc): what has no type is looked at again when it is ten times as old, and so on
 * for FRESH_LOOKS looks. */
#define FRESH_AGE_NS 10000000ull
#define FRESH_LOOKS 4

struct fresh;

/* @mem is borrowed. @hooked: each block begins with the headers of debug hooks. */
int fresh_new(const struct process *proc, const struct layout *layout, struct memory *mem,
	      bool hooked, struct fresh **ret);
void fresh_free(struct fresh *fresh);
DEFINE_CLEANUP(struct fresh, fresh_free)

/* Remembers a block that was handed out at @now_ns. 0 or -ENOMEM. */
int fresh_push(struct fresh *fresh, uint64_t addr, uint64_t now_ns);
void fresh_clear(struct fresh *fresh);

/* Who asks. */
struct fresh_asker {
	/* Is the block at @addr, handed out at @time_ns, still the same one and without a type? */
	bool (*wanted)(void *ctx, uint64_t addr, uint64_t time_ns);
	/* What was recorded until now is known from here on, to wanted(). */
	void (*catch_up)(void *ctx);
	/* @type: address of its type, 0 where it is no object, or none yet. */
	void (*typed)(void *ctx, uint64_t addr, uint64_t type);
	void *ctx;
};

/*
 * Reads the headers of the blocks that were handed out before @before_ns and are still wanted.
 * Those that are wanted even now, with all caught up that came before the reading, are typed: what
 * was read is theirs. UINT64_MAX: all of them, for the last time. 0, -ESRCH, -EPERM, -ENOMEM.
 */
int fresh_resolve(struct fresh *fresh, uint64_t before_ns, const struct fresh_asker *asker);

/* The type of an object that is about to be freed, 0 where the block is none. */
uint64_t fresh_type_of_dead(struct fresh *fresh, const struct session_event *event);
