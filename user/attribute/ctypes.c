/* SPDX-License-Identifier: BSD-2-Clause */
#include "attribute/ctypes.h"

#include "attribute/dicts.h"
#include "attribute/stdlib.h"

/* ---- objects
 * ---------------------------------------------------------------------------------------- */

/*
 * CDataObject { b_ptr; b_needsfree; b_base; b_size; b_length; b_index; b_objects; b_value }:
 * Modules/_ctypes/ctypes.h. What does not fit into b_value is a block of its own. Offsets are from
 * the end of the object's header.
 */
enum { CDATA_PTR = 0, CDATA_NEEDSFREE = 8, CDATA_BYTES = 24, CDATA_VALUE = 64, CDATA_SIZE = 80 };

static void visit_cdata(struct worker *w, struct type *type, const struct object *obj)
{
	uint64_t at = builtins_word(w, obj, CDATA_PTR),
		 inside = obj->addr + w->layout->sizeof_object + CDATA_VALUE;
	bool own = (uint32_t)builtins_word(w, obj, CDATA_NEEDSFREE);

	builtins_book_size(w, type, builtins_plain_size(type, builtins_items(w, type, obj)));
	if (own && at != inside)
		worker_charge_buffer(w, type, at, builtins_word(w, obj, CDATA_BYTES));
}

/* ---- classes
 * ---------------------------------------------------------------------------------------- */

/*
 * What ctypes knows of a class: StgInfo, from 3.13 on behind the type object, before that behind
 * the dict that is the class's (StgDict), there without `initialized` and `module`.
 * { initialized; size; align; length; ffi_type { size; alignment, type; elements }; proto; setfunc;
 * getfunc; paramfunc; argtypes; converters; restype; checker; module...; flags; format; ndim; shape
 * }: Modules/_ctypes/ctypes.h. Its blocks and, in both versions' __sizeof__, their bytes are the
 * class's: Modules/_ctypes/_ctypes.c, CType_Type___sizeof__, and stgdict.c, PyCStgDict_sizeof.
 */
enum {
	INFO_LENGTH = 16, /* from `size` on */
	INFO_ELEMENTS = 40,
	INFO_SIZE_MIN = 136,
	INFO_SIZE_MAX = 200,
	INFO_SIZE_3_13 = 160,
	INFO_PADDED_3_14 =
		176, /* 168, which PyType_FromMetaclass() rounds up to a multiple of 16 */
	/* From the end. */
	INFO_FORMAT = 24,
	INFO_NDIM = 16,
	INFO_SHAPE = 8,
};

/* data: `length` to `elements`. */
static void run_elements(struct worker *w, const struct fetch *f, const uint8_t *data)
{
	stdlib_book_table(w, f->charge.to, load_u64(data + INFO_ELEMENTS - INFO_LENGTH),
			  load_u64(data) + 1, 8);
}

/* data: `format` to `shape`. */
static void run_format(struct worker *w, const struct fetch *f, const uint8_t *data)
{
	uint64_t shape = load_u64(data + INFO_FORMAT - INFO_SHAPE);

	stdlib_book_text(w, f->charge.to, load_u64(data));
	stdlib_book_table(w, f->charge.to, shape, load_u32(data + INFO_FORMAT - INFO_NDIM), 8);
}

/* @info: from `size` on, up to @end. */
static void fetch_info(struct worker *w, struct type *type, uint64_t info, uint64_t end)
{
	struct fetch elements = {
		.addr = info + INFO_LENGTH,
		.run = run_elements,
		.charge = { .to = type },
		.len = INFO_ELEMENTS - INFO_LENGTH + 8,
	};
	struct fetch format = {
		.addr = end - INFO_FORMAT,
		.run = run_format,
		.charge = { .to = type },
		.len = INFO_FORMAT,
	};

	if (end - info < INFO_SIZE_MIN || end - info > INFO_SIZE_MAX)
		return (void)w->torn++;
	worker_fetch(w, &elements);
	worker_fetch(w, &format);
}

/* _ctypes.CType_Type itself, of which @metatype is or from which it derives. */
static const struct type *ctype_root(const struct type *metatype)
{
	const struct type *root = metatype;

	while (root->base_type && root->base_type->builtin == metatype->builtin)
		root = root->base_type;
	return root;
}

/* Where StgInfo, which begins at @info in a class that ends at @end, ends; 0: not known. */
static uint64_t info_end(uint64_t info, uint64_t end)
{
	return end - info == INFO_SIZE_3_13 ? end : end - info == INFO_PADDED_3_14 ? end - 8 : 0;
}

/* The whole of it is 8 bytes more: `initialized`. PyObject_GetTypeData() aligns it to 16. */
static void visit_class(struct worker *w, struct type *metatype, const struct object *obj)
{
	const struct type *root = ctype_root(metatype);
	uint64_t info = obj->addr + round_up((uint64_t)w->layout->sizeof_heap_type, 16), end;

	builtins_book_size(w, metatype,
			   builtins_plain_size(metatype, builtins_items(w, metatype, obj)));
	builtins_charge_class(w, metatype, obj, false);
	end = info_end(info, obj->addr + (uint64_t)root->basicsize);
	if (end)
		fetch_info(w, metatype, info + 8, end);
	else
		w->torn++;
}

/* Up to 3.12. Its own fields are counted twice: _PyDict_SizeOf() knows them already. */
static void visit_stgdict(struct worker *w, struct type *type, const struct object *obj)
{
	builtins_book_size(w, type,
			   builtins_plain_size(type, 0) + type->basicsize -
				   (int64_t)w->layout->sizeof_dict);
	dicts_visit(w, type, obj);
	fetch_info(w, type, obj->addr + w->layout->sizeof_dict,
		   obj->addr + (uint64_t)type->basicsize);
}

#define OWN(bytes) .own_size = (bytes)

const struct builtin ctypes_rows[] = {
	{ .name = "_ctypes._CData", .visit = visit_cdata, OWN(CDATA_SIZE) },
	{ .name = "_ctypes.CType_Type", .visit = visit_class },
	{ .name = "StgDict", .visit = visit_stgdict },
};
const size_t ctypes_rows_count = ARRAY_SIZE(ctypes_rows);
