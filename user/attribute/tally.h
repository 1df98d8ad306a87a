/* SPDX-License-Identifier: BSD-2-Clause */
/* What is counted for each type, and for dicts. Same words and order as model/picture.h (asserted
 * there). */
#pragma once

#include <stdint.h>

enum tally_part {
	TALLY_OBJECT,
	TALLY_DICT,
	TALLY_DICT_KEYS,
	TALLY_DICT_VALUES,
	TALLY_BUFFER,
	TALLY_PARTS,
};

enum tally_storage {
	TALLY_INLINE,
	TALLY_SPLIT,
	TALLY_COMBINED,
	TALLY_GENERAL,
	TALLY_SLOTS,
	TALLY_NONE,
	TALLY_STORAGES,
};

enum tally_dict_layout {
	TALLY_DICT_SPLIT,
	TALLY_DICT_UNICODE,
	TALLY_DICT_GENERAL,
	TALLY_DICT_EMPTY,
	TALLY_DICT_LAYOUTS,
};

enum tally_dict_owner {
	TALLY_OWNER_INSTANCE,
	TALLY_OWNER_MODULE,
	TALLY_OWNER_TYPE,
	TALLY_OWNER_PLAIN,
	TALLY_DICT_OWNERS,
};

/* What advice needs to know besides. */
struct tally_facts {
	int64_t carriers; /* instances whose attributes were counted: those that can have a __dict__
			   */
	int64_t attributes;	/* of all of them together */
	int64_t attributes_max; /* of one */
	int64_t weakrefs;	/* of them, those that a weak reference points to */
	int64_t spare_bytes; /* that the smallest buffers with room for the same contents would not
				take */
};

/* Signed: a dict that turns out to be an instance's moves from one row to another. */
struct tally {
	int64_t objects;
	int64_t sizeof_bytes;
	int64_t parts[TALLY_PARTS];
	int64_t storage[TALLY_STORAGES];
	int64_t capacity_used, capacity_owned;
	int64_t found_bytes; /* of parts[TALLY_BUFFER]: blocks that something merely points to */
	struct tally_facts facts;
};

/* A tally in a tenth of its room, for there may be very many: only what is not 0 takes any. */
#define TALLY_PACKED_INSIDE 15u

struct tally_packed {
	uint8_t bytes[TALLY_PACKED_INSIDE]; /* or the address of more than fit */
	uint8_t outside;
};

/* What was in @packed is replaced. 0, or -ENOMEM with @packed as it was. */
int tally_pack(struct tally_packed *packed, const struct tally *t);
struct tally tally_unpack(const struct tally_packed *packed);
void tally_packed_fini(struct tally_packed *packed);

struct tally_dicts {
	int64_t count, bytes, used, owned;
};

/* One instance more, with @count attributes in its __dict__ or its values. */
static inline void tally_add_attributes(struct tally *t, uint64_t count)
{
	t->facts.carriers++;
	t->facts.attributes += (int64_t)count;
	if ((int64_t)count > t->facts.attributes_max)
		t->facts.attributes_max = (int64_t)count;
}

static inline void tally_add_facts(struct tally_facts *sum, const struct tally_facts *f)
{
	sum->carriers += f->carriers;
	sum->attributes += f->attributes;
	sum->weakrefs += f->weakrefs;
	sum->spare_bytes += f->spare_bytes;
	if (f->attributes_max > sum->attributes_max)
		sum->attributes_max = f->attributes_max;
}

static inline void tally_add(struct tally *sum, const struct tally *t)
{
	sum->objects += t->objects;
	sum->sizeof_bytes += t->sizeof_bytes;
	sum->capacity_used += t->capacity_used;
	sum->capacity_owned += t->capacity_owned;
	sum->found_bytes += t->found_bytes;
	for (int i = 0; i < TALLY_PARTS; i++)
		sum->parts[i] += t->parts[i];
	for (int i = 0; i < TALLY_STORAGES; i++)
		sum->storage[i] += t->storage[i];
	tally_add_facts(&sum->facts, &t->facts);
}

static inline void tally_dicts_add(struct tally_dicts *sum, const struct tally_dicts *d,
				   int64_t sign)
{
	sum->count += sign * d->count;
	sum->bytes += sign * d->bytes;
	sum->used += sign * d->used;
	sum->owned += sign * d->owned;
}
