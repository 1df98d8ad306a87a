/* SPDX-License-Identifier: BSD-2-Clause */
#include "attribute/builtins.h"

#include "attribute/dicts.h"
#include "attribute/modules.h"
#include "attribute/refcount.h"
#include "base/util.h"

#define NAME_MAX_LEN 64

static int64_t ob_size(const struct worker *w, const struct object *obj)
{
	return (int64_t)object_word(obj, w->layout->ob_size);
}

static inline void book_capacity(struct worker *w, struct type *type, uint64_t used, uint64_t owned)
{
	struct tally *tally = worker_tally(w, type);

	tally->capacity_used += (int64_t)used;
	tally->capacity_owned += (int64_t)owned;
}

/* A buffer of @now bytes would do with @least. */
static void book_spare(struct worker *w, struct type *type, uint64_t now, uint64_t least)
{
	uint64_t block, small;

	if (now == least)
		return;
	block = whatif_block(&w->shared->whatif, now);
	small = whatif_block(&w->shared->whatif, least);
	if (block > small)
		worker_tally(w, type)->facts.spare_bytes += (int64_t)(block - small);
}

/* The same of a buffer at @addr that was made smaller in place: what malloc gave when it was large
 * stays malloc's. */
static void book_spare_resized(struct worker *w, struct type *type, uint64_t addr, uint64_t now,
			       uint64_t least)
{
	book_spare(w, type, now, least);
	if (!now || now == least || !w->shared->whatif.glibc ||
	    now > w->layout->small_request_max || worker_block_size(w, addr))
		return;
	worker_tally(w, type)->facts.spare_bytes +=
		(int64_t)(MAX(round_up(now + 8, 16), (uint64_t)32) -
			  whatif_block(&w->shared->whatif, now));
}

static void visit_list(struct worker *w, struct type *type, const struct object *obj)
{
	uint64_t allocated = object_word(obj, w->layout->list_allocated);
	uint64_t items = object_word(obj, w->layout->list_items);
	uint64_t used = (uint64_t)ob_size(w, obj), bytes = items ? 8 * allocated : 0;
	uint32_t front = w->layout->list_items_front;
	struct tally *tally = worker_tally(w, type);

	if (allocated >> 40 || used > allocated)
		return (void)w->torn++;
	tally->sizeof_bytes += builtins_plain_size(type, 0) + (int64_t)bytes;
	tally->capacity_used += (int64_t)used;
	tally->capacity_owned += (int64_t)allocated;
	if (bytes != 8 * used)
		book_spare_resized(w, type, items, bytes, 8 * used);
	if (items)
		worker_charge_buffer(w, type, items - front, bytes + front);
}

static void visit_dict(struct worker *w, struct type *type, const struct object *obj)
{
	builtins_book_size(w, type, builtins_plain_size(type, 0));
	dicts_visit(w, type, obj);
}

/* odictobject.c, odict_sizeof: dict + fast nodes + a node per item. Nodes are blocks of their own.
 */
static void visit_odict(struct worker *w, struct type *type, const struct object *obj)
{
	uint64_t fast = object_word(obj, w->layout->odict_fast_nodes);
	uint64_t count = object_word(obj, w->layout->odict_fast_nodes_size),
		 used = object_word(obj, w->layout->ma_used);
	uint64_t first = object_word(obj, w->layout->odict_first);
	uint32_t node = w->layout->sizeof_odict_node;
	uint64_t block = worker_block_size(w, first);

	visit_dict(w, type, obj);
	if (count >> 40 || used >> 40)
		return (void)w->torn++;
	builtins_book_size(w, type, (int64_t)(fast ? 8 * count : 0) + (int64_t)(node * used));
	worker_charge_buffer(w, type, fast, 8 * count);
	if (block && used) {
		worker_tally(w, type)->parts[TALLY_BUFFER] += (int64_t)(used * block);
		worker_claim(w, block, used);
	}
}

static void visit_set(struct worker *w, struct type *type, const struct object *obj)
{
	const struct layout *l = w->layout;
	uint64_t slots = object_word(obj, l->set_mask) + 1, table = object_word(obj, l->set_table);
	bool own = table && table != obj->addr + l->set_smalltable;

	if (!slots || slots >> 40 || (slots & (slots - 1)) || object_word(obj, l->set_used) > slots)
		return (void)w->torn++;
	builtins_book_size(w, type,
			   builtins_plain_size(type, 0) +
				   (own ? (int64_t)(slots * l->sizeof_set_entry) : 0));
	book_capacity(w, type, object_word(obj, l->set_used), slots);
	if (!own)
		return;
	book_spare(w, type, slots * l->sizeof_set_entry,
		   whatif_set_table(&w->shared->whatif, object_word(obj, l->set_used)));
	worker_charge_buffer(w, type, table, slots * l->sizeof_set_entry);
}

/*
 * data: the bytes object that a bytearray keeps its bytes in, which nobody else knows (3.15;
 * Objects/bytearrayobject.c, ob_bytes_object). It moves from the row of bytes.
 */
static void run_bytearray_object(struct worker *w, const struct fetch *f, const uint8_t *data)
{
	struct type *bytes = types_get(w->types, load_u64(data + w->layout->ob_type));
	int64_t length = load_i64(data + w->layout->ob_size);
	struct fetch move = *f;

	if (!bytes || !type_is_subclass(bytes, TPFLAGS_BYTES_SUBCLASS) || length < 0 ||
	    length >> 46 || !refcount_is_one(w->layout, data))
		return; /* static and shared: that of all empty ones */
	move.charge.from = bytes;
	move.charge.from_part = TALLY_OBJECT;
	worker_tally(w, bytes)->objects--;
	worker_tally(w, bytes)->sizeof_bytes -= w->layout->sizeof_bytes + length;
	worker_charge(w, &move.charge, f->addr, w->layout->sizeof_bytes + (uint64_t)length);
}

static void charge_bytearray_object(struct worker *w, struct type *type, uint64_t addr)
{
	struct fetch f = {
		.addr = addr,
		.run = run_bytearray_object,
		.charge = { type, NULL, TALLY_BUFFER, 0, CHARGE_NO_DICT, CHARGE_NO_DICT },
		.len = (uint16_t)w->layout->sizeof_var_object,
	};

	worker_fetch(w, &f);
}

static void visit_bytearray(struct worker *w, struct type *type, const struct object *obj)
{
	const struct layout *l = w->layout;
	uint64_t alloc = object_word(obj, l->bytearray_alloc);

	if (alloc >> 46 || (uint64_t)ob_size(w, obj) > alloc)
		return (void)w->torn++;
	builtins_book_size(w, type, builtins_plain_size(type, 0) + (int64_t)alloc);
	book_capacity(w, type, (uint64_t)ob_size(w, obj), alloc);
	if (ob_size(w, obj) >= 0)
		book_spare(w, type, alloc, ob_size(w, obj) ? (uint64_t)ob_size(w, obj) + 1 : 0);
	if (l->bytearray_object == LAYOUT_NONE) {
		worker_charge_buffer(w, type, object_word(obj, l->bytearray_data), alloc);
		return;
	}
	if (alloc)
		builtins_book_size(w, type,
				   l->sizeof_bytes); /* bytearray_sizeof counts the bytes object */
	charge_bytearray_object(w, type, object_word(obj, l->bytearray_object));
}

/* Variable-size objects whose __sizeof__ is object's. */
static void visit_items(struct worker *w, struct type *type, const struct object *obj)
{
	builtins_book_size(w, type, builtins_plain_size(type, builtins_items(w, type, obj)));
}

/* An int with attributes of its own (a subclass): counted as an int. */
static void visit_int(struct worker *w, struct type *type, const struct object *obj)
{
	struct type_size size = builtins_size(w->layout, type, TYPE_SHAPE_INT);

	if (obj->len >= w->layout->sizeof_int)
		builtins_book_size(w, type, builtins_sizeof(&size, obj->data, obj->block_size));
}

/* The text of a str that is not compact (a subclass), or its old wide copy: own buffers. */
static int64_t charge_str_buffers(struct worker *w, struct type *type, const struct object *obj,
				  uint64_t own_data, uint64_t data_bytes)
{
	const struct layout *l = w->layout;
	uint64_t wstr = l->str_wstr == LAYOUT_NONE ? 0 : object_word(obj, l->str_wstr);
	uint64_t utf8 = object_word(obj, l->str_utf8);
	uint64_t utf8_bytes = object_word(obj, l->str_utf8_length) + 1;
	int64_t extra = 0;

	if (data_bytes) {
		extra += (int64_t)data_bytes;
		worker_charge_buffer(w, type, own_data, data_bytes);
	}
	if (wstr && wstr != own_data && !(object_word(obj, l->str_wstr_length) >> 40)) {
		uint64_t bytes = 4 * (object_word(obj, l->str_wstr_length) + 1);

		extra += (int64_t)bytes;
		worker_charge_buffer(w, type, wstr, bytes);
	}
	if (utf8 && utf8 != own_data && !(utf8_bytes >> 46)) {
		extra += (int64_t)utf8_bytes;
		worker_charge_buffer(w, type, utf8, utf8_bytes);
	}
	return extra;
}

/* The contents of a compact str, which begin @at bytes into it, go into the count of equal ones. */
static void note_contents(const struct worker *w, const struct object *obj, uint32_t at,
			  uint64_t bytes)
{
	const struct strings_text text = {
		.addr = obj->addr,
		.size = obj->block_size,
		.contents = obj->addr + at,
		.len = bytes,
		.data = obj->data + at,
		.have = obj->len > at ? obj->len - at : 0,
	};

	/* Contents that end outside of their block are none. */
	if (at + bytes <= obj->block_addr + obj->block_size - obj->addr)
		strings_add(w->strings, w->mem, &text);
}

/* Objects/unicodeobject.c, unicode_sizeof_impl. */
static void visit_str(struct worker *w, struct type *type, const struct object *obj)
{
	const struct layout *l = w->layout;
	uint64_t length = object_word(obj, l->str_length), data, bytes;
	uint32_t state, kind;

	if (obj->len < l->sizeof_ascii || length >> 46)
		return (void)w->torn++;
	state = load_u32(obj->data + l->str_state);
	kind = (state >> l->str_kind_shift) & l->str_kind_mask;
	if (w->strings && (state & l->str_compact_mask))
		note_contents(w, obj,
			      state & l->str_ascii_mask ? l->sizeof_ascii : l->sizeof_compact,
			      length * kind);
	if ((state & l->str_compact_mask) && (state & l->str_ascii_mask)) {
		builtins_book_size(w, type, (int64_t)(type->pre + l->sizeof_ascii + length + 1));
		if (l->str_wstr != LAYOUT_NONE && object_word(obj, l->str_wstr)) {
			uint64_t wide = 4 * (length + 1);

			builtins_book_size(w, type, (int64_t)wide);
			worker_charge_buffer(w, type, object_word(obj, l->str_wstr), wide);
		}
		return;
	}
	if (state & l->str_compact_mask) {
		data = obj->addr + l->sizeof_compact;
		builtins_book_size(w, type,
				   (int64_t)(type->pre + l->sizeof_compact + (length + 1) * kind));
		builtins_book_size(w, type, charge_str_buffers(w, type, obj, data, 0));
		return;
	}
	data = object_word(obj, l->str_data);
	bytes = data ? (length + 1) * kind : 0;
	builtins_book_size(w, type, (int64_t)type->pre + (int64_t)l->sizeof_unicode);
	builtins_book_size(w, type, charge_str_buffers(w, type, obj, data, bytes));
}

/* Blocks of 64 slots (Modules/_collectionsmodule.c, deque_sizeof); some spare ones are kept for
 * reuse. */
static void visit_deque(struct worker *w, struct type *type, const struct object *obj)
{
	const struct layout *l = w->layout;
	uint64_t length = (uint64_t)ob_size(w, obj), left = object_word(obj, l->deque_leftindex),
		 blocks;
	uint64_t spare = l->deque_numfreeblocks == LAYOUT_NONE
				 ? 0
				 : object_word(obj, l->deque_numfreeblocks);
	uint64_t asked = l->sizeof_deque_block + w->shared->hooks.large_extra, block_size;

	if (length >> 40 || left > 63 || spare > 16)
		return (void)w->torn++;
	blocks = length ? (left + length + 63) / 64 : 1;
	builtins_book_size(
		w, type, builtins_plain_size(type, 0) + (int64_t)(blocks * l->sizeof_deque_block));
	book_capacity(w, type, length, 64 * (blocks + spare));
	block_size = worker_block_size(w, object_word(obj, l->deque_leftblock));
	if (block_size) { /* mimalloc */
		worker_claim(w, block_size, blocks + spare);
		worker_tally(w, type)->parts[TALLY_BUFFER] +=
			(int64_t)((blocks + spare) * block_size);
		return;
	}
	/* Larger than pymalloc serves: each is a chunk of its own, all alike. */
	block_size = round_up(asked + (w->shared->census->glibc.present ? 8 : 0), 16);
	worker_tally(w, type)->parts[TALLY_BUFFER] += (int64_t)((blocks + spare) * block_size);
	w->malloc_bytes += (blocks + spare) * block_size;
}

static void run_array_itemsize(struct worker *w, const struct fetch *f, const uint8_t *data)
{
	uint32_t itemsize = load_u32(data);

	if (!itemsize || itemsize > 64)
		return (void)w->torn++;
	builtins_book_size(w, f->charge.to, (int64_t)(f->a * itemsize));
	if (f->a)
		worker_charge(w, &f->charge, f->b, f->a * itemsize);
}

static void visit_array(struct worker *w, struct type *type, const struct object *obj)
{
	const struct layout *l = w->layout;
	struct fetch f = {
		.addr = object_word(obj, l->array_descr) + l->array_descr_itemsize,
		.run = run_array_itemsize,
		.charge = { type, NULL, TALLY_BUFFER, 0, CHARGE_NO_DICT, CHARGE_NO_DICT },
		.a = object_word(obj, l->array_allocated),
		.b = object_word(obj, l->array_items),
		.len = 4,
	};

	if (f.a >> 40 || (uint64_t)ob_size(w, obj) > f.a)
		return (void)w->torn++;
	builtins_book_size(w, type, builtins_plain_size(type, 0));
	book_capacity(w, type, (uint64_t)ob_size(w, obj), f.a);
	worker_fetch(w, &f);
}

/* data: the header of the bytes object behind a BytesIO. Shared with others it does not count. */
static void run_bytesio_buffer(struct worker *w, const struct fetch *f, const uint8_t *data)
{
	const struct type *bytes = types_get(w->types, load_u64(data + w->layout->ob_type));
	int64_t length = load_i64(data + w->layout->ob_size);

	if (!bytes || !type_is_subclass(bytes, TPFLAGS_BYTES_SUBCLASS) || length < 0 ||
	    length >> 46)
		return (void)w->torn++;
	if (refcount_is_one(w->layout, data))
		builtins_book_size(w, f->charge.to, (int64_t)w->layout->sizeof_bytes + length);
}

/* Modules/_io/bytesio.c, bytesio_sizeof: with the bytes object, which stays in the row of bytes. */
static void visit_bytesio(struct worker *w, struct type *type, const struct object *obj)
{
	struct fetch f = {
		.addr = object_word(obj, w->layout->bytesio_buf),
		.run = run_bytesio_buffer,
		.charge = { .to = type },
		.len = (uint16_t)w->layout->sizeof_var_object,
	};

	builtins_book_size(w, type, builtins_plain_size(type, 0));
	if (f.addr) /* not closed */
		worker_fetch(w, &f);
}

static void visit_module(struct worker *w, struct type *type, const struct object *obj)
{
	builtins_book_size(w, type, builtins_plain_size(type, 0));
	worker_charge_buffer(w, type, object_word(obj, w->layout->module_state), 0);
}

/* Descriptors name the type that they belong to: so static types are found that have no instance.
 */
static void visit_descriptor(struct worker *w, struct type *type, const struct object *obj)
{
	builtins_book_size(w, type, builtins_plain_size(type, 0));
	types_get(w->types, object_word(obj, w->layout->descr_type));
}

static void run_code_slots(struct worker *w, const struct fetch *f, const uint8_t *data)
{
	uint64_t slots = (uint64_t)load_u32(data) + load_u32(data + f->b);

	if (slots >> 24)
		return (void)w->torn++;
	builtins_book_size(w, f->charge.to, (int64_t)(8 * slots));
}

/* How many slots a frame of the code at @addr has for locals and stack (3.11+). */
static void fetch_code_slots(struct worker *w, struct type *type, uint64_t addr)
{
	const struct layout *l = w->layout;
	uint32_t lo = MIN(l->code_nlocalsplus, l->code_stacksize),
		 hi = MAX(l->code_nlocalsplus, l->code_stacksize);
	struct fetch f = {
		.addr = addr + lo,
		.run = run_code_slots,
		.charge = { .to = type },
		.b = hi - lo,
		.len = (uint16_t)(hi - lo + 4),
	};

	if (hi != LAYOUT_NONE && f.len <= FETCH_MAX)
		worker_fetch(w, &f);
}

/* 3.11+: the frame lies inside; gen_sizeof counts its locals and stack by the code
 * (Objects/genobject.c). */
static void visit_generator(struct worker *w, struct type *type, const struct object *obj)
{
	builtins_book_size(w, type, builtins_plain_size(type, 0));
	fetch_code_slots(w, type, object_word(obj, w->layout->gen_code_path) & ~7ull);
}

/* data: the code that a frame runs; 3.14+: with a tag. */
static void run_frame_code(struct worker *w, const struct fetch *f, const uint8_t *data)
{
	fetch_code_slots(w, f->charge.to, load_u64(data) & ~7ull);
}

/*
 * Objects/frameobject.c, frame_sizeof. 3.11+: by the code of the interpreter's frame, inside this
 * object or not. Before, the first of the items is in basicsize too.
 */
static void visit_frame(struct worker *w, struct type *type, const struct object *obj)
{
	const struct layout *l = w->layout;
	struct fetch f = {
		.addr = object_word(obj, l->sizeof_object + 8) + (l->gen_code_path - l->gen_frame),
		.run = run_frame_code,
		.charge = { .to = type },
		.len = 8,
	};

	if (l->code_nlocalsplus == LAYOUT_NONE)
		return builtins_book_size(
			w, type, builtins_plain_size(type, builtins_items(w, type, obj)) - 8);
	builtins_book_size(w, type, builtins_plain_size(type, 0));
	worker_fetch(w, &f);
}

static void visit_code(struct worker *w, struct type *type, const struct object *obj)
{
	visit_items(w, type, obj);
	worker_charge_buffer(w, type, object_word(obj, w->layout->code_extra), 0);
}

/* type_new and PyType_FromSpec make copies of name and doc. */
void builtins_charge_class(struct worker *w, struct type *metatype, const struct object *obj,
			   bool counts_keys)
{
	const struct layout *l = w->layout;
	struct type *type = types_get(w->types, obj->addr);

	if (!type)
		return (void)w->torn++;
	if (!(type->flags & TPFLAGS_HEAPTYPE))
		return;
	if (type->cached_keys)
		dicts_charge_shared_keys(w, type, counts_keys ? metatype : NULL);
	worker_charge_buffer(w, metatype, object_word(obj, l->tp_doc), 0);
	worker_charge_buffer(w, metatype, object_word(obj, l->ht_tpname), 0);
}

/* Objects/typeobject.c, type___sizeof___impl. */
static void visit_type(struct worker *w, struct type *metatype, const struct object *obj)
{
	const struct layout *l = w->layout;
	const struct type *type = types_get(w->types, obj->addr);

	builtins_book_size(w, metatype,
			   !type ? builtins_plain_size(metatype, 0)
				 : (int64_t)metatype->pre + (type->flags & TPFLAGS_HEAPTYPE
								     ? l->sizeof_heap_type
								     : l->sizeof_type));
	builtins_charge_class(w, metatype, obj, true);
}

#define SIZE(field) offsetof(struct layout, field)

static const struct builtin rows[] = {
	{ "type", TPFLAGS_TYPE_SUBCLASS, 0, visit_type },
	{ "collections.OrderedDict", 0, SIZE(sizeof_odict), visit_odict },
	{ "dict", TPFLAGS_DICT_SUBCLASS, SIZE(sizeof_dict), visit_dict },
	{ "list", TPFLAGS_LIST_SUBCLASS, SIZE(sizeof_list), visit_list, TYPE_SHAPE_LIST },
	{ "tuple", TPFLAGS_TUPLE_SUBCLASS, 0, visit_items, TYPE_SHAPE_ITEMS },
	{ "str", TPFLAGS_UNICODE_SUBCLASS, 0, visit_str, TYPE_SHAPE_STR },
	{ "bytes", TPFLAGS_BYTES_SUBCLASS, 0, visit_items, TYPE_SHAPE_ITEMS },
	{ "int", TPFLAGS_LONG_SUBCLASS, 0, visit_int, TYPE_SHAPE_INT },
	{ "BaseException", TPFLAGS_BASE_EXC_SUBCLASS, 0, NULL },
	{ "set", 0, SIZE(sizeof_set), visit_set },
	{ "frozenset", 0, SIZE(sizeof_set), visit_set },
	{ "bytearray", 0, SIZE(sizeof_bytearray), visit_bytearray },
	{ "collections.deque", 0, SIZE(sizeof_deque), visit_deque },
	{ "array.array", 0, SIZE(sizeof_array), visit_array },
	{ "_io.BytesIO", 0, SIZE(sizeof_bytesio), visit_bytesio },
	{ "module", 0, 0, visit_module },
	{ "code", 0, 0, visit_code },
	{ "frame", 0, 0, visit_frame },
	{ "generator", 0, 0, visit_generator },
	{ "coroutine", 0, 0, visit_generator },
	{ "async_generator", 0, 0, visit_generator },
	{ "method_descriptor", 0, 0, visit_descriptor },
	{ "wrapper_descriptor", 0, 0, visit_descriptor },
	{ "getset_descriptor", 0, 0, visit_descriptor },
	{ "member_descriptor", 0, 0, visit_descriptor },
	{ "classmethod_descriptor", 0, 0, visit_descriptor },
	/* Nothing but references to objects inside, none of them owned as a raw block. */
	{ "object", 0, 0, NULL },
	{ "float", 0, 0, NULL },
	{ "complex", 0, 0, NULL },
	{ "function", 0, 0, NULL },
	{ "method", 0, 0, NULL },
	{ "builtin_function_or_method", 0, 0, NULL },
	{ "cell", 0, 0, NULL },
	{ "property", 0, 0, NULL },
	{ "staticmethod", 0, 0, NULL },
	{ "classmethod", 0, 0, NULL },
	{ "slice", 0, 0, NULL },
	{ "range", 0, 0, NULL },
	{ "range_iterator", 0, 0, NULL },
	{ "list_iterator", 0, 0, NULL },
	{ "tuple_iterator", 0, 0, NULL },
	{ "weakref", 0, 0, NULL },
	{ "weakref.ReferenceType", 0, 0, NULL },
	{ "weakref.KeyedRef", 0, 0, NULL },
	{ "weakproxy", 0, 0, NULL },
	{ "mappingproxy", 0, 0, NULL },
	{ "method-wrapper", 0, 0, NULL },
	{ "traceback", 0, 0, NULL },
	{ "memoryview", 0, 0, visit_items },
	{ "managedbuffer", 0, 0, NULL },
};

/* A row by flag is for the type that the flag is named after, and all that derive from it. */
static bool row_fits(const struct builtin *row, const char *name, const struct layout *layout,
		     const struct type *type)
{
	if (row->subclass_flag && !(type->flags & row->subclass_flag))
		return false;
	if (!streq(row->name, name))
		return false;
	return !row->basicsize_offset ||
	       type->basicsize ==
		       (int32_t) * (const uint32_t *)((const char *)layout + row->basicsize_offset);
}

const struct builtin *builtins_find(const struct layout *layout, struct memory *mem,
				    const struct type *type)
{
	char name[NAME_MAX_LEN];

	if (memory_read_string(mem, type->name, name, sizeof(name)) < 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (row_fits(&rows[i], name, layout, type))
			return &rows[i];
	return modules_find(layout, name, type);
}

struct type_size builtins_size(const struct layout *l, const struct type *type,
			       enum type_shape shape)
{
	bool tagged = l->int_format == LAYOUT_INT_TAG;
	struct type_size size = {
		.base = (int32_t)builtins_plain_size(type, 0),
		.at = (uint16_t)l->ob_type,
	};

	if (type->builtin)
		size.base += type->builtin->more;

	if (shape == TYPE_SHAPE_ITEMS) {
		size.item = type->itemsize;
		size.at = (uint16_t)l->ob_size;
	}
	/* int's own __sizeof__: at least one digit from 3.11 on (Objects/longobject.c,
	 * int___sizeof___impl). */
	if (shape == TYPE_SHAPE_INT)
		size = (struct type_size){
			.base = (int32_t)(type->pre + l->sizeof_int),
			.item = (int32_t)l->sizeof_digit,
			.least = l->int_counts_zero_digit,
			.at = (uint16_t)(tagged ? l->int_tag : l->ob_size),
			.shift = (uint8_t)(tagged ? l->int_tag_shift : 0),
		};
	return size;
}
