/* SPDX-License-Identifier: BSD-2-Clause */
#include "attribute/addrset.h"

#include <pthread.h>
#include <stdlib.h>

struct addrset {
	pthread_mutex_t lock;
	uint64_t *slots; /* 0: empty */
	size_t room, count, max;
	bool full;
};

struct addrset *addrset_new(size_t max)
{
	struct addrset *set = calloc(1, sizeof(*set));

	if (!set)
		return NULL;
	set->room = 256;
	set->max = max;
	set->slots = calloc(set->room, sizeof(uint64_t));
	if (!set->slots) {
		free(set);
		return NULL;
	}
	pthread_mutex_init(&set->lock, NULL);
	return set;
}

void addrset_free(struct addrset *set)
{
	pthread_mutex_destroy(&set->lock);
	free(set->slots);
	free(set);
}

static uint64_t *addrset_slot(uint64_t *slots, size_t room, uint64_t addr)
{
	size_t i = (addr >> 4) * 0x9e3779b97f4a7c15ull >> 24 & (room - 1);

	while (slots[i] && slots[i] != addr)
		i = (i + 1) & (room - 1);
	return &slots[i];
}

static bool addrset_grow(struct addrset *set)
{
	size_t room = set->room * 2;
	uint64_t *slots;

	if (set->count >= set->max)
		return false;
	slots = calloc(room, sizeof(uint64_t));
	if (!slots)
		return false;
	for (size_t i = 0; i < set->room; i++)
		if (set->slots[i])
			*addrset_slot(slots, room, set->slots[i]) = set->slots[i];
	free(set->slots);
	set->slots = slots;
	set->room = room;
	return true;
}

bool addrset_add(struct addrset *set, uint64_t addr)
{
	bool added = false;
	uint64_t *slot;

	pthread_mutex_lock(&set->lock);
	if (set->count * 2 < set->room || addrset_grow(set)) {
		slot = addrset_slot(set->slots, set->room, addr);
		added = !*slot;
		set->count += added;
		*slot = addr;
	} else {
		set->full = true;
	}
	pthread_mutex_unlock(&set->lock);
	return added;
}

bool addrset_is_full(struct addrset *set)
{
	bool full;

	pthread_mutex_lock(&set->lock);
	full = set->full;
	pthread_mutex_unlock(&set->lock);
	return full;
}
