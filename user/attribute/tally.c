/* SPDX-License-Identifier: BSD-2-Clause */
#include "attribute/tally.h"

#include "base/util.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* All fields of a tally are of this type. The n-th is bit n of the mask in front. */
#define FIELDS (sizeof(struct tally) / sizeof(int64_t))
#define MASK_BYTES 3
/* Seven bits a byte. */
#define FIELD_BYTES_MAX 10

_Static_assert(FIELDS <= 8 * MASK_BYTES && sizeof(struct tally) % sizeof(int64_t) == 0,
	       "all fields have a bit");

static size_t put_number(uint8_t *to, int64_t n)
{
	/* Small ones of either sign become small. */
	uint64_t v = ((uint64_t)n << 1) ^ (n < 0 ? UINT64_MAX : 0);
	size_t len = 0;

	for (; v >= 0x80; v >>= 7)
		to[len++] = (uint8_t)(v | 0x80);
	to[len++] = (uint8_t)v;
	return len;
}

static size_t get_number(const uint8_t *from, int64_t *ret)
{
	uint64_t v = 0;
	size_t len = 0;

	do
		v |= (uint64_t)(from[len] & 0x7f) << (7 * len);
	while (from[len++] & 0x80);
	*ret = (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
	return len;
}

static uint8_t *packed_outside(const struct tally_packed *packed)
{
	uint8_t *bytes = NULL;

	if (packed->outside)
		memcpy(&bytes, packed->bytes, sizeof(bytes));
	return bytes;
}

int tally_pack(struct tally_packed *packed, const struct tally *t)
{
	uint8_t bytes[MASK_BYTES + FIELDS * FIELD_BYTES_MAX], *outside = NULL;
	int64_t fields[FIELDS];
	size_t len = MASK_BYTES;
	uint32_t mask = 0;

	memcpy(fields, t, sizeof(fields));
	for (size_t i = 0; i < FIELDS; i++) {
		if (!fields[i])
			continue;
		mask |= 1u << i;
		len += put_number(bytes + len, fields[i]);
	}
	memcpy(bytes, &mask, MASK_BYTES);
	if (len > TALLY_PACKED_INSIDE) {
		outside = malloc(len);
		if (!outside)
			return -ENOMEM;
		memcpy(outside, bytes, len);
		memcpy(bytes, &outside, sizeof(outside));
	}
	tally_packed_fini(packed);
	memcpy(packed->bytes, bytes, TALLY_PACKED_INSIDE);
	packed->outside = outside != NULL;
	return 0;
}

struct tally tally_unpack(const struct tally_packed *packed)
{
	const uint8_t *bytes = packed->outside ? packed_outside(packed) : packed->bytes;
	int64_t fields[FIELDS] = {};
	size_t at = MASK_BYTES;
	struct tally ret;
	uint32_t mask = 0;

	memcpy(&mask, bytes, MASK_BYTES);
	for (size_t i = 0; i < FIELDS; i++)
		if (mask >> i & 1)
			at += get_number(bytes + at, &fields[i]);
	memcpy(&ret, fields, sizeof(ret));
	return ret;
}

void tally_packed_fini(struct tally_packed *packed)
{
	free(packed_outside(packed));
	*packed = (struct tally_packed){};
}
