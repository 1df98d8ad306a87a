/* SPDX-License-Identifier: BSD-2-Clause */
#include "attribute/attributes.h"

#include "attribute/dicts.h"
#include "base/util.h"

static void book(struct worker *w, struct type *type, enum tally_storage storage)
{
	worker_tally(w, type)->storage[storage]++;
}

/* It could carry attributes and has none. */
static void book_none(struct worker *w, struct type *type)
{
	book(w, type, TALLY_NONE);
	tally_add_attributes(worker_tally(w, type), 0);
}

/* Does a weak reference point to it? */
static void visit_weakrefs(struct worker *w, struct type *type, const struct object *obj,
			   const uint8_t *front)
{
	int64_t at = (int64_t)type->pre + type->weakref_at;

	if (type->weakref_at && at >= 0 && type->weakref_at + 8 <= (int64_t)obj->len &&
	    load_u64(front + at))
		worker_tally(w, type)->facts.weakrefs++;
}

/* A module's dict is a module's, a type's a type's; every other __dict__ is an instance's. */
static enum tally_dict_owner owner_kind(const struct type *type)
{
	if (type_is_subclass(type, TPFLAGS_TYPE_SUBCLASS))
		return TALLY_OWNER_TYPE;
	return type->is_module ? TALLY_OWNER_MODULE : TALLY_OWNER_INSTANCE;
}

static void visit_dict_pointer(struct worker *w, struct type *type, uint64_t dict)
{
	if (dict && !(dict % 8))
		dicts_adopt(w, type, dict, owner_kind(type));
	else
		book_none(w, type);
}

/* 3.11: two words in front, values and dict; at most one is set (Include/internal/pycore_object.h).
 */
static void visit_beside(struct worker *w, struct type *type, const uint8_t *front)
{
	const struct layout *l = w->layout;
	uint64_t values = load_u64(front + type->pre + l->managed_values_offset);
	uint64_t dict = load_u64(front + type->pre + l->managed_dict_offset);

	if (dict || !values || values % 8)
		visit_dict_pointer(w, type, dict);
	else
		dicts_adopt_values(w, type, values);
}

/* 3.12: one word, its lowest bit says which it is (PyDictOrValues). */
static void visit_tagged(struct worker *w, struct type *type, const uint8_t *front)
{
	uint64_t word = load_u64(front + type->pre + w->layout->managed_dict_offset);

	if (word & 1)
		dicts_adopt_values(w, type, word + 1);
	else
		visit_dict_pointer(w, type, word);
}

/* 3.13+: values behind the object; they hold attributes while valid and no dict object took them
 * over. */
static void visit_inline(struct worker *w, struct type *type, const struct object *obj,
			 const uint8_t *front)
{
	const struct layout *l = w->layout;
	uint64_t dict = load_u64(front + type->pre + l->managed_dict_offset);
	const uint8_t *values = obj->data + type->basicsize;
	bool used;

	if (dict || !(type->flags & l->flag_inline_values)) {
		visit_dict_pointer(w, type, dict);
		return;
	}
	if ((uint64_t)type->basicsize + l->values_items > obj->len) {
		book(w, type, TALLY_NONE);
		w->torn++;
		return;
	}
	used = values[l->values_valid] && values[l->values_size];
	book(w, type, used ? TALLY_INLINE : TALLY_NONE);
	tally_add_attributes(worker_tally(w, type), used ? values[l->values_size] : 0);
}

static void visit_managed(struct worker *w, struct type *type, const struct object *obj,
			  const uint8_t *front)
{
	switch (w->layout->instance) {
	case LAYOUT_INSTANCE_BESIDE:
		visit_beside(w, type, front);
		break;
	case LAYOUT_INSTANCE_TAGGED:
		visit_tagged(w, type, front);
		break;
	case LAYOUT_INSTANCE_INLINE:
		visit_inline(w, type, obj, front);
		break;
	case LAYOUT_INSTANCE_DICT:
		break;
	}
}

/* Behind the items: _PyObject_GetDictPtr for a negative tp_dictoffset (Objects/object.c). */
static uint64_t end_offset(const struct worker *w, const struct type *type,
			   const struct object *obj)
{
	int64_t items = (int64_t)object_word(obj, w->layout->ob_size);
	uint64_t size;

	if (items < -(int64_t)UINT32_MAX || items > (int64_t)UINT32_MAX)
		return UINT64_MAX;
	if (items < 0)
		items = -items;
	size = round_up((uint64_t)(type->basicsize + items * type->itemsize), 8);
	return size + (uint64_t)type->dictoffset;
}

/* The dict pointer of an object whose end is beyond the bytes at hand. */
static void run_dict_pointer(struct worker *w, const struct fetch *f, const uint8_t *data)
{
	visit_dict_pointer(w, f->charge.to, load_u64(data));
}

static void visit_at(struct worker *w, struct type *type, const struct object *obj, uint64_t offset)
{
	struct fetch f = {
		.addr = obj->addr + offset,
		.run = run_dict_pointer,
		.charge = { .to = type },
		.len = 8,
	};

	if (obj->block_size < 8 || offset > obj->block_size - 8)
		w->torn++;
	else if (offset + 8 <= obj->len)
		visit_dict_pointer(w, type, load_u64(obj->data + offset));
	else
		worker_fetch(w, &f);
}

void attributes_visit(struct worker *worker, struct type *type, const struct object *obj,
		      const uint8_t *front)
{
	if (type->dict_at != TYPE_DICT_NONE)
		visit_weakrefs(worker, type, obj, front);
	switch (type->dict_at) {
	case TYPE_DICT_NONE:
		book(worker, type, type->has_slots ? TALLY_SLOTS : TALLY_NONE);
		break;
	case TYPE_DICT_MANAGED:
		visit_managed(worker, type, obj, front);
		break;
	case TYPE_DICT_AT:
		visit_at(worker, type, obj, (uint64_t)type->dictoffset);
		break;
	case TYPE_DICT_END:
		visit_at(worker, type, obj, end_offset(worker, type, obj));
		break;
	}
}
