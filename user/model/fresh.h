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

/* After this long an object's header is written, if it ever will be. */
#define FRESH_AGE_NS 10000000ull

struct fresh;

/* @mem is borrowed. @hooked: each block begins with the headers of debug hooks. */
int fresh_new(const struct process *proc, const struct layout *layout, struct memory *mem,
	      bool hooked, struct fresh **ret);
void fresh_free(struct fresh *fresh);
DEFINE_CLEANUP(struct fresh, fresh_free)

/* Remembers a block that was handed out at @now_ns. 0 or -ENOMEM. */
int fresh_push(struct fresh *fresh, uint64_t addr, uint64_t now_ns);
void fresh_clear(struct fresh *fresh);

/* Is the block at @addr, handed out at @time_ns, still the same one and without a type? */
typedef bool fresh_wanted_fn(void *ctx, uint64_t addr, uint64_t time_ns);
typedef void fresh_typed_fn(void *ctx, uint64_t addr, uint64_t type);

/*
 * For each block that was handed out before @before_ns and that @wanted still wants: @typed with
 * the address of its type, 0 where it is no object. 0, -ESRCH, -EPERM, -ENOMEM.
 */
int fresh_resolve(struct fresh *fresh, uint64_t before_ns, fresh_wanted_fn *wanted,
		  fresh_typed_fn *typed, void *ctx);

/* The type of an object that is about to be freed, 0 where the block is none. */
uint64_t fresh_type_of_dead(struct fresh *fresh, const struct session_event *event);
