/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Structures of C modules: no header has them, so they stand here with their source. They were the
 * same from 3.8 to 3.15, behind an object's header whose length the layout tells; a type of another
 * size is another.
 */
#include "attribute/modules.h"

#include "attribute/ctypes.h"
#include "attribute/stdlib.h"

/*
 * PyDecObject { hash; mpd_t { flags; exp; digits; len; alloc; data }; mpd_uint_t[4] }:
 * Modules/_decimal/_decimal.c, dec_sizeof. A number of many digits has them elsewhere, unless a
 * flag says whose they are (mpdecimal.h, MPD_DATAFLAGS).
 */
enum {
	DECIMAL_FLAGS = 8,
	DECIMAL_ALLOC = 40,
	DECIMAL_DATA = 48,
	DECIMAL_SIZE = 88,
	DECIMAL_NOT_OWN = 32 | 64 | 128
};

static void visit_decimal(struct worker *w, struct type *type, const struct object *obj)
{
	uint64_t alloc = builtins_word(w, obj, DECIMAL_ALLOC);

	builtins_book_size(w, type, builtins_plain_size(type, 0));
	if (builtins_word(w, obj, DECIMAL_FLAGS) & DECIMAL_NOT_OWN)
		return;
	if (alloc >> 40)
		return (void)w->torn++;
	builtins_book_size(w, type, 8 * alloc);
	worker_charge_buffer(w, type, builtins_word(w, obj, DECIMAL_DATA), 8 * alloc);
}

/* stringio { Py_UCS4 *buf; pos; string_size; buf_size; ... }: Modules/_io/stringio.c, which has no
 * __sizeof__. */
enum { STRINGIO_BUF = 0, STRINGIO_BUF_SIZE = 24 };

static void visit_stringio(struct worker *w, struct type *type, const struct object *obj)
{
	uint64_t size = builtins_word(w, obj, STRINGIO_BUF_SIZE);

	builtins_book_size(w, type, builtins_plain_size(type, 0));
	if (size >> 40)
		return (void)w->torn++;
	worker_charge_buffer(w, type, builtins_word(w, obj, STRINGIO_BUF), 4 * size);
}

/* buffered { raw; flags...; abs_pos; buffer; ...; buffer_size; ... }: Modules/_io/bufferedio.c,
 * buffered_sizeof. */
enum { BUFFERED_BUFFER = 40, BUFFERED_BUFFER_SIZE = 104, BUFFERED_SIZE = 136 };

static void visit_buffered(struct worker *w, struct type *type, const struct object *obj)
{
	uint64_t buffer = builtins_word(w, obj, BUFFERED_BUFFER),
		 size = builtins_word(w, obj, BUFFERED_BUFFER_SIZE);

	builtins_book_size(w, type, builtins_plain_size(type, 0));
	if (!buffer)
		return;
	if (size >> 46)
		return (void)w->torn++;
	builtins_book_size(w, type, size);
	worker_charge_buffer(w, type, buffer, size);
}

/*
 * ElementObject { tag; text; tail; extra; weakreflist }, ElementObjectExtra { attrib; length;
 * allocated; children; _children[4] }: Modules/_elementtree.c, element_sizeof.
 */
enum { ELEMENT_EXTRA = 24, ELEMENT_SIZE = 40, EXTRA_BYTES = 64, EXTRA_ALLOCATED = 16 };

static void run_element_extra(struct worker *w, const struct fetch *f, const uint8_t *data)
{
	uint64_t allocated = load_u64(data + EXTRA_ALLOCATED),
		 children = load_u64(data + EXTRA_ALLOCATED + 8);

	if (allocated >> 40)
		return (void)w->torn++;
	builtins_book_size(w, f->charge.to, EXTRA_BYTES);
	worker_charge(w, &f->charge, f->addr, EXTRA_BYTES);
	if (children == f->addr + EXTRA_ALLOCATED + 16)
		return;
	builtins_book_size(w, f->charge.to, 8 * allocated);
	worker_charge(w, &f->charge, children, 8 * allocated);
}

static void visit_element(struct worker *w, struct type *type, const struct object *obj)
{
	struct fetch f = {
		.addr = builtins_word(w, obj, ELEMENT_EXTRA),
		.run = run_element_extra,
		.charge = { type, NULL, TALLY_BUFFER, 0, CHARGE_NO_DICT, CHARGE_NO_DICT },
		.len = EXTRA_ALLOCATED + 16,
	};

	builtins_book_size(w, type, builtins_plain_size(type, 0));
	if (f.addr)
		worker_fetch(w, &f);
}

/*
 * numpy/core/include/numpy/ndarraytypes.h, PyArrayObject_fields: the same in numpy 1.7 to 2.x.
 * Dimensions and strides are one array.
 */
enum {
	NDARRAY_DATA = 16,
	NDARRAY_ND = 24,
	NDARRAY_DIMENSIONS = 32,
	NDARRAY_FLAGS = 64,
	NDARRAY_C_CONTIGUOUS = 0x1,
	NDARRAY_F_CONTIGUOUS = 0x2,
	NDARRAY_OWNDATA = 0x4,
	NDARRAY_ND_MAX = 64,
};

/* The outermost dimension and its stride (b bytes behind): their product is the size of the array.
 */
static void run_ndarray_bytes(struct worker *w, const struct fetch *f, const uint8_t *data)
{
	uint64_t bytes;

	if (__builtin_mul_overflow(load_u64(data), load_u64(data + f->b), &bytes) || bytes >> 46)
		return (void)w->torn++;
	builtins_book_size(w, f->charge.to, bytes);
}

/* array_sizeof: the object, its dimensions and strides, and the data if they are its own. */
static void visit_ndarray(struct worker *w, struct type *type, const struct object *obj)
{
	uint64_t nd = object_word(obj, NDARRAY_ND) & UINT32_MAX,
		 flags = object_word(obj, NDARRAY_FLAGS);
	struct fetch f = {
		.addr = object_word(obj, NDARRAY_DIMENSIONS),
		.run = run_ndarray_bytes,
		.charge = { .to = type },
		.b = 8 * nd,
		.len = (uint16_t)(8 * nd + 8),
	};

	if (nd > NDARRAY_ND_MAX)
		return (void)w->torn++;
	builtins_book_size(w, type, builtins_plain_size(type, 0) + 16 * nd);
	if (!(flags & NDARRAY_OWNDATA))
		return; /* a view: the bytes are another's */
	worker_charge_buffer(w, type, object_word(obj, NDARRAY_DATA), 0);
	if (!(flags & NDARRAY_C_CONTIGUOUS))
		f.addr += 8 * (nd - 1); /* Fortran's order: the last is the outermost */
	if (nd && f.len <= FETCH_MAX && (flags & (NDARRAY_C_CONTIGUOUS | NDARRAY_F_CONTIGUOUS)))
		worker_fetch(w, &f);
}

#define OWN(bytes) .own_size = (bytes)

static const struct builtin rows[] = {
	/* Without a time zone the last field is not there: Modules/_datetimemodule.c,
	 * _PyDateTime_BaseTime and _PyDateTime_BaseDateTime. */
	{ .name = "datetime.time", .shorter = 8 },
	{ .name = "datetime.datetime", .shorter = 8 },
	{ .name = "datetime.date" },
	{ .name = "datetime.timedelta" },
	{ .name = "decimal.Decimal", .visit = visit_decimal, OWN(DECIMAL_SIZE) },
	{ .name = "_io.StringIO", .visit = visit_stringio },
	{ .name = "_io.BufferedReader", .visit = visit_buffered, OWN(BUFFERED_SIZE) },
	{ .name = "_io.BufferedWriter", .visit = visit_buffered, OWN(BUFFERED_SIZE) },
	{ .name = "_io.BufferedRandom", .visit = visit_buffered, OWN(BUFFERED_SIZE) },
	{ .name = "xml.etree.ElementTree.Element", .visit = visit_element, OWN(ELEMENT_SIZE) },
	{ .name = "numpy.ndarray", .visit = visit_ndarray },
	/* numpy's scalars: __sizeof__ counts their value twice (scalartypes.c.src,
	 * gentype_sizeof: basicsize and nbytes). */
	{ .name = "numpy.bool_", .more = 1 },
	{ .name = "numpy.bool", .more = 1 },
	{ .name = "numpy.int8", .more = 1 },
	{ .name = "numpy.uint8", .more = 1 },
	{ .name = "numpy.int16", .more = 2 },
	{ .name = "numpy.uint16", .more = 2 },
	{ .name = "numpy.int32", .more = 4 },
	{ .name = "numpy.uint32", .more = 4 },
	{ .name = "numpy.int64", .more = 8 },
	{ .name = "numpy.uint64", .more = 8 },
	{ .name = "numpy.float16", .more = 2 },
	{ .name = "numpy.float32", .more = 4 },
	{ .name = "numpy.float64", .more = 8 },
	{ .name = "numpy.complex64", .more = 8 },
	{ .name = "numpy.complex128", .more = 16 },
	{ .name = "numpy.datetime64", .more = 8 },
	{ .name = "numpy.timedelta64", .more = 8 },
};

static const struct builtin *find(const struct builtin *list, size_t count,
				  const struct layout *layout, const char *name,
				  const struct type *type)
{
	for (size_t i = 0; i < count; i++)
		if (streq(list[i].name, name) &&
		    (!list[i].own_size ||
		     type->basicsize == (int64_t)layout->sizeof_object + list[i].own_size))
			return &list[i];
	return NULL;
}

const struct builtin *modules_find(const struct layout *layout, const char *name,
				   const struct type *type)
{
	const struct builtin *row = find(rows, ARRAY_SIZE(rows), layout, name, type);

	if (!row)
		row = find(stdlib_rows, stdlib_rows_count, layout, name, type);
	return row ? row : find(ctypes_rows, ctypes_rows_count, layout, name, type);
}
