/* SPDX-License-Identifier: BSD-2-Clause */
#include "attribute/samples.h"

#include "attribute/builtins.h"
#include "attribute/dicts.h"
#include "attribute/refcount.h"
#include "base/utf8.h"
#include "base/util.h"

#include <errno.h>

/* Bytes of an object that are looked at; entries, items and members of it. */
#define OBJECT_BYTES 2048
#define ENTRIES_MAX 64
#define ITEMS_MAX 16
#define KINDS_MAX 8
/* Characters of a value that are shown. */
#define VALUE_MAX 48
/* struct PyMemberDef: name at 0, type at 8, offset at 16 (Include/structmember.h, 3.8 to 3.15). */
#define MEMBER_TYPE 8
#define MEMBER_OFFSET 16
#define MEMBER_SIZE_MAX 64
#define T_OBJECT_EX 16
#define BASES_MAX 16

/* An instance as far as it was read: @pre bytes in front of the object, then @len of it. */
struct view {
	struct samples_reader *reader;
	const struct layout *layout;
	struct memory *mem;
	const struct type *type;
	uint64_t addr;
	uint8_t bytes[OBJECT_BYTES];
	size_t len;
	struct sample sample;
};

static uint32_t next_random(struct samples_met *met)
{
	/* Knuth's MMIX generator; chance need not be good, only fair. */
	met->random = met->random * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(met->random >> 33);
}

void samples_meet(struct samples_met *met, uint64_t addr, uint64_t size)
{
	uint64_t slot = met->seen < SAMPLES_MAX ? met->seen : next_random(met) % (met->seen + 1);

	met->seen++;
	if (slot >= SAMPLES_MAX)
		return;
	met->list[slot].addr = addr;
	met->list[slot].size = size;
}

size_t samples_count(const struct samples_met *met)
{
	return MIN(met->seen, (uint64_t)SAMPLES_MAX);
}

static const uint8_t *object_of(const struct view *v)
{
	return v->bytes + v->type->pre;
}

/* The word at @offset of the object, 0 where it was not read. */
static uint64_t word_at(const struct view *v, uint64_t offset)
{
	return offset + 8 <= v->len ? load_u64(object_of(v) + offset) : 0;
}

/* The type of the object at @addr, NULL where there is none. */
static const struct type *type_of(const struct view *v, uint64_t addr)
{
	uint64_t type;

	if (!addr || addr % 8 || memory_read_u64(v->mem, addr + v->layout->ob_type, &type) < 0)
		return NULL;
	return types_get(v->reader->types, type);
}

static const char *type_name(struct view *v, uint64_t addr, char *buf, size_t cap)
{
	const struct type *type = type_of(v, addr);

	if (type)
		names_of_type(&v->reader->names, type, buf, cap);
	else
		snprintf(buf, cap, "?");
	return buf;
}

/* ---- values, only where they are wanted
 * ---------------------------------------------------------- */

static bool describe_bytes(const struct view *v, uint64_t addr, char *buf, size_t cap)
{
	uint8_t data[VALUE_MAX];
	uint64_t size;
	size_t at = 0;

	if (memory_read_u64(v->mem, addr + v->layout->ob_size, &size) < 0)
		return false;
	size = MIN(size, (uint64_t)VALUE_MAX);
	if (memory_read(v->mem, addr + v->layout->bytes_data, data, size) < 0)
		return false;
	at += (size_t)snprintf(buf, cap, "b'");
	for (uint64_t i = 0; i < size && at + 8 < cap; i++)
		at += (size_t)snprintf(buf + at, cap - at,
				       data[i] >= ' ' && data[i] < 0x7f ? "%c" : "\\x%02x",
				       data[i]);
	snprintf(buf + at, cap - at, "'");
	return true;
}

static bool describe_float(const struct view *v, uint64_t addr, char *buf, size_t cap)
{
	double value;

	/* ob_fval stands right behind the header (Include/cpython/floatobject.h). */
	if (memory_read(v->mem, addr + v->layout->sizeof_object, &value, sizeof(value)) < 0)
		return false;
	snprintf(buf, cap, "%.17g", value);
	return true;
}

/* The value of a str, bytes or float as text. */
static bool describe_value(const struct view *v, const struct type *type, uint64_t addr, char *buf,
			   size_t cap)
{
	char text[4 * NAMES_MAX];
	size_t end = 0;

	if (!type)
		return false;
	if (type_is_subclass(type, TPFLAGS_BYTES_SUBCLASS))
		return describe_bytes(v, addr, buf, cap);
	if (type->builtin && streq(type->builtin->name, "float"))
		return describe_float(v, addr, buf, cap);
	if (!type_is_subclass(type, TPFLAGS_UNICODE_SUBCLASS) ||
	    names_read_str(&v->reader->names, addr, text, sizeof(text)) < 0)
		return false;
	for (size_t i = 0; text[end] && i < VALUE_MAX; i++) {
		end++;
		while ((text[end] & 0xC0) == 0x80)
			end++;
	}
	snprintf(buf, cap, "'%.*s'%s", (int)end, text, text[end] ? "..." : "");
	return true;
}

/* ---- attributes
 * ----------------------------------------------------------------------------------- */

/* Books the attribute @name (of which the target has the value at @value). */
static int add_attribute(struct view *v, const char *name, uint64_t value)
{
	char type[4 * NAMES_MAX], text[128], line[8 * NAMES_MAX];
	bool shown = v->reader->values &&
		     describe_value(v, type_of(v, value), value, text, sizeof(text));
	char **grown;

	type_name(v, value, type, sizeof(type));
	snprintf(line, sizeof(line), "%s: %s%s%s", name, type, shown ? " = " : "",
		 shown ? text : "");
	grown = reallocarray(v->sample.attributes, v->sample.attributes_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	v->sample.attributes = grown;
	grown[v->sample.attributes_count] = strdup(line);
	if (!grown[v->sample.attributes_count])
		return -ENOMEM;
	v->sample.attributes_count++;
	return 0;
}

/* The first entries of a table of keys. */
struct entries {
	struct dict_keys keys;
	uint64_t count;
	uint8_t data[ENTRIES_MAX * 24];
};

static bool read_entries(const struct view *v, uint64_t addr, struct entries *ret)
{
	uint8_t header[DICT_KEYS_HEADER];

	if (!addr || addr % 8 || memory_read(v->mem, addr, header, sizeof(header)) < 0 ||
	    !dicts_decode_keys(v->layout, header, &ret->keys) || ret->keys.entry_size > 24)
		return false;
	ret->count = MIN((uint64_t)ret->keys.nentries, (uint64_t)ENTRIES_MAX);
	return memory_read(v->mem, addr + ret->keys.entries, ret->data,
			   ret->count * ret->keys.entry_size) >= 0;
}

static uint64_t entry_key(const struct entries *e, uint64_t i)
{
	return load_u64(e->data + i * e->keys.entry_size + e->keys.entry_key);
}

/* The value stands last in an entry of every version. */
static uint64_t entry_value(const struct entries *e, uint64_t i)
{
	return load_u64(e->data + (i + 1) * e->keys.entry_size - 8);
}

/* The values of @count names, @values of them at hand as words; NULL: in the entries. */
static int add_entries(struct view *v, const struct entries *e, const uint8_t *values)
{
	int r = 0;

	for (uint64_t i = 0; !r && i < e->count; i++) {
		uint64_t value = values ? load_u64(values + 8 * i) : entry_value(e, i);
		char name[4 * NAMES_MAX];

		if (value &&
		    names_read_str(&v->reader->names, entry_key(e, i), name, sizeof(name)) >= 0)
			r = add_attribute(v, name, value);
	}
	return r;
}

/* Keys at @keys with the values in an array at @values; 0: within the keys. */
static int add_table(struct view *v, uint64_t keys, uint64_t values)
{
	uint8_t words[8 * ENTRIES_MAX];
	struct entries e;

	if (!read_entries(v, keys, &e))
		return 0;
	if (values && memory_read(v->mem, values, words, 8 * e.count) < 0)
		return 0;
	return add_entries(v, &e, values ? words : NULL);
}

static int add_dict(struct view *v, uint64_t dict)
{
	const struct layout *l = v->layout;
	uint64_t keys, values;

	if (!dict || dict % 8 || memory_read_u64(v->mem, dict + l->ma_keys, &keys) < 0 ||
	    memory_read_u64(v->mem, dict + l->ma_values, &values) < 0)
		return 0;
	if (values && l->values == LAYOUT_VALUES_HEADER)
		values += l->values_items;
	return add_table(v, keys, values);
}

/* A word in front of the object; offsets are from it and negative. */
static uint64_t front_word(const struct view *v, int32_t offset)
{
	int64_t at = (int64_t)v->type->pre + offset;

	return offset < 0 && at >= 0 ? load_u64(v->bytes + at) : 0;
}

static int add_managed(struct view *v)
{
	const struct layout *l = v->layout;
	uint64_t dict = front_word(v, l->managed_dict_offset);

	switch (l->instance) {
	case LAYOUT_INSTANCE_BESIDE:
		if (!dict && front_word(v, l->managed_values_offset))
			return add_table(v, v->type->cached_keys,
					 front_word(v, l->managed_values_offset));
		break;
	case LAYOUT_INSTANCE_TAGGED:
		if (dict & 1)
			return add_table(v, v->type->cached_keys, dict + 1);
		break;
	case LAYOUT_INSTANCE_INLINE:
		if (!dict && (v->type->flags & l->flag_inline_values))
			return add_table(v, v->type->cached_keys,
					 v->addr + (uint64_t)v->type->basicsize + l->values_items);
		break;
	case LAYOUT_INSTANCE_DICT:
		break;
	}
	return add_dict(v, dict);
}

/* The members behind a class, which its __slots__ made (PyHeapType_GET_MEMBERS). */
static int add_members(struct view *v, const struct type *type)
{
	const struct type *meta = types_get(v->reader->types, type->meta);
	uint32_t size = v->layout->sizeof_member_def;
	uint64_t count = 0;
	int r = 0;

	if (!meta || !size || size > MEMBER_SIZE_MAX ||
	    memory_read_u64(v->mem, type->addr + v->layout->ob_size, &count) < 0)
		return 0;
	for (uint64_t i = 0; !r && i < MIN(count, (uint64_t)ENTRIES_MAX); i++) {
		uint8_t member[MEMBER_SIZE_MAX];
		char raw[NAMES_MAX], name[2 * NAMES_MAX];
		uint64_t value;
		ssize_t len;

		if (memory_read(v->mem, type->addr + (uint64_t)meta->basicsize + i * size, member,
				size) < 0)
			return 0;
		value = word_at(v, load_u64(member + MEMBER_OFFSET));
		len = memory_read_string(v->mem, load_u64(member), raw, sizeof(raw));
		if (len <= 0 || !value || load_u32(member + MEMBER_TYPE) != T_OBJECT_EX)
			continue;
		utf8_sanitize(name, sizeof(name), raw, (size_t)len);
		r = add_attribute(v, name, value);
	}
	return r;
}

static int add_slots(struct view *v)
{
	const struct type *type = v->type;
	int r = 0;

	for (int depth = 0; !r && type && type->has_slots && depth < BASES_MAX; depth++) {
		if (type->python_class)
			r = add_members(v, type);
		type = type->base_type;
	}
	return r;
}

static int read_attributes(struct view *v)
{
	int r = v->type->has_slots ? add_slots(v) : 0;

	if (r)
		return r;
	if (v->type->dict_at == TYPE_DICT_MANAGED)
		return add_managed(v);
	if (v->type->dict_at == TYPE_DICT_AT)
		return add_dict(v, word_at(v, (uint64_t)v->type->dictoffset));
	return 0;
}

/* ---- items
 * ---------------------------------------------------------------------------------------- */

/* How many of the items at hand are of which type. */
struct kinds {
	const struct type *types[KINDS_MAX];
	unsigned int counts[KINDS_MAX];
	size_t count;
	bool more; /* items, or types, that are not in here */
};

static void count_item(const struct view *v, struct kinds *kinds, uint64_t addr)
{
	const struct type *type = type_of(v, addr);
	size_t i = 0;

	if (!type)
		return;
	while (i < kinds->count && kinds->types[i] != type)
		i++;
	if (i == KINDS_MAX) {
		kinds->more = true;
		return;
	}
	kinds->types[i] = type;
	kinds->counts[i]++;
	kinds->count = MAX(kinds->count, i + 1);
}

static void count_array(struct view *v, struct kinds *kinds, uint64_t addr, uint64_t count)
{
	uint8_t words[8 * ITEMS_MAX];
	uint64_t first = MIN(count, (uint64_t)ITEMS_MAX);

	if (!addr || memory_read(v->mem, addr, words, 8 * first) < 0)
		return;
	for (uint64_t i = 0; i < first; i++)
		count_item(v, kinds, load_u64(words + 8 * i));
	kinds->more = count > first;
}

static void count_values(struct view *v, struct kinds *kinds)
{
	struct entries e;

	if (word_at(v, v->layout->ma_values) ||
	    !read_entries(v, word_at(v, v->layout->ma_keys), &e))
		return;
	for (uint64_t i = 0; i < e.count && i < ITEMS_MAX; i++)
		count_item(v, kinds, entry_value(&e, i));
	kinds->more = (uint64_t)v->sample.items > ITEMS_MAX;
}

static int describe_kinds(struct view *v, const struct kinds *kinds)
{
	char text[KINDS_MAX * 4 * NAMES_MAX] = "", name[4 * NAMES_MAX];
	size_t len = 0;

	for (size_t i = 0; i < kinds->count; i++) {
		names_of_type(&v->reader->names, kinds->types[i], name, sizeof(name));
		snprintf(text + len, sizeof(text) - len, "%s%s (%u)", i ? ", " : "", name,
			 kinds->counts[i]);
		len = strlen(text);
	}
	if (!kinds->count)
		return 0;
	snprintf(text + len, sizeof(text) - len, "%s", kinds->more ? " and more" : "");
	v->sample.holds = strdup(text);
	return v->sample.holds ? 0 : -ENOMEM;
}

static int read_items(struct view *v)
{
	const struct layout *l = v->layout;
	const char *name = v->type->builtin ? v->type->builtin->name : "";
	struct kinds kinds = {};
	uint64_t items;

	if (type_is_subclass(v->type, TPFLAGS_LIST_SUBCLASS)) {
		items = word_at(v, l->ob_size);
		count_array(v, &kinds, word_at(v, l->list_items), items);
	} else if (type_is_subclass(v->type, TPFLAGS_TUPLE_SUBCLASS)) {
		items = word_at(v, l->ob_size);
		count_array(v, &kinds, v->addr + l->tuple_items, items);
	} else if (type_is_subclass(v->type, TPFLAGS_DICT_SUBCLASS)) {
		v->sample.items = (int64_t)(items = word_at(v, l->ma_used));
		count_values(v, &kinds);
	} else if (type_is_subclass(v->type, TPFLAGS_UNICODE_SUBCLASS)) {
		items = word_at(v, l->str_length);
	} else if (type_is_subclass(v->type, TPFLAGS_BYTES_SUBCLASS) || streq(name, "bytearray")) {
		items = word_at(v, l->ob_size);
	} else if (streq(name, "set") || streq(name, "frozenset")) {
		items = word_at(v, l->set_used);
	} else {
		return 0;
	}
	v->sample.items = (int64_t)MIN(items, (uint64_t)INT64_MAX);
	return describe_kinds(v, &kinds);
}

/* ---- one instance
 * --------------------------------------------------------------------------------- */

static int64_t read_refcount(const struct layout *l, const uint8_t *obj)
{
	uint64_t word = refcount_word(l, obj);

	switch (l->refcount) {
	case LAYOUT_REFCOUNT_PLAIN:
		return (int64_t)word;
	case LAYOUT_REFCOUNT_32:
	case LAYOUT_REFCOUNT_FLAGS:
		/* Immortal: the lower half is negative (Include/refcount.h, _Py_IsImmortal). */
		return (int32_t)word < 0 ? SAMPLES_IMMORTAL : (int64_t)(uint32_t)word;
	case LAYOUT_REFCOUNT_SPLIT:
		break;
	}
	if (load_u32(obj + l->ob_ref_local) == UINT32_MAX)
		return SAMPLES_IMMORTAL;
	return (int64_t)load_u32(obj + l->ob_ref_local) +
	       ((int64_t)load_u64(obj + l->ob_ref_shared) >> 2);
}

static int read_object(struct view *v)
{
	ssize_t got = memory_read_some(v->mem, v->addr - v->type->pre, v->bytes, sizeof(v->bytes));

	if (got < 0)
		return (int)got;
	if ((size_t)got < v->type->pre + v->layout->sizeof_var_object)
		return -EFAULT;
	v->len = (size_t)got - v->type->pre;
	if (word_at(v, v->layout->ob_type) != v->type->addr ||
	    refcount_state(v->layout, object_of(v)) != REFCOUNT_LIVE)
		return -ENOENT;
	v->sample.refcount = read_refcount(v->layout, object_of(v));
	return 0;
}

static int read_value(struct view *v)
{
	char text[512];

	if (!v->reader->values || !describe_value(v, v->type, v->addr, text, sizeof(text)))
		return 0;
	v->sample.value = strdup(text);
	return v->sample.value ? 0 : -ENOMEM;
}

int samples_read(struct samples_reader *reader, const struct type *type, uint64_t addr,
		 struct sample *ret)
{
	struct view v = {
		.reader = reader,
		.layout = reader->names.layout,
		.mem = reader->names.mem,
		.type = type,
		.addr = addr,
		.sample = { .addr = addr, .items = SAMPLES_NO_ITEMS },
	};
	int r = read_object(&v);

	if (!r)
		r = read_items(&v);
	if (!r)
		r = read_attributes(&v);
	if (!r)
		r = read_value(&v);
	if (r) {
		samples_fini(&v.sample);
		return r;
	}
	*ret = v.sample;
	return 0;
}

void samples_fini(struct sample *sample)
{
	for (size_t i = 0; i < sample->attributes_count; i++)
		free(sample->attributes[i]);
	free(sample->attributes);
	free(sample->holds);
	free(sample->value);
	*sample = (struct sample){};
}
