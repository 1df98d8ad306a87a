/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/blocks.h"

#include "base/util.h"

#include <errno.h>

int blocks_init(struct blocks *blocks, uint64_t start_ns)
{
	blocks->start_ns = start_ns;
	return ledger_new(&blocks->live);
}

void blocks_fini(struct blocks *blocks)
{
	blocks_abort(blocks);
	ledger_freep(&blocks->live);
}

static int blocks_touch(struct blocks *blocks, uint64_t addr, uint64_t size)
{
	return blocks->touched ? ledger_put(blocks->touched, addr, size, 0) : 0;
}

int blocks_put(struct blocks *blocks, uint64_t addr, uint64_t size, uint32_t note)
{
	int r;

	if (blocks->later)
		return ledger_put(blocks->later, addr, size, note);
	r = ledger_put(blocks->live, addr, size, note);
	return r < 0 ? r : blocks_touch(blocks, addr, size);
}

bool blocks_find(const struct blocks *blocks, uint64_t addr, struct ledger_block *ret)
{
	const struct ledger_block *block = NULL;

	if (blocks->later)
		block = ledger_find(blocks->later, addr);
	if (!block)
		block = ledger_find(blocks->live, addr);
	else if (!block->size)
		return false;
	if (!block)
		return false;
	*ret = *block;
	return true;
}

int blocks_take(struct blocks *blocks, uint64_t addr, struct ledger_block *ret)
{
	*ret = (struct ledger_block){};
	if (!blocks->later) {
		ledger_take(blocks->live, addr, ret);
		return blocks_touch(blocks, addr, 0);
	}
	blocks_find(blocks, addr, ret);
	return ledger_put(blocks->later, addr, 0, 0);
}

/* What later has LEDGER_MAYBE of is as it was, but for its type. */
int blocks_typed(struct blocks *blocks, const struct ledger_block *block)
{
	struct ledger_block *known;

	known = ledger_find(blocks->later ? blocks->later : blocks->live, block->addr);
	if (known)
		known->note &= ~LEDGER_UNTYPED;
	else if (blocks->later)
		return ledger_put(blocks->later, block->addr, block->size,
				  (block->note & ~LEDGER_UNTYPED) | LEDGER_MAYBE);
	return 0;
}

void blocks_clear(struct blocks *blocks)
{
	ledger_clear(blocks->live);
}

int blocks_begin(struct blocks *blocks)
{
	int r = ledger_new(&blocks->truth);

	return r < 0 ? r : ledger_new(&blocks->touched);
}

int blocks_retouch(struct blocks *blocks, uint64_t addr)
{
	const struct ledger_block *block = ledger_find(blocks->live, addr);

	return blocks_touch(blocks, addr, block ? block->size : 0);
}

void blocks_found(struct blocks *blocks, uint64_t addr, uint64_t size, bool sure)
{
	if (blocks->truth && ledger_put(blocks->truth, addr, size, sure ? 0 : LEDGER_MAYBE) < 0)
		ledger_freep(&blocks->truth);
}

int blocks_freeze(struct blocks *blocks)
{
	if (!blocks->truth || !blocks->touched)
		return -ENOMEM;
	blocks->had = blocks->whole;
	return ledger_new(&blocks->later);
}

int blocks_merge(struct blocks *blocks)
{
	int r = ledger_replay(blocks->truth, blocks->touched, blocks->live);

	if (!r && blocks->had)
		blocks->drift = ledger_compare(blocks->live, blocks->truth);
	return r;
}

/* What events have said since blocks_freeze() goes into @ledger. */
static int blocks_thaw(struct blocks *blocks, struct ledger *ledger)
{
	const struct ledger_block *block;
	size_t pos = 0;
	int r = 0;

	while (!r && (block = ledger_next(blocks->later, &pos))) {
		struct ledger_block *known;

		if (!block->size) {
			ledger_take(ledger, block->addr, NULL);
		} else if (!(block->note & LEDGER_MAYBE)) {
			r = ledger_put(ledger, block->addr, block->size, block->note);
		} else {
			known = ledger_find(ledger, block->addr);
			if (known)
				known->note &= ~LEDGER_UNTYPED;
		}
	}
	ledger_freep(&blocks->later);
	return r;
}

void blocks_abort(struct blocks *blocks)
{
	if (blocks->later && blocks_thaw(blocks, blocks->live) < 0)
		blocks->whole = false;
	ledger_freep(&blocks->truth);
	ledger_freep(&blocks->touched);
}

int blocks_end(struct blocks *blocks, bool unsure, uint64_t now_ns, struct blocks_drift *ret)
{
	struct blocks_drift drift = { .had = blocks->had, .unsure = unsure };
	int r = blocks_thaw(blocks, blocks->truth);

	if (r < 0) {
		blocks->whole = false;
		blocks_abort(blocks);
		return r;
	}
	if (drift.had)
		drift.drift = blocks->drift;
	if (!drift.had || unsure)
		blocks->known_since_ns = now_ns;
	ledger_free(blocks->live);
	blocks->live = TAKE_PTR(blocks->truth);
	blocks->whole = !unsure;
	blocks_abort(blocks);
	*ret = drift;
	return 0;
}

struct blocks_age blocks_age(const struct blocks *blocks, uint64_t addr, uint64_t now_ns)
{
	const struct ledger_block *block = ledger_find_around(blocks->live, addr);
	uint64_t since = blocks->known_since_ns, time;
	struct blocks_age age = {};

	if (!since || !block || !ledger_time(block, &time))
		return age;
	time += blocks->start_ns;
	age.known = true;
	age.at_least = time < since;
	age.age_ns = now_ns - MAX(time, since);
	return age;
}
