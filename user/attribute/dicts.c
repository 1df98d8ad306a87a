/* SPDX-License-Identifier: BSD-2-Clause */
#include "attribute/dicts.h"

#include "attribute/refcount.h"
#include "base/util.h"

/* No dict has more hash slots than this many powers of two. */
#define LOG2_SIZE_MAX 40
#define DK_KIND_GENERAL 0
#define DK_KIND_SPLIT 2

/* Bytes an index takes in a table of @size slots: DK_IXSIZE, Objects/dictobject.c up to 3.10. */
static uint64_t dict_index_bytes(uint64_t size)
{
	return size <= 0xff ? 1 : size <= 0xffff ? 2 : size <= 0xffffffff ? 4 : 8;
}

static bool dict_keys_decode_size(const struct layout *l, const uint8_t *header,
				  struct dict_keys *k)
{
	k->size = load_u64(header + l->dk_size);
	if (!k->size || (k->size & (k->size - 1)) || k->size >> LOG2_SIZE_MAX)
		return false;
	k->entries = l->dk_indices + k->size * dict_index_bytes(k->size);
	k->entry_size = l->sizeof_key_entry;
	k->entry_key = l->key_entry_key;
	return true;
}

static bool dict_keys_decode_log2(const struct layout *l, const uint8_t *header,
				  struct dict_keys *k)
{
	unsigned int log2_size = header[l->dk_log2_size],
		     log2_index = header[l->dk_log2_index_bytes];
	unsigned int kind = header[l->dk_kind];

	if (log2_size > LOG2_SIZE_MAX || log2_index > LOG2_SIZE_MAX + 3 || log2_index < log2_size ||
	    kind > DK_KIND_SPLIT)
		return false;
	k->size = 1ull << log2_size;
	k->general = kind == DK_KIND_GENERAL;
	k->split_kind = kind == DK_KIND_SPLIT;
	k->entries = l->dk_indices + (1ull << log2_index);
	k->entry_size = k->general ? l->sizeof_key_entry : l->sizeof_unicode_entry;
	k->entry_key = k->general ? l->key_entry_key : l->unicode_entry_key;
	return true;
}

/* Decoded in place: a copy of what was just written in smaller pieces stalls the processor. */
bool dicts_decode_keys(const struct layout *layout, const uint8_t *header, struct dict_keys *ret)
{
	bool ok;

	*ret = (struct dict_keys){
		.refcnt = load_i64(header + layout->dk_refcnt),
		.usable = load_i64(header + layout->dk_usable),
		.nentries = load_i64(header + layout->dk_nentries),
	};
	ok = layout->keys == LAYOUT_KEYS_SIZE ? dict_keys_decode_size(layout, header, ret)
					      : dict_keys_decode_log2(layout, header, ret);
	if (!ok)
		return false;
	ret->slots = (ret->size << 1) / 3; /* USABLE_FRACTION, all versions */
	ret->bytes = ret->entries + ret->slots * ret->entry_size;
	return ret->usable >= 0 && ret->nentries >= 0 && (uint64_t)ret->usable <= ret->slots &&
	       (uint64_t)ret->nentries <= ret->slots;
}

/* The empty dict's keys are static and hold nothing. */
static bool dict_keys_are_empty(const struct dict_keys *k)
{
	return k->slots == 0;
}

static enum tally_dict_layout dict_layout_of(const struct dict_keys *k, uint64_t values)
{
	if (dict_keys_are_empty(k))
		return TALLY_DICT_EMPTY;
	if (values)
		return TALLY_DICT_SPLIT;
	return k->general ? TALLY_DICT_GENERAL : TALLY_DICT_UNICODE;
}

static const enum tally_storage storage_of_layout[TALLY_DICT_LAYOUTS] = {
	[TALLY_DICT_SPLIT] = TALLY_SPLIT,
	[TALLY_DICT_UNICODE] = TALLY_COMBINED,
	[TALLY_DICT_GENERAL] = TALLY_GENERAL,
	[TALLY_DICT_EMPTY] = TALLY_NONE,
};

/*
 * 3.11, 3.12: the pointer goes to values[0]; the byte in front says where the block begins. data:
 * the eight bytes in front. @tells: they are an instance's, which so says how it stores.
 */
static inline void dict_book_values_prefix(struct worker *worker, const struct charge *charge,
					   uint64_t values, const uint8_t *data, bool tells)
{
	uint64_t prefix = data[7];

	/* Even number of words, room for two bytes and one per value (dictobject.c, new_values). */
	if (prefix < 8 || prefix > 64 || prefix % 8) {
		worker->torn++;
		return;
	}
	if (tells) {
		struct tally *tally = worker_tally(worker, charge->to);

		tally->storage[data[6] ? TALLY_INLINE : TALLY_NONE]++;
		tally_add_attributes(tally, data[6]);
	}
	worker_charge(worker, charge, values - prefix, prefix);
}

static void dict_run_values_prefix(struct worker *worker, const struct fetch *f,
				   const uint8_t *data)
{
	dict_book_values_prefix(worker, &f->charge, f->addr + 8, data, f->flag);
}

/* 3.13+: values may be embedded in their instance, whose block they share. */
static void dict_run_values_header(struct worker *worker, const struct fetch *f,
				   const uint8_t *data)
{
	uint64_t capacity = data[worker->layout->values_capacity];

	if (!data[worker->layout->values_embedded])
		worker_charge(worker, &f->charge, f->addr,
			      worker->layout->values_items + 8 * capacity + round_up(capacity, 8));
}

static void dict_charge_values(struct worker *worker, const struct charge *charge, uint64_t values,
			       const struct dict_keys *k)
{
	struct fetch f = { .addr = values, .charge = *charge, .len = 8 };

	f.charge.to_part = f.charge.from_part = TALLY_DICT_VALUES;
	switch (worker->layout->values) {
	case LAYOUT_VALUES_PLAIN:
		worker_charge(worker, &f.charge, values, 8 * k->slots);
		break;
	case LAYOUT_VALUES_PREFIX:
		f.addr = values - 8;
		f.run = dict_run_values_prefix;
		worker_fetch(worker, &f);
		break;
	case LAYOUT_VALUES_HEADER:
		f.run = dict_run_values_header;
		worker_fetch(worker, &f);
		break;
	}
}

/* Bytes that dict.__sizeof__ adds to the object itself (Objects/dictobject.c, _PyDict_SizeOf). */
static int64_t dict_sizeof_extra(const struct dict_keys *k, uint64_t values)
{
	int64_t size = values ? 8 * (k->usable + k->nentries) : 0;

	return size + (k->refcnt == 1 ? (int64_t)k->bytes : 0);
}

/* Bytes that a copy would not take. */
static int64_t dict_spare(const struct worker *worker, const struct dict_keys *k, uint64_t used)
{
	const struct whatif *w = &worker->shared->whatif;
	uint64_t bytes = dict_keys_are_empty(k) ? 0 : k->bytes, now, least;

	least = whatif_keys(w, used, k->general);
	if (least == bytes)
		return 0; /* most of them */
	now = whatif_block(w, bytes);
	least = whatif_block(w, least);
	return now > least ? (int64_t)(now - least) : 0;
}

/* Numbers of a dict that come with it when it goes to a row (@sign 1) or leaves one (-1). */
static void dict_book(struct tally *tally, const struct dict_keys *k, uint64_t used,
		      uint64_t values, int sign)
{
	tally->sizeof_bytes += sign * dict_sizeof_extra(k, values);
	tally->capacity_used += sign * (int64_t)used;
	tally->capacity_owned += sign * (int64_t)k->slots;
	tally->facts.spare_bytes += sign * k->spare;
}

/*
 * Up to 3.10 a class drops the keys that its instances share as soon as one of them stores
 * differently; those that have them keep them (Objects/dictobject.c, make_keys_shared and
 * insertdict). Nobody but they leads there.
 */
static void dict_charge_orphaned_keys(struct worker *worker, struct type *type, uint64_t addr,
				      uint64_t bytes)
{
	const struct charge charge = {
		.to = type,
		.to_part = TALLY_DICT_KEYS,
		.owner = CHARGE_NO_DICT,
		.layout = CHARGE_NO_DICT,
	};

	if (addr != type->cached_keys && addrset_add(worker->shared->claimed, addr))
		worker_charge(worker, &charge, addr, bytes);
}

/* Up to 3.10 no kind stands in the keys, but the function that looks things up in them tells. */
static bool dict_keys_are_general(const struct worker *worker, const uint8_t *header,
				  const struct dict_keys *k)
{
	if (worker->layout->keys != LAYOUT_KEYS_SIZE)
		return k->general;
	return worker->shared->general_lookup &&
	       load_u64(header + worker->layout->dk_lookup) == worker->shared->general_lookup;
}

/* An instance of @type has its attributes in a dict with these keys. */
static void dict_book_attributes(struct worker *worker, struct type *type, uint64_t keys,
				 enum tally_dict_layout layout, uint64_t used)
{
	struct tally *tally = worker_tally(worker, type);
	struct type_samples *samples;

	tally->storage[storage_of_layout[layout]]++;
	tally_add_attributes(tally, used);
	if (layout == TALLY_DICT_EMPTY || keys == type->cached_keys)
		return;
	samples = worker_samples(worker, type);
	if (samples && layout == TALLY_DICT_SPLIT)
		samples->orphan = keys;
	else if (samples)
		type_sample_keys(samples, keys);
}

/*
 * Keys that many dicts share (a class's, the empty dict's) lie in no arena, and would be read again
 * for each of them. They change rarely, and a header of some milliseconds ago is as good as one of
 * now.
 */
static struct shared_header *dict_shared_header(struct worker *worker, uint64_t keys)
{
	return &worker->shared_headers[(keys >> 4) % SHARED_HEADERS];
}

static void dict_remember_header(struct worker *worker, uint64_t keys, const uint8_t *data)
{
	struct shared_header *header = dict_shared_header(worker, keys);

	_Static_assert(sizeof(header->data) == DICT_KEYS_HEADER, "a whole header");
	header->addr = keys;
	memcpy(header->data, data, DICT_KEYS_HEADER);
}

/* A dict whose keys are to be looked at. */
struct dict_seen {
	uint64_t keys, used, values; /* ma_keys, ma_used, ma_values */
	uint32_t size;		     /* of the dict's block */
	bool tells; /* it is the __dict__ of an instance of charge.to, which so says how it stores
		     */
};

/*
 * data: the header of the keys. charge.from: dict's row if it moves; charge.owner CHARGE_NO_DICT:
 * how it stores is all that is asked for.
 */
static void dict_book_keys(struct worker *worker, const struct charge *to,
			   const struct dict_seen *dict, const uint8_t *data)
{
	uint64_t values = dict->values;
	struct tally_dicts d;
	struct charge charge;
	struct dict_keys k;

	if (!dicts_decode_keys(worker->layout, data, &k) || dict->used > k.slots) {
		worker->torn++;
		return;
	}
	if (k.refcnt != 1)
		dict_remember_header(worker, dict->keys, data);
	if (dict_keys_are_empty(&k))
		values = 0; /* up to 3.10 the empty dict points to static values */
	k.general = dict_keys_are_general(worker, data, &k);
	charge = *to;
	charge.layout = dict_layout_of(&k, values);
	if (dict->tells)
		dict_book_attributes(worker, charge.to, dict->keys, charge.layout, dict->used);
	if (charge.owner == CHARGE_NO_DICT)
		return;

	if (k.refcnt == 1 && !values)
		k.spare = dict_spare(worker, &k, dict->used);
	d = (struct tally_dicts){ 1, dict->size, (int64_t)dict->used, (int64_t)k.slots };
	tally_dicts_add(&worker->by_owner[charge.owner], &d, 1);
	if (charge.from) {
		tally_dicts_add(&worker->by_owner[TALLY_OWNER_PLAIN], &d, -1);
		dict_book(worker_tally(worker, charge.from), &k, dict->used, values, -1);
	} else {
		tally_dicts_add(&worker->by_layout[charge.layout], &d, 1);
		dict_book(worker_tally(worker, charge.to), &k, dict->used, values, 1);
	}
	charge.to_part = charge.from_part = TALLY_DICT_KEYS;
	if (k.refcnt == 1 && !dict_keys_are_empty(&k))
		worker_charge(worker, &charge, dict->keys, k.bytes);
	else if (charge.from && values)
		dict_charge_orphaned_keys(worker, charge.to, dict->keys, k.bytes);
	if (values)
		dict_charge_values(worker, &charge, values, &k);
}

/* a: ma_used, b: ma_values, flag: it tells how an instance stores. */
static void dict_run_keys(struct worker *worker, const struct fetch *f, const uint8_t *data)
{
	const struct dict_seen dict = { f->addr, f->a, f->b, f->size, f->flag };

	dict_book_keys(worker, &f->charge, &dict, data);
}

static __attribute__((noinline)) void
dict_fetch_keys(struct worker *worker, const struct charge *charge, const struct dict_seen *dict)
{
	struct fetch f = {
		.addr = dict->keys,
		.run = dict_run_keys,
		.charge = *charge,
		.a = dict->used,
		.b = dict->values,
		.size = dict->size,
		.len = DICT_KEYS_HEADER,
		.flag = dict->tells,
	};

	worker_fetch(worker, &f);
}

/* The keys of the dict whose bytes are at @data, in a block of @size: mostly at hand. */
static void dict_visit_keys(struct worker *worker, const struct charge *charge, const uint8_t *data,
			    uint64_t size, bool tells)
{
	const struct layout *l = worker->layout;
	const struct dict_seen dict = {
		.keys = load_u64(data + l->ma_keys),
		.used = load_u64(data + l->ma_used),
		.values = load_u64(data + l->ma_values),
		.size = (uint32_t)size,
		.tells = tells,
	};
	const struct shared_header *shared = dict_shared_header(worker, dict.keys);
	const uint8_t *header = dict.keys && shared->addr == dict.keys
					? shared->data
					: worker_peek(worker, dict.keys, DICT_KEYS_HEADER);

	if (header)
		dict_book_keys(worker, charge, &dict, header);
	else
		dict_fetch_keys(worker, charge, &dict);
}

void dicts_visit(struct worker *worker, struct type *type, const struct object *obj)
{
	struct charge charge = { .to = type, .owner = TALLY_OWNER_PLAIN };

	if (obj->len >= worker->layout->sizeof_dict)
		dict_visit_keys(worker, &charge, obj->data, obj->block_size, false);
}

/* data: a dict object; flag: of a static type. The row of dict had it all so far, unless it is not
 * exactly a dict. */
static void dict_run_adopt(struct worker *worker, const struct fetch *f, const uint8_t *data)
{
	const struct layout *l = worker->layout;
	struct type *dict = types_get(worker->types, load_u64(data + l->ob_type));
	struct charge charge = { .to = f->charge.to, .owner = CHARGE_NO_DICT };
	uint32_t size;
	bool shared;

	if (!dict || !type_is_subclass(dict, TPFLAGS_DICT_SUBCLASS)) {
		worker->torn++;
		return;
	}
	size = worker_block_size(worker, f->addr - dict->pre);
	/* In an arena that is newer than their list, the walk has not met it: nobody had it. */
	if (dict == worker->dict_row && (size || !worker_has_small_blocks(worker))) {
		shared = !refcount_is_one(l, data);
		if (!shared || addrset_add(worker->shared->claimed, f->addr)) {
			charge.from = dict;
			charge.owner = f->charge.owner;
		}
	}
	if (charge.from) {
		struct charge object = charge;

		object.to_part = TALLY_DICT;
		object.from_part = TALLY_OBJECT;
		object.owner = object.layout = CHARGE_NO_DICT; /* booked with the keys */
		worker_charge(worker, &object, f->addr - dict->pre, l->sizeof_dict + dict->pre);
		worker_tally(worker, dict)->objects--;
		worker_tally(worker, dict)->sizeof_bytes -= dict->basicsize + dict->pre;
	}
	if (!size)
		size = round_up(l->sizeof_dict + dict->pre + worker->shared->hooks.extra + 8, 16);
	dict_visit_keys(worker, &charge, data, size, !f->flag);
}

void dicts_adopt(struct worker *worker, struct type *type, uint64_t dict,
		 enum tally_dict_owner owner)
{
	struct fetch f = {
		.addr = dict,
		.run = dict_run_adopt,
		.charge = { .to = type, .owner = owner },
		.len = (uint16_t)worker->layout->sizeof_dict,
	};

	worker_fetch(worker, &f);
}

void dicts_adopt_static(struct worker *worker, struct type *metatype, uint64_t dict)
{
	struct fetch f = {
		.addr = dict,
		.run = dict_run_adopt,
		.charge = { .to = metatype, .owner = TALLY_OWNER_TYPE },
		.len = (uint16_t)worker->layout->sizeof_dict,
		.flag = true,
	};

	worker_fetch(worker, &f);
}

void dicts_adopt_values(struct worker *worker, struct type *type, uint64_t values)
{
	const struct charge charge = {
		.to = type,
		.to_part = TALLY_DICT_VALUES,
		.owner = CHARGE_NO_DICT,
		.layout = CHARGE_NO_DICT,
	};
	const uint8_t *data = worker_peek(worker, values - 8, 8);
	struct fetch f;

	if (data) {
		dict_book_values_prefix(worker, &charge, values, data, true);
		return;
	}
	f = (struct fetch){
		.addr = values - 8,
		.run = dict_run_values_prefix,
		.charge = charge,
		.len = 8,
		.flag = true,
	};
	worker_fetch(worker, &f);
}

/* charge.to: the class; b: its metatype, if its getsizeof includes them (typeobject.c,
 * type___sizeof___impl). */
static void dict_run_shared_keys(struct worker *worker, const struct fetch *f, const uint8_t *data)
{
	struct type *metatype = (struct type *)(uintptr_t)f->b;
	struct dict_keys k;

	if (!dicts_decode_keys(worker->layout, data, &k)) {
		worker->torn++;
		return;
	}
	if (metatype)
		worker_tally(worker, metatype)->sizeof_bytes += (int64_t)k.bytes;
	/* An instance whose class was assigned has the keys of another class, and may have been met
	 * first. */
	if (addrset_add(worker->shared->claimed, f->addr))
		worker_charge(worker, &f->charge, f->addr, k.bytes);
}

void dicts_charge_shared_keys(struct worker *worker, struct type *type, struct type *metatype)
{
	struct fetch f = {
		.addr = type->cached_keys,
		.run = dict_run_shared_keys,
		.charge = {
			.to = type,
			.to_part = TALLY_DICT_KEYS,
			.owner = CHARGE_NO_DICT,
			.layout = CHARGE_NO_DICT,
		},
		.b = (uintptr_t)metatype,
		.len = DICT_KEYS_HEADER,
	};

	worker_fetch(worker, &f);
}
