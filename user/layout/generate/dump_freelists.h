/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Part of layout_dump.c: free lists. Offsets count from PyInterpreterState, and in free-threaded
 * builds from the thread state (_PyThreadStateImpl), where they are per thread.
 */
#pragma once

struct row {
	const char *name, *kind;
	size_t offset, count_offset;
	unsigned repeat, stride, count_stride, link, max;
};

#define NO_COUNT ((size_t)-1)
#define ARRAY(name, type, items, count, max)                                                       \
	{                                                                                          \
		name, "ARRAY", offsetof(type, items), offsetof(type, count), 1, 0, 0, 0, max       \
	}
#define LINKED(name, type, head, count, link, max)                                                 \
	{                                                                                          \
		name, "LINKED", offsetof(type, head), offsetof(type, count), 1, 0, 0, link, max    \
	}
#define SINGLE(name, type, head)                                                                   \
	{                                                                                          \
		name, "SINGLE", offsetof(type, head), NO_COUNT, 1, 0, 0, 0, 1                      \
	}

/* Objects/exceptions.c, MemoryError_dealloc(): the next one is in the place of the dict. */
#define MEMERRORS_SAVE 16 /* Objects/exceptions.c */
#define MEMORY_ERROR                                                                               \
	LINKED("memory_error", PyInterpreterState, exc_state.memerrors_freelist,                   \
	       exc_state.memerrors_numfree, offsetof(PyBaseExceptionObject, dict), MEMERRORS_SAVE)

#if SINCE(14)
/* One kind for all: struct _Py_freelist {head, size}; the link is the first word of what is dead.
 */
#ifdef Py_GIL_DISABLED
#define HOLDER _PyThreadStateImpl
#define LISTS freelists
#else
#define HOLDER PyInterpreterState
#define LISTS object_state.freelists
#endif
#define LIST(name, member, max)                                                                    \
	LINKED(name, HOLDER, LISTS.member.freelist, LISTS.member.size, 0, max)

static const struct row rows[] = {
	LIST("float", floats, Py_floats_MAXFREELIST),
#if SINCE(15)
	LIST("complex", complexes, Py_complexes_MAXFREELIST),
#endif
	LIST("int", ints, Py_ints_MAXFREELIST),
	{ "tuple", "LINKED", offsetof(HOLDER, LISTS.tuples[0].freelist),
	  offsetof(HOLDER, LISTS.tuples[0].size), PyTuple_MAXSAVESIZE, sizeof(struct _Py_freelist),
	  sizeof(struct _Py_freelist), 0, Py_tuple_MAXFREELIST },
	LIST("list", lists, Py_lists_MAXFREELIST),
	LIST("list_iterator", list_iters, Py_list_iters_MAXFREELIST),
	LIST("tuple_iterator", tuple_iters, Py_tuple_iters_MAXFREELIST),
	LIST("dict", dicts, Py_dicts_MAXFREELIST),
	LIST("dict_keys", dictkeys, Py_dictkeys_MAXFREELIST),
	LIST("slice", slices, Py_slices_MAXFREELIST),
	LIST("range", ranges, Py_ranges_MAXFREELIST),
	LIST("range_iterator", range_iters, Py_range_iters_MAXFREELIST),
	LIST("context", contexts, Py_contexts_MAXFREELIST),
	LIST("async_gen_value", async_gens, Py_async_gens_MAXFREELIST),
	LIST("async_gen_asend", async_gen_asends, Py_async_gen_asends_MAXFREELIST),
	LIST("future_iterator", futureiters, Py_futureiters_MAXFREELIST),
	LIST("object_stack_chunk", object_stack_chunks, Py_object_stack_chunks_MAXFREELIST),
	LIST("unicode_writer", unicode_writers, Py_unicode_writers_MAXFREELIST),
#if SINCE(15)
	LIST("bytes_writer", bytes_writers, Py_bytes_writers_MAXFREELIST),
#endif
	LIST("builtin_function", pycfunctionobject, Py_pycfunctionobject_MAXFREELIST),
	LIST("builtin_method", pycmethodobject, Py_pycmethodobject_MAXFREELIST),
	LIST("method", pymethodobjects, Py_pymethodobjects_MAXFREELIST),
#ifndef Py_GIL_DISABLED
	MEMORY_ERROR,
#endif
};
#elif SINCE(13)
#ifdef Py_GIL_DISABLED
#define HOLDER _PyThreadStateImpl
#define LISTS freelists
#else
#define HOLDER PyInterpreterState
#define LISTS object_state.freelists
#endif

static const struct row rows[] = {
	LINKED("float", HOLDER, LISTS.floats.items, LISTS.floats.numfree,
	       offsetof(PyObject, ob_type), PyFloat_MAXFREELIST),
	{ "tuple", "LINKED", offsetof(HOLDER, LISTS.tuples.items),
	  offsetof(HOLDER, LISTS.tuples.numfree), PyTuple_NFREELISTS, sizeof(void *), sizeof(int),
	  offsetof(PyTupleObject, ob_item), PyTuple_MAXFREELIST },
	ARRAY("list", HOLDER, LISTS.lists.items, LISTS.lists.numfree, PyList_MAXFREELIST),
	ARRAY("dict", HOLDER, LISTS.dicts.items, LISTS.dicts.numfree, PyDict_MAXFREELIST),
	ARRAY("dict_keys", HOLDER, LISTS.dictkeys.items, LISTS.dictkeys.numfree,
	      PyDict_MAXFREELIST),
	SINGLE("slice", HOLDER, LISTS.slices.slice_cache),
	LINKED("context", HOLDER, LISTS.contexts.items, LISTS.contexts.numfree,
	       offsetof(PyContext, ctx_weakreflist), PyContext_MAXFREELIST),
	ARRAY("async_gen_value", HOLDER, LISTS.async_gens.items, LISTS.async_gens.numfree,
	      _PyAsyncGen_MAXFREELIST),
	ARRAY("async_gen_asend", HOLDER, LISTS.async_gen_asends.items,
	      LISTS.async_gen_asends.numfree, _PyAsyncGen_MAXFREELIST),
#ifndef Py_GIL_DISABLED
	MEMORY_ERROR,
#endif
};
#elif SINCE(10)
#define HOLDER PyInterpreterState
#if SINCE(11)
#define TUPLE_FIRST 0 /* entry i holds tuples of i + 1 items */
#define TUPLE_LISTS PyTuple_NFREELISTS
#define FLOAT_MAX PyFloat_MAXFREELIST
#define CONTEXT_MAX PyContext_MAXFREELIST
#else
#define TUPLE_FIRST 1 /* entry 0 is the empty tuple, which is alive */
#define TUPLE_LISTS (PyTuple_MAXSAVESIZE - 1)
#define FLOAT_MAX 100	/* Objects/floatobject.c */
#define CONTEXT_MAX 255 /* Python/context.c */
#endif

static const struct row rows[] = {
	LINKED("float", HOLDER, float_state.free_list, float_state.numfree,
	       offsetof(PyObject, ob_type), FLOAT_MAX),
	{ "tuple", "LINKED", offsetof(HOLDER, tuple.free_list[TUPLE_FIRST]),
	  offsetof(HOLDER, tuple.numfree[TUPLE_FIRST]), TUPLE_LISTS, sizeof(void *), sizeof(int),
	  offsetof(PyTupleObject, ob_item), PyTuple_MAXFREELIST },
	ARRAY("list", HOLDER, list.free_list, list.numfree, PyList_MAXFREELIST),
	ARRAY("dict", HOLDER, dict_state.free_list, dict_state.numfree, PyDict_MAXFREELIST),
	ARRAY("dict_keys", HOLDER, dict_state.keys_free_list, dict_state.keys_numfree,
	      PyDict_MAXFREELIST),
	SINGLE("slice", HOLDER, slice_cache),
#if !SINCE(11)
	LINKED("frame", HOLDER, frame.free_list, frame.numfree, offsetof(PyFrameObject, f_back),
	       200), /* Objects/frameobject.c */
#endif
	LINKED("context", HOLDER, context.freelist, context.numfree,
	       offsetof(PyContext, ctx_weakreflist), CONTEXT_MAX),
	ARRAY("async_gen_value", HOLDER, async_gen.value_freelist, async_gen.value_numfree,
	      _PyAsyncGen_MAXFREELIST),
	ARRAY("async_gen_asend", HOLDER, async_gen.asend_freelist, async_gen.asend_numfree,
	      _PyAsyncGen_MAXFREELIST),
	MEMORY_ERROR,
};
#endif

static void dump_freelists(void)
{
#if SINCE(10) /* before: static variables of each file, see facts-freelists-*.inc */
	size_t count = sizeof(rows) / sizeof(rows[0]);

#ifdef Py_GIL_DISABLED
	NAME(freelists_base, "LAYOUT_FREELISTS_THREAD");
#else
	NAME(freelists_base, "LAYOUT_FREELISTS_INTERP");
#endif
	VALUE(freelists_offset, 0);
	printf(".freelists = {\n");
	for (const struct row *r = rows; r < rows + count; r++) {
		printf("\t{ \"%s\", LAYOUT_FREELIST_%s, %zu, ", r->name, r->kind, r->offset);
		if (r->count_offset == NO_COUNT)
			printf("LAYOUT_NONE");
		else
			printf("%zu", r->count_offset);
		printf(", %u, %u, %u, %u, %u, NULL },\n", r->repeat, r->stride, r->count_stride,
		       r->link, r->max);
	}
	printf("},\n");
	VALUE(freelists_count, count);
#endif
}
