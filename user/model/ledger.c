/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/ledger.h"

#include "base/util.h"

#include <errno.h>

#define ROOM_MIN 1024
/* Fullness is at most FULL_NUM / FULL_DEN. */
#define FULL_NUM 4
#define FULL_DEN 5

struct ledger {
	struct ledger_block *table;
	size_t room, count;
};

int ledger_new(struct ledger **ret)
{
	struct ledger *ledger = calloc(1, sizeof(*ledger));

	if (!ledger)
		return -ENOMEM;
	ledger->room = ROOM_MIN;
	ledger->table = calloc(ledger->room, sizeof(*ledger->table));
	if (!ledger->table) {
		free(ledger);
		return -ENOMEM;
	}
	*ret = ledger;
	return 0;
}

void ledger_free(struct ledger *ledger)
{
	free(ledger->table);
	free(ledger);
}

/* Where @addr would best be: its hash scaled to the room, which need not be a power of two. */
static size_t ledger_home(const struct ledger *ledger, uint64_t addr)
{
	uint64_t hash = (addr >> 4) * 0x9e3779b97f4a7c15ull;

	return (size_t)(((unsigned __int128)hash * ledger->room) >> 64);
}

static size_t ledger_step(const struct ledger *ledger, size_t i)
{
	return i + 1 == ledger->room ? 0 : i + 1;
}

static struct ledger_block *ledger_slot(const struct ledger *ledger, uint64_t addr)
{
	size_t i = ledger_home(ledger, addr);

	while (ledger->table[i].addr && ledger->table[i].addr != addr)
		i = ledger_step(ledger, i);
	return &ledger->table[i];
}

static int ledger_grow(struct ledger *ledger)
{
	struct ledger bigger = { .room = ledger->room + ledger->room / 2, .count = ledger->count };

	bigger.table = calloc(bigger.room, sizeof(*bigger.table));
	if (!bigger.table)
		return -ENOMEM;
	for (size_t i = 0; i < ledger->room; i++)
		if (ledger->table[i].addr)
			*ledger_slot(&bigger, ledger->table[i].addr) = ledger->table[i];
	free(ledger->table);
	*ledger = bigger;
	return 0;
}

int ledger_put(struct ledger *ledger, uint64_t addr, uint64_t size, uint32_t note)
{
	struct ledger_block *slot;

	if (!addr)
		return -EINVAL;
	if ((ledger->count + 1) * FULL_DEN > ledger->room * FULL_NUM) {
		int r = ledger_grow(ledger);

		if (r < 0)
			return r;
	}
	slot = ledger_slot(ledger, addr);
	ledger->count += !slot->addr;
	*slot = (struct ledger_block){ addr, (uint32_t)MIN(size, (uint64_t)UINT32_MAX), note };
	return 0;
}

struct ledger_block *ledger_find(struct ledger *ledger, uint64_t addr)
{
	struct ledger_block *slot = ledger_slot(ledger, addr);

	return addr && slot->addr ? slot : NULL;
}

struct ledger_block *ledger_find_around(struct ledger *ledger, uint64_t addr)
{
	/* Blocks are 16 bytes at least and begin at multiples of 8. */
	for (uint64_t back = 0; back <= MIN(addr, (uint64_t)LEDGER_FRONT_MAX); back += 8) {
		struct ledger_block *block = ledger_find(ledger, addr - back);

		if (block)
			return back < block->size ? block : NULL;
	}
	return NULL;
}

/* Does an entry whose home is @home reach @from only by passing @gap? */
static bool ledger_passes(size_t home, size_t gap, size_t from)
{
	return gap <= from ? home <= gap || home > from : home <= gap && home > from;
}

/* Closes the gap that a removal leaves: entries behind it move up, so that no search ends too
 * early. */
static void ledger_close_gap(struct ledger *ledger, size_t gap)
{
	for (size_t i = ledger_step(ledger, gap); ledger->table[i].addr;
	     i = ledger_step(ledger, i)) {
		if (!ledger_passes(ledger_home(ledger, ledger->table[i].addr), gap, i))
			continue;
		ledger->table[gap] = ledger->table[i];
		gap = i;
	}
	ledger->table[gap] = (struct ledger_block){};
}

bool ledger_take(struct ledger *ledger, uint64_t addr, struct ledger_block *ret)
{
	struct ledger_block *slot = ledger_find(ledger, addr);

	if (!slot)
		return false;
	if (ret)
		*ret = *slot;
	ledger_close_gap(ledger, (size_t)(slot - ledger->table));
	ledger->count--;
	return true;
}

void ledger_clear(struct ledger *ledger)
{
	memset(ledger->table, 0, ledger->room * sizeof(*ledger->table));
	ledger->count = 0;
}

size_t ledger_count(const struct ledger *ledger)
{
	return ledger->count;
}

const struct ledger_block *ledger_next(const struct ledger *ledger, size_t *pos)
{
	while (*pos < ledger->room) {
		const struct ledger_block *block = &ledger->table[(*pos)++];

		if (block->addr)
			return block;
	}
	return NULL;
}

int ledger_replay(struct ledger *truth, const struct ledger *touched, struct ledger *live)
{
	const struct ledger_block *block;
	size_t pos = 0;
	int r = 0;

	while (!r && (block = ledger_next(touched, &pos))) {
		const struct ledger_block *known = ledger_find(live, block->addr);

		if (block->size)
			r = ledger_put(truth, block->addr, block->size, known ? known->note : 0);
		else
			ledger_take(truth, block->addr, NULL);
	}
	return r;
}

/* Blocks of @a that @b lacks or has with another size. */
static void ledger_missing(struct ledger *a, struct ledger *b, uint64_t *ret_objects,
			   uint64_t *ret_bytes)
{
	const struct ledger_block *block;
	size_t pos = 0;

	while ((block = ledger_next(a, &pos))) {
		const struct ledger_block *other = ledger_find(b, block->addr);

		if ((block->note & LEDGER_MAYBE) || (other && other->size == block->size))
			continue;
		(*ret_objects)++;
		*ret_bytes += block->size;
	}
}

/* Of what the ledger lacks, nobody saw the allocation. */
static void ledger_teach(struct ledger *ledger, struct ledger *truth)
{
	for (size_t i = 0; i < truth->room; i++) {
		struct ledger_block *block = &truth->table[i];
		const struct ledger_block *known = ledger_find(ledger, block->addr);

		if (!block->addr)
			continue;
		block->note |= known && known->size == block->size
				       ? known->note & (LEDGER_TIME | LEDGER_UNTYPED)
				       : LEDGER_TIME;
	}
}

struct ledger_drift ledger_compare(struct ledger *ledger, struct ledger *truth)
{
	struct ledger_drift drift = {};

	ledger_missing(truth, ledger, &drift.missing_objects, &drift.missing_bytes);
	ledger_missing(ledger, truth, &drift.extra_objects, &drift.extra_bytes);
	ledger_teach(ledger, truth);
	return drift;
}
