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

int blocks_touch(struct blocks *blocks, uint64_t addr, uint64_t size)
{
	return blocks->touched ? ledger_put(blocks->touched, addr, size, 0) : 0;
}

int blocks_begin(struct blocks *blocks)
{
	int r = ledger_new(&blocks->truth);

	return r < 0 ? r : ledger_new(&blocks->touched);
}

void blocks_found(struct blocks *blocks, uint64_t addr, uint64_t size, bool sure)
{
	if (blocks->truth && ledger_put(blocks->truth, addr, size, sure ? 0 : LEDGER_MAYBE) < 0)
		ledger_freep(&blocks->truth);
}

void blocks_abort(struct blocks *blocks)
{
	ledger_freep(&blocks->truth);
	ledger_freep(&blocks->touched);
}

int blocks_end(struct blocks *blocks, bool unsure, uint64_t now_ns, struct blocks_drift *ret)
{
	struct blocks_drift drift = { .had = blocks->whole, .unsure = unsure };
	int r = -ENOMEM;

	if (blocks->truth && blocks->touched)
		r = ledger_replay(blocks->truth, blocks->touched, blocks->live);
	if (!r) {
		if (drift.had)
			drift.drift = ledger_compare(blocks->live, blocks->truth);
		if (!drift.had || unsure)
			blocks->known_since_ns = now_ns;
		ledger_free(blocks->live);
		blocks->live = TAKE_PTR(blocks->truth);
		blocks->whole = !unsure;
		*ret = drift;
	}
	blocks_abort(blocks);
	return r;
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
