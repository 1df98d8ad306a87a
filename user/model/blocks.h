/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The blocks of the target as events say, brought together with what a census says. Without a
 * census only those that were allocated in the window that is open.
 *
 * Around a census: from blocks_begin() on, every block that an event touches is remembered; then
 * the census goes into the truth with blocks_found(); blocks_freeze() is the moment that it is
 * brought to; blocks_merge() does so, and compares it with the ledger, if that was whole;
 * blocks_end() makes it the ledger. Private to model/.
 *
 * Merging takes a second for some ten million blocks, in which the ring would run full. So events
 * go on meanwhile: what they say after blocks_freeze() is kept apart, and until blocks_end() the
 * rest is only read. blocks_merge() is the one function here that needs no lock.
 */
#pragma once

#include "model/ledger.h"

#include <stdbool.h>
#include <stdint.h>

struct blocks {
	struct ledger *live;
	struct ledger *touched; /* during a census: last word of the events; size 0: freed */
	struct ledger *truth;	/* during a census */
	struct ledger *later;	/* from _freeze to _end: last word of the events on top of live */
	struct ledger_drift drift; /* from _merge to _end */
	bool whole;		   /* live is a census and all events since */
	bool had;		   /* whole, at _freeze */
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

/* Events: a block of @size bytes is at @addr from now on. 0 or -ENOMEM. */
int blocks_put(struct blocks *blocks, uint64_t addr, uint64_t size, uint32_t note);
/* None is there from now on. *ret is what was there; its addr is 0 where that is not known. 0 or
 * -ENOMEM. */
int blocks_take(struct blocks *blocks, uint64_t addr, struct ledger_block *ret);
/* False where there is none. */
bool blocks_find(const struct blocks *blocks, uint64_t addr, struct ledger_block *ret);
/* Its type is known: LEDGER_UNTYPED goes. 0 or -ENOMEM. */
int blocks_typed(struct blocks *blocks, const struct ledger_block *block);
/* Forgets all; not during a census. */
void blocks_clear(struct blocks *blocks);

/* 0 or -ENOMEM. */
int blocks_begin(struct blocks *blocks);
/* During a census: an event was of @addr, though before it began. 0 or -ENOMEM. */
int blocks_retouch(struct blocks *blocks, uint64_t addr);
/* @sure: surely a block of Python's. */
void blocks_found(struct blocks *blocks, uint64_t addr, uint64_t size, bool sure);
/* 0 or -ENOMEM: blocks_abort() is what is left. */
int blocks_freeze(struct blocks *blocks);
int blocks_merge(struct blocks *blocks);
/* The ledger is as it would be without this census. */
void blocks_abort(struct blocks *blocks);

struct blocks_drift {
	bool had;    /* there was a whole ledger to compare with */
	bool unsure; /* records were lost during this census: what is the ledger now may be wrong */
	struct ledger_drift drift;
};

/* @unsure as above. Behind a successful blocks_merge() only. 0 or -ENOMEM: as blocks_abort(). */
int blocks_end(struct blocks *blocks, bool unsure, uint64_t now_ns, struct blocks_drift *ret);

/* How long before @now_ns the block was allocated that @addr lies in. */
struct blocks_age {
	bool known;
	bool at_least; /* before we watched, or while records were lost */
	uint64_t age_ns;
};

struct blocks_age blocks_age(const struct blocks *blocks, uint64_t addr, uint64_t now_ns);
