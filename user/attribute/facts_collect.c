/* SPDX-License-Identifier: BSD-2-Clause */
#include "attribute/facts_collect.h"

#include "attribute/dicts.h"
#include "base/cleanup.h"
#include "base/util.h"

#include <errno.h>

/* Names of one class, and classes in one chain, that are looked at. */
#define NAMES_SEEN_MAX 256
#define BASES_MAX 64
#define BASES_TEXT_MAX 512

/* Attribute names are interned: two are equal when their addresses are. */
struct name {
	uint64_t key;
	bool shared;	 /* in the keys that the class shares */
	bool cached;	 /* a cached_property of that name is in the class */
	uint32_t tables; /* sampled key tables that hold it */
};

#define NO_NAME NAMES_SEEN_MAX

struct seen {
	struct name list[NAMES_SEEN_MAX];
	size_t count;
	size_t misplaced; /* the first that came before those it should follow; NO_NAME: none */
};

void facts_fini(struct facts *facts)
{
	free(facts->bases);
	free(facts->misplaced);
	for (size_t i = 0; i < facts->late_count; i++)
		free(facts->late[i]);
	*facts = (struct facts){};
}

/* NULL when there are too many. */
static struct name *seen_name(struct seen *seen, uint64_t key)
{
	for (size_t i = 0; i < seen->count; i++)
		if (seen->list[i].key == key)
			return &seen->list[i];
	if (seen->count == NAMES_SEEN_MAX)
		return NULL;
	seen->list[seen->count] = (struct name){ .key = key };
	return &seen->list[seen->count++];
}

static uint64_t entry_key(const struct dict_keys *k, const uint8_t *entries, int64_t i)
{
	return load_u64(entries + (uint64_t)i * k->entry_size + k->entry_key);
}

/*
 * Names set on instances one by one go into the shared keys while these have room; up to 3.10
 * always, or the class shares none any more (Objects/dictobject.c, insert_into_dictkeys; up to 3.10
 * _PyObjectDict_SetItem).
 */
static bool has_room(const struct layout *l, const struct dict_keys *k)
{
	return l->instance == LAYOUT_INSTANCE_DICT || k->usable > 0;
}

static void see_shared(struct facts_collect *ctx, const struct type *type, struct seen *seen,
		       struct facts *ret)
{
	_cleanup_free_ uint8_t *entries = NULL;
	struct dict_keys k;

	if (!type->cached_keys || names_read_keys(ctx->names, type->cached_keys, &k, &entries) < 0)
		return;
	ret->room = has_room(ctx->whatif->layout, &k);
	for (int64_t i = 0; i < MIN(k.nentries, (int64_t)NAMES_SEEN_MAX); i++) {
		uint64_t key = entry_key(&k, entries, i);
		struct name *name = key ? seen_name(seen, key) : NULL;

		if (name)
			name->shared = true;
	}
}

/* Do the entries come in the order in which the names were first seen? */
static void see_order(struct seen *seen, const struct name *last, const struct name *name,
		      struct facts *ret)
{
	if (!last || name > last)
		return;
	ret->reordered = true;
	if (seen->misplaced == NO_NAME)
		seen->misplaced = (size_t)(last - seen->list);
}

static void see_table(struct seen *seen, const struct dict_keys *k, const uint8_t *entries,
		      struct facts *ret)
{
	const struct name *last = NULL;

	for (int64_t i = 0; i < MIN(k->nentries, (int64_t)NAMES_SEEN_MAX); i++) {
		uint64_t key = entry_key(k, entries, i);
		struct name *name = key ? seen_name(seen, key) : NULL;

		if (!name)
			continue;
		see_order(seen, last, name, ret);
		name->tables++;
		last = name;
	}
	ret->sampled++;
}

static void see_keys(struct facts_collect *ctx, uint64_t addr, struct seen *seen, struct facts *ret)
{
	_cleanup_free_ uint8_t *entries = NULL;
	struct dict_keys k;

	if (addr && names_read_keys(ctx->names, addr, &k, &entries) >= 0)
		see_table(seen, &k, entries, ret);
}

static void see_samples(struct facts_collect *ctx, const struct type_samples *samples,
			struct seen *seen, struct facts *ret)
{
	see_keys(ctx, samples->orphan, seen, ret);
	for (size_t i = 0; i < MIN(samples->met, (uint64_t)TYPE_SAMPLES); i++)
		see_keys(ctx, samples->keys[i], seen, ret);
}

static bool is_cached_property(struct facts_collect *ctx, uint64_t addr)
{
	const struct type *type;
	char name[32];
	bool yes;

	for (size_t i = 0; i < ctx->known_count; i++)
		if (ctx->known[i].addr == addr)
			return ctx->known[i].is_cached_property;
	type = types_get(ctx->types, addr);
	if (!type || !type->python_class)
		return false;
	/* functools has it, and others that do the same call theirs so too. */
	yes = names_read_str(ctx->names, type->qualname, name, sizeof(name)) >= 0 &&
	      streq(name, "cached_property");
	if (ctx->known_count < FACTS_COLLECT_KNOWN) {
		ctx->known[ctx->known_count].addr = addr;
		ctx->known[ctx->known_count++].is_cached_property = yes;
	}
	return yes;
}

static bool is_named(const struct names *names, uint64_t key, const char *text)
{
	char name[32];

	return names_read_str(names, key, name, sizeof(name)) >= 0 && streq(name, text);
}

/* One entry of the dict of a class: @own, or of a base. */
static void look_at_entry(struct facts_collect *ctx, uint64_t key, uint64_t value, bool own,
			  struct seen *seen, struct facts *ret)
{
	uint64_t kind;

	if (!value ||
	    memory_read_u64(ctx->names->mem, value + ctx->whatif->layout->ob_type, &kind) < 0)
		return;
	if (is_cached_property(ctx, kind)) {
		ret->cached_property = true;
		for (size_t i = 0; i < seen->count; i++)
			seen->list[i].cached |= seen->list[i].key == key;
		return;
	}
	if (own && !ret->dataclass)
		ret->dataclass = is_named(ctx->names, key, "__dataclass_fields__");
}

static void look_into_class(struct facts_collect *ctx, const struct type *type, bool own,
			    struct seen *seen, struct facts *ret)
{
	_cleanup_free_ uint8_t *entries = NULL;
	struct dict_keys k;
	uint64_t keys;

	if (!type->dict ||
	    memory_read_u64(ctx->names->mem, type->dict + ctx->whatif->layout->ma_keys, &keys) <
		    0 ||
	    names_read_keys(ctx->names, keys, &k, &entries) < 0)
		return;
	for (int64_t i = 0; i < MIN(k.nentries, (int64_t)NAMES_SEEN_MAX); i++) {
		uint64_t value = load_u64(entries + (uint64_t)(i + 1) * k.entry_size - 8);
		uint64_t key = entry_key(&k, entries, i);

		if (key && value)
			look_at_entry(ctx, key, value, own, seen, ret);
	}
}

/* Names of the bases which have a __dict__ of their own making. */
static int look_into_bases(struct facts_collect *ctx, const struct type *type, struct seen *seen,
			   struct facts *ret)
{
	char text[BASES_TEXT_MAX] = "", name[4 * NAMES_MAX];
	const struct type *base = type->base_type;

	for (int i = 0; i < BASES_MAX && base && base->python_class; i++, base = base->base_type) {
		size_t len = strlen(text);

		look_into_class(ctx, base, false, seen, ret);
		if (base->dict_at == TYPE_DICT_NONE)
			continue;
		names_of_type(ctx->names, base, name, sizeof(name));
		snprintf(text + len, sizeof(text) - len, "%s%.200s", len ? ", " : "", name);
	}
	ret->bases = *text ? strdup(text) : NULL;
	return *text && !ret->bases ? -ENOMEM : 0;
}

static bool is_on_chain(const struct type *type, uint64_t addr)
{
	for (int i = 0; i < BASES_MAX && type; i++, type = type->base_type)
		if (type->addr == addr)
			return true;
	return false;
}

/* Other bases than those on the chain of tp_base must have no __dict__ either, or slots save
 * nothing. */
static bool bases_allow_slots(struct facts_collect *ctx, const struct type *type)
{
	const struct layout *l = ctx->whatif->layout;
	uint64_t count, item;

	if (memory_read_u64(ctx->names->mem, type->mro + l->ob_size, &count) < 0 ||
	    count > BASES_MAX)
		return false;
	for (uint64_t i = 0; i < count; i++) {
		const struct type *base;

		if (memory_read_u64(ctx->names->mem, type->mro + l->tuple_items + 8 * i, &item) < 0)
			return false;
		if (is_on_chain(type, item))
			continue;
		base = types_get(ctx->types, item);
		if (!base || base->dict_at != TYPE_DICT_NONE)
			return false;
	}
	return true;
}

/* Members of an enum need the __dict__ that enum.Enum gives them: nobody can take it away. */
static bool is_enum(const struct facts_collect *ctx, const struct type *type)
{
	const struct type *meta = types_get(ctx->types, type->meta);
	char name[4 * NAMES_MAX];

	for (int i = 0; i < BASES_MAX && meta; i++, meta = meta->base_type) {
		names_of_type(ctx->names, meta, name, sizeof(name));
		if (streq(name, "enum.EnumMeta") || streq(name, "enum.EnumType"))
			return true;
	}
	return false;
}

/* Late is what the shared keys lack or, where the class shares none any more, what not all
 * instances have. */
static int find_late(struct facts_collect *ctx, const struct seen *seen, struct facts *ret)
{
	for (size_t i = 0; i < seen->count; i++) {
		const struct name *name = &seen->list[i];
		char text[4 * NAMES_MAX];

		if (name->tables != ret->sampled)
			ret->same_names = false;
		if (ret->shared_lost ? name->tables == ret->sampled : name->shared)
			continue;
		ret->cached_late |= name->cached;
		if (ret->late_count == FACTS_LATE_MAX ||
		    names_read_str(ctx->names, name->key, text, sizeof(text)) < 0)
			continue;
		ret->late[ret->late_count] = strdup(text);
		if (!ret->late[ret->late_count])
			return -ENOMEM;
		ret->late_count++;
	}
	return 0;
}

/* `self.__dict__ = ...` in a method puts that name into the shared keys (3.14+,
 * __static_attributes__), and no instance ever has it. */
static size_t names_without_use(struct facts_collect *ctx, const struct seen *seen)
{
	size_t count = 0;

	for (size_t i = 0; i < seen->count; i++)
		count += seen->list[i].shared && !seen->list[i].tables &&
			 is_named(ctx->names, seen->list[i].key, "__dict__");
	return count;
}

int facts_collect(struct facts_collect *ctx, const struct type *type, const struct tally *tally,
		  const struct type_samples *samples, struct facts *ret)
{
	struct facts facts = { .same_names = true, .shared_lost = !type->cached_keys };
	struct seen seen = { .misplaced = NO_NAME };
	char text[4 * NAMES_MAX];
	int r;

	see_shared(ctx, type, &seen, &facts);
	see_samples(ctx, samples, &seen, &facts);
	look_into_class(ctx, type, true, &seen, &facts);
	r = look_into_bases(ctx, type, &seen, &facts);
	if (!r)
		r = find_late(ctx, &seen, &facts);
	if (!r && seen.misplaced != NO_NAME &&
	    names_read_str(ctx->names, seen.list[seen.misplaced].key, text, sizeof(text)) >= 0) {
		facts.misplaced = strdup(text);
		r = facts.misplaced ? 0 : -ENOMEM;
	}
	if (r < 0) {
		facts_fini(&facts);
		return r;
	}
	facts.names = seen.count - names_without_use(ctx, &seen);
	facts.dict_on_demand = type->dict_at == TYPE_DICT_MANAGED;
	if (bases_allow_slots(ctx, type) && !is_enum(ctx, type))
		facts.slots_bytes =
			whatif_slots(ctx->whatif, type, (uint64_t)tally->facts.attributes_max);
	facts.shared_bytes = whatif_shared(ctx->whatif, type,
					   MAX(facts.names, (size_t)tally->facts.attributes_max));
	*ret = facts;
	return 0;
}
