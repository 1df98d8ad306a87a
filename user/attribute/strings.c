/* SPDX-License-Identifier: BSD-2-Clause */
#include "attribute/strings.h"

#include "base/util.h"

#define SLOTS (1u << 17)
/* Fuller than this the table counts fewer contents. */
#define COUNT_MAX (SLOTS / 4 * 3)
/* So many copies are never left out again. */
#define MANY 32
/* What is not at hand is read in pieces of this; whole words, so that they make no difference. */
#define READ_BYTES (64u << 10)

struct slot {
	uint64_t hash; /* 0: free */
	uint64_t addr;
	uint32_t count;
	uint32_t size; /* of one block */
};

struct strings {
	struct slot *slots;
	uint8_t *buf; /* for what is read */
	size_t count;
	uint64_t mask; /* contents whose hash has any of these bits are left out, unless they are
			  many */
	int64_t unseen_bytes;
};

struct strings *strings_new(void)
{
	struct strings *strings = calloc(1, sizeof(*strings));

	if (!strings)
		return NULL;
	strings->slots = calloc(SLOTS, sizeof(*strings->slots));
	strings->buf = malloc(READ_BYTES);
	if (!strings->slots || !strings->buf) {
		strings_free(strings);
		return NULL;
	}
	return strings;
}

void strings_free(struct strings *strings)
{
	free(strings->slots);
	free(strings->buf);
	free(strings);
}

static uint64_t mix(uint64_t h)
{
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93ull;
	h ^= h >> 32;
	return h;
}

static uint64_t hash_more(uint64_t h, const uint8_t *data, size_t len)
{
	uint64_t word = 0;

	for (; len >= 8; len -= 8, data += 8)
		h = mix(h ^ load_u64(data)) + 0x9e3779b97f4a7c15ull;
	memcpy(&word, data, len);
	return len ? mix(h ^ word) : h;
}

/* 0: some of it could not be read. */
static uint64_t hash_text(const struct strings_text *text, struct memory *mem, uint8_t *buf)
{
	uint64_t h = mix(text->len + 0x9e3779b97f4a7c15ull);

	if (text->len <= text->have)
		return MAX(hash_more(h, text->data, text->len), (uint64_t)1);
	for (uint64_t at = 0; at < text->len; at += READ_BYTES) {
		size_t len = MIN(text->len - at, (uint64_t)READ_BYTES);

		if (!mem || memory_read(mem, text->contents + at, buf, len) < 0)
			return 0;
		h = hash_more(h, buf, len);
	}
	return MAX(h, (uint64_t)1);
}

/* The upper half chooses the place, the lowest bits what is left out. */
static struct slot *slot_of(struct slot *slots, uint64_t hash)
{
	size_t i = (hash >> 40) & (SLOTS - 1);

	while (slots[i].hash && slots[i].hash != hash)
		i = (i + 1) & (SLOTS - 1);
	return &slots[i];
}

/* Leaves half of the different contents out. Where memory is short it stays as it is, and full. */
static void thin_out(struct strings *strings)
{
	struct slot *old = strings->slots, *slots = calloc(SLOTS, sizeof(*slots));

	if (!slots)
		return;
	strings->mask = strings->mask << 1 | 1;
	strings->slots = slots;
	strings->count = 0;
	for (size_t i = 0; i < SLOTS; i++) {
		if (!old[i].hash || (old[i].hash & strings->mask && old[i].count < MANY))
			continue;
		*slot_of(slots, old[i].hash) = old[i];
		strings->count++;
	}
	free(old);
}

static void add_slot(struct strings *strings, const struct slot *add)
{
	struct slot *slot = slot_of(strings->slots, add->hash);

	if (slot->hash) {
		if (slot->count <= UINT32_MAX - add->count)
			slot->count += add->count;
		return;
	}
	if (add->hash & strings->mask && add->count < MANY)
		return;
	if (strings->count >= COUNT_MAX) {
		thin_out(strings);
		slot = slot_of(strings->slots, add->hash);
		if (strings->count >= COUNT_MAX || add->hash & strings->mask)
			return;
	}
	*slot = *add;
	strings->count++;
}

void strings_add(struct strings *strings, struct memory *mem, const struct strings_text *text)
{
	struct slot add = { .hash = hash_text(text, mem, strings->buf),
			    .addr = text->addr,
			    .count = 1 };

	add.size = (uint32_t)MIN(text->size, (uint64_t)UINT32_MAX);
	if (add.hash)
		add_slot(strings, &add);
	else
		strings->unseen_bytes += (int64_t)text->size;
}

void strings_merge(struct strings *strings, const struct strings *from)
{
	uint64_t before = ~strings->mask;

	while (strings->mask < from->mask && strings->mask != before) {
		before = strings->mask;
		thin_out(strings);
	}
	for (size_t i = 0; i < SLOTS; i++)
		if (from->slots[i].hash)
			add_slot(strings, &from->slots[i]);
	strings->unseen_bytes += from->unseen_bytes;
}

struct strings_sum strings_sum(const struct strings *strings)
{
	struct strings_sum sum = {
		.unseen_bytes = strings->unseen_bytes,
		.sampling = (unsigned int)strings->mask + 1,
	};

	for (size_t i = 0; i < SLOTS; i++) {
		const struct slot *slot = &strings->slots[i];
		/* One that is many stands for itself. */
		int64_t times = slot->count >= MANY ? 1 : (int64_t)strings->mask + 1;

		if (!slot->hash)
			continue;
		sum.distinct++;
		sum.copies += times * ((int64_t)slot->count - 1);
		sum.bytes += times * ((int64_t)slot->count - 1) * slot->size;
	}
	return sum;
}

static int compare_top(const void *a, const void *b)
{
	const struct strings_top *x = a, *y = b;

	return (x->bytes < y->bytes) - (x->bytes > y->bytes);
}

size_t strings_top(const struct strings *strings, struct strings_top *ret, size_t cap)
{
	size_t count = 0;

	for (size_t i = 0; i < SLOTS; i++) {
		const struct slot *slot = &strings->slots[i];
		struct strings_top top = { slot->addr, (int64_t)slot->count - 1, 0 };

		top.bytes = top.copies * slot->size;
		if (!slot->hash || !top.copies || (count == cap && top.bytes <= ret[cap - 1].bytes))
			continue;
		ret[count < cap ? count++ : cap - 1] = top;
		qsort(ret, count, sizeof(*ret), compare_top);
	}
	return count;
}
