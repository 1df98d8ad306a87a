/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The blocks that are live, by address: what the events have said so far, or a census and the
 * events since.
 *
 * An open-addressed table of 16-byte entries that is never fuller than 4/5 and grows by half:
 * between 20 and 30 bytes a live block.
 */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ledger;

struct ledger_block {
	uint64_t addr; /* never 0 */
	uint32_t size; /* bytes; blocks of 4 GiB and more are kept as UINT32_MAX */
	uint32_t note; /* LEDGER_MAYBE, when it was allocated, LEDGER_UNTYPED */
};

/* Perhaps not Python's (a malloc chunk that no object was found to own): no drift where the other
 * lacks it. */
#define LEDGER_MAYBE (1u << 31)

/* Allocated while we watched, and not yet known by type. */
#define LEDGER_UNTYPED 1u

/* The bits between: when it was allocated, in ticks of 4 ms since the watching began. 0: before;
 * all set: not known, or more than 52 days after it. */
#define LEDGER_TIME (~(LEDGER_MAYBE | LEDGER_UNTYPED))
#define LEDGER_TICK_NS (1ull << 22)

static inline uint32_t ledger_untyped(uint64_t since_start_ns)
{
	uint64_t ticks = since_start_ns / LEDGER_TICK_NS + 1, most = LEDGER_TIME >> 1;

	return LEDGER_UNTYPED | (uint32_t)(ticks < most ? ticks : most) << 1;
}

/* When a block was allocated; 0: before the watching began. False: not known. */
static inline bool ledger_time(const struct ledger_block *block, uint64_t *ret_since_start_ns)
{
	uint32_t ticks = (block->note & LEDGER_TIME) >> 1;

	*ret_since_start_ns = ticks ? (ticks - 1) * LEDGER_TICK_NS : 0;
	return ticks < LEDGER_TIME >> 1;
}

/* 0 or -ENOMEM. */
int ledger_new(struct ledger **ret);
void ledger_free(struct ledger *ledger);
DEFINE_CLEANUP(struct ledger, ledger_free)

/* Adds or overwrites. 0 or -ENOMEM (the ledger is as before). */
int ledger_put(struct ledger *ledger, uint64_t addr, uint64_t size, uint32_t note);

/* The entry of @addr, or NULL. Valid until the next put or take. */
struct ledger_block *ledger_find(struct ledger *ledger, uint64_t addr);

/* Removes @addr; *ret (may be NULL) is what was there. False where there was nothing. */
bool ledger_take(struct ledger *ledger, uint64_t addr, struct ledger_block *ret);

/* The entry of the block that @addr lies in, not more than 64 bytes behind its start; or NULL. */
#define LEDGER_FRONT_MAX 64
struct ledger_block *ledger_find_around(struct ledger *ledger, uint64_t addr);

void ledger_clear(struct ledger *ledger);
size_t ledger_count(const struct ledger *ledger);

/* All entries, in no order: start with *pos 0; NULL at the end. Nothing may be put or taken
 * meanwhile. */
const struct ledger_block *ledger_next(const struct ledger *ledger, size_t *pos);

/* Brings @truth to the state of what was @touched since it was taken (size 0: freed); notes are
 * those of @live. 0 or -ENOMEM. */
int ledger_replay(struct ledger *truth, const struct ledger *touched, struct ledger *live);

/* In one but not in both, or with another size; LEDGER_MAYBE entries apart. */
struct ledger_drift {
	uint64_t missing_objects, missing_bytes; /* in @truth, not in the ledger */
	uint64_t extra_objects, extra_bytes;	 /* in the ledger, not in @truth */
};

/* @truth learns when its blocks were allocated. */
struct ledger_drift ledger_compare(struct ledger *ledger, struct ledger *truth);
