/* SPDX-License-Identifier: BSD-2-Clause */
/* Classes: how their instances keep attributes, and how they could. */
#include "advise/rules.h"

#include "base/format.h"
#include "base/util.h"

#include <stdio.h>

#define NAMES_TEXT_MAX 256
#define DETAIL_MAX 1024
/* Instances that are just being made lack some of their attributes: so few of a thousand do not
 * count. */
#define UNLIKE_PER_MILLE 1
/* The most attributes that 3.11 and later share between instances. */
#define SHARED_MAX 29

/* Bytes of all instances with their dicts, keys and values; not what their buffers take. */
static int64_t stored_bytes(const struct picture_type *type)
{
	return type->parts[PICTURE_PART_OBJECT] + type->parts[PICTURE_PART_DICT] +
	       type->parts[PICTURE_PART_DICT_KEYS] + type->parts[PICTURE_PART_DICT_VALUES];
}

static bool is_few(int64_t count, int64_t all)
{
	return count * 1000 <= all * UNLIKE_PER_MILLE;
}

static int64_t owning_keys(const struct picture_type *type)
{
	return type->storage[PICTURE_STORAGE_COMBINED] + type->storage[PICTURE_STORAGE_GENERAL];
}

/* "a, b and 3 more". */
static void join_names(char *const *names, size_t count, size_t all, char *buf)
{
	size_t len = 0, i;

	buf[0] = '\0';
	for (i = 0; i < count && len + strlen(names[i]) + 24 < NAMES_TEXT_MAX; i++)
		len += (size_t)snprintf(buf + len, NAMES_TEXT_MAX - len, "%s%s", i ? ", " : "",
					names[i]);
	if (i < all)
		snprintf(buf + len, NAMES_TEXT_MAX - len, "%s%zu more", i ? " and " : "", all - i);
}

/* Python 3.10 and later have @dataclass(slots=True). */
static bool has_dataclass_slots(const struct picture *pic)
{
	int major = 0, minor = 0;

	if (!pic->process.python_version ||
	    sscanf(pic->process.python_version, "%d.%d", &major, &minor) != 2)
		return false;
	return major > 3 || (major == 3 && minor >= 10);
}

/* Do all instances carry the same attributes, as far as can be seen? */
static bool instances_are_alike(const struct picture_type *type)
{
	const struct picture_facts *f = type->facts;

	if (!is_few(f->attributes_max * f->carriers - f->attributes,
		    f->attributes_max * f->carriers))
		return false;
	if (!is_few(owning_keys(type), f->carriers))
		return f->sampled && f->same_names && f->names == f->attributes_max;
	return type->shared_keys && (int64_t)type->shared_keys->used == f->attributes_max;
}

/* A dict object that nothing but use of __dict__ brings about: it is needed. */
static bool needs_dict(const struct picture_type *type)
{
	const struct picture_facts *f = type->facts;
	int64_t objects = type->storage[PICTURE_STORAGE_SPLIT];

	if (f->cached_property || type->storage[PICTURE_STORAGE_GENERAL])
		return true;
	if (f->attributes_max <= SHARED_MAX)
		objects += type->storage[PICTURE_STORAGE_COMBINED];
	return f->dict_on_demand && !is_few(objects, f->carriers);
}

static void describe_slots(const struct picture *pic, const struct picture_type *type, char *buf)
{
	const struct picture_facts *f = type->facts;
	char names[NAMES_TEXT_MAX] = "", count[FORMAT_SIZE_MAX];
	bool known = type->shared_keys && (int64_t)type->shared_keys->used == f->attributes_max;
	const char *how = "__slots__ keeps";

	if (known && f->attributes_max)
		join_names(type->shared_keys->names, type->shared_keys->used,
			   type->shared_keys->used, names);
	if (f->dataclass)
		how = has_dataclass_slots(pic) ? "@dataclass(slots=True) keeps"
					       : "__slots__ in the dataclass keeps";
	snprintf(buf, DETAIL_MAX,
		 "all %s instances carry the same %lld attribute%s%s%s%s: %s each in %lld bytes "
		 "instead of %lld%s%s%s",
		 format_count(count, (uint64_t)f->carriers), (long long)f->attributes_max,
		 f->attributes_max == 1 ? "" : "s", *names ? " (" : "", names, *names ? ")" : "",
		 how, (long long)f->slots_bytes,
		 (long long)(stored_bytes(type) / MAX(f->carriers, (int64_t)1)),
		 f->bases ? "; needs __slots__ in " : "", f->bases ? f->bases : "",
		 f->bases ? " too" : "");
}

static int advise_slots(struct picture *pic, const struct picture_type *type, int64_t least)
{
	const struct picture_facts *f = type->facts;
	char detail[DETAIL_MAX];
	struct picture_advice advice = {
		.kind = "slots",
		.type = type->name,
		.objects = f->carriers,
		.saves_bytes = stored_bytes(type) - f->carriers * f->slots_bytes,
		.detail = detail,
		.confidence = f->bases	   ? 0.7
			      : f->sampled ? 0.8
					   : 0.9,
	};

	if (!f->slots_bytes || f->weakrefs || needs_dict(type) || !instances_are_alike(type) ||
	    advice.saves_bytes < least)
		return 0;
	describe_slots(pic, type, detail);
	return picture_add_advice(pic, &advice);
}

int rules_slots(struct picture *pic, const struct rules_limits *limits)
{
	int r = 0;

	for (size_t i = 0; !r && i < pic->types_count; i++) {
		const struct picture_type *type = &pic->types[i];

		if (type->facts && type->facts->carriers && type->inuse_bytes >= limits->type_bytes)
			r = advise_slots(pic, type, limits->saves_bytes);
	}
	return r;
}

/* Why the keys are not shared, and what to do about it. */
static void describe_cause(const struct picture_type *type, char *buf, size_t cap)
{
	const struct picture_facts *f = type->facts;
	char names[NAMES_TEXT_MAX];

	join_names(f->late, f->late_count, f->late_count, names);
	if (f->cached_late)
		snprintf(buf, cap,
			 "cached_property stores %s after __init__, when the class shares no more "
			 "names; set an "
			 "attribute to None in __init__ and fill it from a property",
			 names);
	else if (f->room) /* or names that are set one by one would be shared */
		snprintf(buf, cap,
			 "their __dict__ was used as a dict: filled, replaced, or names taken out "
			 "of it; set attributes one by one, and delete none");
	else if (f->late_count)
		snprintf(buf, cap,
			 "%s came after __init__, or not in all of them; set every attribute in "
			 "__init__",
			 names);
	else if (f->reordered)
		snprintf(buf, cap,
			 "they set the same attributes in different order; use one order");
	else if (f->shared_lost)
		snprintf(buf, cap,
			 "one instance once differed and the class stopped sharing; set every "
			 "attribute in "
			 "__init__, in one order, and delete none");
	else
		snprintf(buf, cap,
			 "their __dict__ was filled or replaced as a whole; set attributes one by "
			 "one");
}

static void describe_unshared(const struct picture_type *type, int64_t owners, char *buf)
{
	char cause[DETAIL_MAX / 2], count[FORMAT_SIZE_MAX], all[FORMAT_SIZE_MAX];

	describe_cause(type, cause, sizeof(cause));
	snprintf(buf, DETAIL_MAX, "%s of %s instances own a copy of their attribute names: %s",
		 format_count(count, (uint64_t)owners),
		 format_count(all, (uint64_t)type->facts->carriers), cause);
}

static int advise_unshared(struct picture *pic, const struct picture_type *type, int64_t least)
{
	const struct picture_facts *f = type->facts;
	int64_t shared = type->shared_keys ? (int64_t)type->shared_keys->bytes : 0;
	int64_t owners = type->storage[PICTURE_STORAGE_COMBINED];
	char detail[DETAIL_MAX];
	struct picture_advice advice = {
		.kind = "unshared_keys",
		.type = type->name,
		.objects = owners,
		.saves_bytes = stored_bytes(type) - f->carriers * f->shared_bytes - shared,
		.detail = detail,
		.confidence = f->late_count || f->reordered ? 0.8 : 0.6,
	};

	/* Keys that are not str are never shared. */
	if (!f->shared_bytes || is_few(owners, f->carriers) ||
	    type->storage[PICTURE_STORAGE_GENERAL] > owners || advice.saves_bytes < least)
		return 0;
	describe_unshared(type, owners, detail);
	return picture_add_advice(pic, &advice);
}

int rules_unshared_keys(struct picture *pic, const struct rules_limits *limits)
{
	int r = 0;

	for (size_t i = 0; !r && i < pic->types_count; i++) {
		const struct picture_type *type = &pic->types[i];

		if (type->facts && type->facts->carriers && type->inuse_bytes >= limits->type_bytes)
			r = advise_unshared(pic, type, limits->saves_bytes);
	}
	return r;
}
