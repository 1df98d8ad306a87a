/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The blocks of the target as events say, brought together with what a census says. Without a
 * census only those that were allocated in the window that is open.
 *
 * Around a census: from blocks_begin() on, every block that an event touches is remembered; then
 * the census goes into the truth with blocks_found(); blocks_end() brings it to the moment of the
 * call, compares it with the ledger, if that was whole, and makes it the ledger. Private to model/.
 */
#pragma once

#include "model/ledger.h"

#include <stdbool.h>
#include <stdint.h>

struct blocks {
	struct ledger *live;
	struct ledger *touched; /* during a census: last word of the events; size 0: freed */
	struct ledger *truth;	/* during a census */
	bool whole;		/* live is a census and all events since */
	uint64_t start_ns;
	uint64_t known_since_ns; /* no allocation since then was missed; 0: no such time */
};

/* All zero at first. 0 or -ENOMEM. */
int blocks_init(struct blocks *blocks, uint64_t start_ns);
void blocks_fini(struct blocks *blocks);

/* The note of a block that was handed out at @time_ns and has no type yet. */
static inline uint32_t blocks_untyped(const struct blocks *blocks, uint64_t time_ns)
{
	return ledger_untyped(time_ns - blocks->start_ns);
}

/* The last word of the events on @addr: a block of @size bytes, 0 where it was freed. 0 or -ENOMEM.
 */
int blocks_touch(struct blocks *blocks, uint64_t addr, uint64_t size);

/* 0 or -ENOMEM. */
int blocks_begin(struct blocks *blocks);
/* @sure: surely a block of Python's. */
void blocks_found(struct blocks *blocks, uint64_t addr, uint64_t size, bool sure);
void blocks_abort(struct blocks *blocks);

struct blocks_drift {
	bool had;    /* there was a whole ledger to compare with */
	bool unsure; /* records were lost during this census: what is the ledger now may be wrong */
	struct ledger_drift drift;
};

/* @unsure as above. 0 or -ENOMEM: the ledger is as before. */
int blocks_end(struct blocks *blocks, bool unsure, uint64_t now_ns, struct blocks_drift *ret);

/* How long before @now_ns the block was allocated that @addr lies in. */
struct blocks_age {
	bool known;
	bool at_least; /* before we watched, or while records were lost */
	uint64_t age_ns;
};

struct blocks_age blocks_age(const struct blocks *blocks, uint64_t addr, uint64_t now_ns);
