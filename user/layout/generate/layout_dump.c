/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prints how the CPython whose headers it was compiled with lays out memory, as initialisers of
 * struct layout (layout/layout.h): one `.field = value,` a line.
 *
 * Compiled once per CPython by generate.sh; run on the same machine. Never linked with Python: it
 * only asks the compiler. Where a structure moved between versions, the version is asked here, at
 * build time, so that the rest of the program need not. What the headers lack is in
 * tables/facts-*.inc.
 */
#ifndef Py_BUILD_CORE
#define Py_BUILD_CORE 1
#endif
#include <Python.h>
#include <frameobject.h>
#include <structmember.h>

#if PY_VERSION_HEX < 0x03080000
#error "CPython older than 3.8 is not supported"
#endif

#if PY_VERSION_HEX < 0x03090000
#include <internal/pycore_context.h>
#include <internal/pycore_pymem.h>
#include <internal/pycore_pystate.h>
#else
#include <internal/pycore_context.h>
#include <internal/pycore_gc.h>
#include <internal/pycore_interp.h>
#include <internal/pycore_object.h>
#include <internal/pycore_runtime.h>
#endif
#if PY_VERSION_HEX >= 0x030a0000
#include <internal/pycore_moduleobject.h>
#endif
#if PY_VERSION_HEX >= 0x030b0000
#include <internal/pycore_code.h>
#include <internal/pycore_dict.h>
#include <internal/pycore_frame.h>
#include <internal/pycore_genobject.h>
#include <internal/pycore_typeobject.h>
#endif
#if PY_VERSION_HEX >= 0x030c0000
#include <internal/pycore_long.h>
#include <internal/pycore_obmalloc.h>
#endif
#if PY_VERSION_HEX >= 0x030d0000
#include <internal/pycore_tstate.h>
#endif
#if PY_VERSION_HEX >= 0x030e0000
#include <internal/pycore_interpframe_structs.h>
#endif

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define V(major, minor) ((major) << 24 | (minor) << 16)
#define SINCE(minor) (PY_VERSION_HEX >= V(3, minor))

static void put(const char *field, uint64_t value)
{
	printf(".%s = %llu,\n", field, (unsigned long long)value);
}

static void put_none(const char *field)
{
	printf(".%s = LAYOUT_NONE,\n", field);
}

#define OFFSET(field, type, member) put(#field, offsetof(type, member))
#define SIZE(field, type) put(#field, sizeof(type))
#define VALUE(field, value) put(#field, (uint64_t)(value))
#define NONE(field) put_none(#field)
#define NAME(field, value) printf(".%s = %s,\n", #field, value)
#define SIGNED(field, value) printf(".%s = %d,\n", #field, (int)(value))

static void dump_object(void)
{
#ifdef Py_GIL_DISABLED
	NONE(ob_refcnt);
	OFFSET(ob_ref_local, PyObject, ob_ref_local);
	OFFSET(ob_ref_shared, PyObject, ob_ref_shared);
	NAME(refcount, "LAYOUT_REFCOUNT_SPLIT");
#else
	OFFSET(ob_refcnt, PyObject, ob_refcnt);
	NONE(ob_ref_local);
	NONE(ob_ref_shared);
	NAME(refcount, SINCE(14)   ? "LAYOUT_REFCOUNT_FLAGS"
		       : SINCE(12) ? "LAYOUT_REFCOUNT_32"
				   : "LAYOUT_REFCOUNT_PLAIN");
#endif
	OFFSET(ob_type, PyObject, ob_type);
	OFFSET(ob_size, PyVarObject, ob_size);
	SIZE(sizeof_object, PyObject);
	SIZE(sizeof_var_object, PyVarObject);
}

static void dump_type(void)
{
	OFFSET(tp_name, PyTypeObject, tp_name);
	OFFSET(tp_basicsize, PyTypeObject, tp_basicsize);
	OFFSET(tp_itemsize, PyTypeObject, tp_itemsize);
	OFFSET(tp_dealloc, PyTypeObject, tp_dealloc);
	OFFSET(tp_flags, PyTypeObject, tp_flags);
	OFFSET(tp_doc, PyTypeObject, tp_doc);
	OFFSET(tp_weaklistoffset, PyTypeObject, tp_weaklistoffset);
	OFFSET(tp_base, PyTypeObject, tp_base);
	OFFSET(tp_dict, PyTypeObject, tp_dict);
	OFFSET(tp_dictoffset, PyTypeObject, tp_dictoffset);
	OFFSET(tp_mro, PyTypeObject, tp_mro);
	OFFSET(tp_subclasses, PyTypeObject, tp_subclasses);
	OFFSET(tp_version_tag, PyTypeObject, tp_version_tag);
	SIZE(sizeof_type, PyTypeObject);
	OFFSET(ht_name, PyHeapTypeObject, ht_name);
	OFFSET(ht_slots, PyHeapTypeObject, ht_slots);
	OFFSET(ht_qualname, PyHeapTypeObject, ht_qualname);
	OFFSET(ht_cached_keys, PyHeapTypeObject, ht_cached_keys);
#if SINCE(9)
	OFFSET(ht_module, PyHeapTypeObject, ht_module);
#else
	NONE(ht_module);
#endif
#if SINCE(11)
	OFFSET(ht_tpname, PyHeapTypeObject, _ht_tpname);
#else
	NONE(ht_tpname);
#endif
	SIZE(sizeof_heap_type, PyHeapTypeObject);
	SIZE(sizeof_member_def, PyMemberDef);
}

static void dump_flags(void)
{
	uint64_t preheader = 0, dict = 0, weakref = 0, inline_values = 0, static_builtin = 0;

#ifdef Py_TPFLAGS_MANAGED_DICT
	dict = Py_TPFLAGS_MANAGED_DICT;
	preheader = dict;
#endif
#ifdef Py_TPFLAGS_MANAGED_WEAKREF
	weakref = Py_TPFLAGS_MANAGED_WEAKREF;
#endif
#ifdef Py_TPFLAGS_PREHEADER
	preheader = Py_TPFLAGS_PREHEADER;
#endif
#ifdef Py_TPFLAGS_INLINE_VALUES
	inline_values = Py_TPFLAGS_INLINE_VALUES;
#endif
#ifdef _Py_TPFLAGS_STATIC_BUILTIN
	static_builtin = _Py_TPFLAGS_STATIC_BUILTIN;
#endif
	VALUE(flag_managed_dict, dict);
	VALUE(flag_managed_weakref, weakref);
	VALUE(flag_inline_values, inline_values);
	VALUE(flag_static_builtin, static_builtin);
	VALUE(flags_preheader, preheader);
}

/* Objects/typeobject.c, Python/gc.c and gcmodule.c: two words, plus two more where flags_preheader
 * says so. */
static void dump_preheader(void)
{
#ifdef Py_GIL_DISABLED
	VALUE(gc_head_size, 0);
#else
	SIZE(gc_head_size, PyGC_Head);
#endif
	VALUE(preheader_size, SINCE(11) ? 2 * sizeof(PyObject *) : 0);
#if SINCE(13)
	SIGNED(managed_dict_offset, MANAGED_DICT_OFFSET);
	SIGNED(managed_values_offset, 0);
	SIGNED(managed_weakref_offset, MANAGED_WEAKREF_OFFSET);
	NAME(instance, "LAYOUT_INSTANCE_INLINE");
#elif SINCE(12)
	SIGNED(managed_dict_offset,
	       (intptr_t)_PyObject_DictOrValuesPointer((PyObject *)0x1000) - 0x1000);
	SIGNED(managed_values_offset, 0);
	SIGNED(managed_weakref_offset, MANAGED_WEAKREF_OFFSET);
	NAME(instance, "LAYOUT_INSTANCE_TAGGED");
#elif SINCE(11)
	SIGNED(managed_dict_offset,
	       (intptr_t)_PyObject_ManagedDictPointer((PyObject *)0x1000) - 0x1000);
	SIGNED(managed_values_offset,
	       (intptr_t)_PyObject_ValuesPointer((PyObject *)0x1000) - 0x1000);
	SIGNED(managed_weakref_offset, 0);
	NAME(instance, "LAYOUT_INSTANCE_BESIDE");
#else
	SIGNED(managed_dict_offset, 0);
	SIGNED(managed_values_offset, 0);
	SIGNED(managed_weakref_offset, 0);
	NAME(instance, "LAYOUT_INSTANCE_DICT");
#endif
}

static void dump_dict(void)
{
	OFFSET(ma_used, PyDictObject, ma_used);
	OFFSET(ma_keys, PyDictObject, ma_keys);
	OFFSET(ma_values, PyDictObject, ma_values);
	SIZE(sizeof_dict, PyDictObject);
#if SINCE(11) /* before: Objects/dict-common.h, see facts-dict-keys-*.inc */
	NAME(keys, "LAYOUT_KEYS_LOG2");
	OFFSET(dk_refcnt, PyDictKeysObject, dk_refcnt);
	NONE(dk_size);
	NONE(dk_lookup);
	OFFSET(dk_log2_size, PyDictKeysObject, dk_log2_size);
	OFFSET(dk_log2_index_bytes, PyDictKeysObject, dk_log2_index_bytes);
	OFFSET(dk_kind, PyDictKeysObject, dk_kind);
	OFFSET(dk_usable, PyDictKeysObject, dk_usable);
	OFFSET(dk_nentries, PyDictKeysObject, dk_nentries);
	OFFSET(dk_indices, PyDictKeysObject, dk_indices);
	SIZE(sizeof_key_entry, PyDictKeyEntry);
	OFFSET(key_entry_key, PyDictKeyEntry, me_key);
	OFFSET(key_entry_value, PyDictKeyEntry, me_value);
	SIZE(sizeof_unicode_entry, PyDictUnicodeEntry);
	OFFSET(unicode_entry_key, PyDictUnicodeEntry, me_key);
	OFFSET(unicode_entry_value, PyDictUnicodeEntry, me_value);
	VALUE(shared_keys_max_size, SHARED_KEYS_MAX_SIZE);
#endif
#if SINCE(13)
	NAME(values, "LAYOUT_VALUES_HEADER");
	OFFSET(values_capacity, PyDictValues, capacity);
	OFFSET(values_size, PyDictValues, size);
	OFFSET(values_embedded, PyDictValues, embedded);
	OFFSET(values_valid, PyDictValues, valid);
	OFFSET(values_items, PyDictValues, values);
#else
	NAME(values, SINCE(11) ? "LAYOUT_VALUES_PREFIX" : "LAYOUT_VALUES_PLAIN");
	NONE(values_capacity);
	NONE(values_size);
	NONE(values_embedded);
	NONE(values_valid);
	VALUE(values_items, 0);
#endif
}

/* The word that holds the state bit-fields when only @setter was applied to a zeroed object. */
#define STATE_WORD(setter)                                                                         \
	({                                                                                         \
		PyASCIIObject _s;                                                                  \
		uint32_t _word;                                                                    \
		memset(&_s, 0, sizeof(_s));                                                        \
		setter;                                                                            \
		memcpy(&_word, (char *)&_s + offsetof(PyASCIIObject, state), sizeof(_word));       \
		_word;                                                                             \
	})

static void dump_str(void)
{
	uint32_t kind = STATE_WORD(_s.state.kind = 7);
	int shift = __builtin_ctz(kind);

	OFFSET(str_length, PyASCIIObject, length);
	OFFSET(str_state, PyASCIIObject, state);
	OFFSET(str_utf8_length, PyCompactUnicodeObject, utf8_length);
	OFFSET(str_utf8, PyCompactUnicodeObject, utf8);
	OFFSET(str_data, PyUnicodeObject, data);
#if SINCE(12)
	NONE(str_wstr);
	NONE(str_wstr_length);
#else
	OFFSET(str_wstr, PyASCIIObject, wstr);
	OFFSET(str_wstr_length, PyCompactUnicodeObject, wstr_length);
#endif
	SIZE(sizeof_ascii, PyASCIIObject);
	SIZE(sizeof_compact, PyCompactUnicodeObject);
	SIZE(sizeof_unicode, PyUnicodeObject);
	VALUE(str_kind_shift, shift);
	VALUE(str_kind_mask, kind >> shift);
	VALUE(str_compact_mask, STATE_WORD(_s.state.compact = 1));
	VALUE(str_ascii_mask, STATE_WORD(_s.state.ascii = 1));
	VALUE(str_interned_mask, STATE_WORD(_s.state.interned = ~0u));
}

static void dump_numbers(void)
{
#if SINCE(12)
	NAME(int_format, "LAYOUT_INT_TAG");
	OFFSET(int_tag, PyLongObject, long_value.lv_tag);
	VALUE(int_tag_shift, NON_SIZE_BITS);
	OFFSET(int_digits, PyLongObject, long_value.ob_digit);
	VALUE(sizeof_int, offsetof(PyLongObject, long_value.ob_digit));
#else
	NAME(int_format, "LAYOUT_INT_OB_SIZE");
	NONE(int_tag);
	VALUE(int_tag_shift, 0);
	OFFSET(int_digits, PyLongObject, ob_digit);
	VALUE(sizeof_int, offsetof(PyLongObject, ob_digit));
#endif
	SIZE(sizeof_digit, digit);
	SIZE(sizeof_float, PyFloatObject);
	SIZE(sizeof_complex, PyComplexObject);
}

static void dump_sequences(void)
{
	OFFSET(bytes_data, PyBytesObject, ob_sval);
	VALUE(sizeof_bytes, offsetof(PyBytesObject, ob_sval) + 1);
	OFFSET(list_items, PyListObject, ob_item);
	OFFSET(list_allocated, PyListObject, allocated);
	SIZE(sizeof_list, PyListObject);
	OFFSET(tuple_items, PyTupleObject, ob_item);
	VALUE(sizeof_tuple, offsetof(PyTupleObject, ob_item));
	OFFSET(bytearray_alloc, PyByteArrayObject, ob_alloc);
	OFFSET(bytearray_data, PyByteArrayObject, ob_bytes);
	OFFSET(bytearray_start, PyByteArrayObject, ob_start);
#if SINCE(15)
	OFFSET(bytearray_object, PyByteArrayObject, ob_bytes_object);
#else
	NONE(bytearray_object);
#endif
	SIZE(sizeof_bytearray, PyByteArrayObject);
	OFFSET(set_fill, PySetObject, fill);
	OFFSET(set_used, PySetObject, used);
	OFFSET(set_mask, PySetObject, mask);
	OFFSET(set_table, PySetObject, table);
	OFFSET(set_smalltable, PySetObject, smalltable);
	SIZE(sizeof_set, PySetObject);
	SIZE(sizeof_set_entry, setentry);
	VALUE(memoryview_base_size, offsetof(PyMemoryViewObject, ob_array));
	OFFSET(descr_type, PyDescrObject, d_type);
	OFFSET(weakref_object, PyWeakReference, wr_object);
#if SINCE(10) /* before: Objects/moduleobject.c, see facts-module.inc */
	OFFSET(module_dict, PyModuleObject, md_dict);
	OFFSET(module_state, PyModuleObject, md_state);
	SIZE(sizeof_module, PyModuleObject);
#endif
}

static void dump_code(void)
{
	OFFSET(code_extra, PyCodeObject, co_extra);
	OFFSET(code_stacksize, PyCodeObject, co_stacksize);
	OFFSET(code_name, PyCodeObject, co_name);
	OFFSET(code_filename, PyCodeObject, co_filename);
	OFFSET(function_code, PyFunctionObject, func_code);
	OFFSET(function_qualname, PyFunctionObject, func_qualname);
#if SINCE(11)
	SIZE(sizeof_code_unit, _Py_CODEUNIT);
	VALUE(sizeof_code, offsetof(PyCodeObject, co_code_adaptive));
	OFFSET(code_nlocalsplus, PyCodeObject, co_nlocalsplus);
	OFFSET(code_qualname, PyCodeObject, co_qualname);
	OFFSET(gen_frame, PyGenObject, gi_iframe);
#if SINCE(13)
	VALUE(gen_code_path,
	      offsetof(PyGenObject, gi_iframe) + offsetof(_PyInterpreterFrame, f_executable));
#else
	VALUE(gen_code_path,
	      offsetof(PyGenObject, gi_iframe) + offsetof(_PyInterpreterFrame, f_code));
#endif
#else
	VALUE(sizeof_code_unit, 0);
	SIZE(sizeof_code, PyCodeObject);
	NONE(code_nlocalsplus);
	NONE(code_qualname);
	OFFSET(gen_frame, PyGenObject, gi_frame);
	OFFSET(gen_code_path, PyGenObject, gi_code);
#endif
}

static void dump_obmalloc(void)
{
#if SINCE(12) /* before: Objects/obmalloc.c, see facts-obmalloc-*.inc */
#ifdef Py_GIL_DISABLED
	NAME(obmalloc, "LAYOUT_OBMALLOC_MIMALLOC");
#else
	NAME(obmalloc, SINCE(13) ? "LAYOUT_OBMALLOC_POINTER" : "LAYOUT_OBMALLOC_INTERP");
#endif
	VALUE(pool_size, POOL_SIZE);
	VALUE(arena_size, ARENA_SIZE);
	VALUE(alignment, ALIGNMENT);
	VALUE(small_request_max, SMALL_REQUEST_THRESHOLD);
	VALUE(pool_overhead, POOL_OVERHEAD);
	OFFSET(obmalloc_offset, PyInterpreterState, obmalloc);
	OFFSET(obmalloc_usedpools, struct _obmalloc_state, pools.used);
	OFFSET(obmalloc_arenas, struct _obmalloc_state, mgmt.arenas);
	OFFSET(obmalloc_maxarenas, struct _obmalloc_state, mgmt.maxarenas);
	OFFSET(obmalloc_raw_blocks, struct _obmalloc_state, mgmt.raw_allocated_blocks);
	OFFSET(pool_count, struct pool_header, ref.count);
	OFFSET(pool_freeblock, struct pool_header, freeblock);
	OFFSET(pool_next, struct pool_header, nextpool);
	OFFSET(pool_prev, struct pool_header, prevpool);
	OFFSET(pool_arena_index, struct pool_header, arenaindex);
	OFFSET(pool_size_index, struct pool_header, szidx);
	OFFSET(pool_next_offset, struct pool_header, nextoffset);
	OFFSET(pool_max_next_offset, struct pool_header, maxnextoffset);
	OFFSET(arena_address, struct arena_object, address);
	OFFSET(arena_pool_address, struct arena_object, pool_address);
	OFFSET(arena_free_pools_count, struct arena_object, nfreepools);
	OFFSET(arena_total_pools, struct arena_object, ntotalpools);
	OFFSET(arena_free_pools, struct arena_object, freepools);
	OFFSET(arena_next, struct arena_object, nextarena);
	OFFSET(arena_prev, struct arena_object, prevarena);
	SIZE(sizeof_arena, struct arena_object);
#endif
}

static void dump_runtime(void)
{
	OFFSET(runtime_interpreters_head, _PyRuntimeState, interpreters.head);
	OFFSET(runtime_interpreters_main, _PyRuntimeState, interpreters.main);
#if SINCE(12)
	NONE(runtime_preconfig_allocator); /* moves between patch releases: 10396 in 3.13.5, 10420
					      in 3.13.18 */
	OFFSET(runtime_allocator_raw, _PyRuntimeState, allocators.standard.raw);
	OFFSET(runtime_allocator_mem, _PyRuntimeState, allocators.standard.mem);
	OFFSET(runtime_allocator_obj, _PyRuntimeState, allocators.standard.obj);
#else
	OFFSET(runtime_preconfig_allocator, _PyRuntimeState, preconfig.allocator);
	NONE(runtime_allocator_raw);
	NONE(runtime_allocator_mem);
	NONE(runtime_allocator_obj);
#endif
	OFFSET(interp_next, PyInterpreterState, next);
	OFFSET(interp_id, PyInterpreterState, id);
#if SINCE(11)
	OFFSET(interp_threads_head, PyInterpreterState, threads.head);
#else
	OFFSET(interp_threads_head, PyInterpreterState, tstate_head);
#endif
#if SINCE(12)
	OFFSET(interp_modules, PyInterpreterState, imports.modules);
#else
	OFFSET(interp_modules, PyInterpreterState, modules);
#endif
	OFFSET(interp_sysdict, PyInterpreterState, sysdict);
	OFFSET(tstate_next, PyThreadState, next);
	OFFSET(tstate_interp, PyThreadState, interp);
#ifdef Py_GIL_DISABLED
	SIZE(sizeof_tstate, PyThreadState);
#else
	NONE(sizeof_tstate); /* nothing of ours stands behind it, and patch releases change it */
#endif
#if SINCE(11)
	OFFSET(tstate_datastack_chunk, PyThreadState, datastack_chunk);
#else
	NONE(tstate_datastack_chunk);
#endif
}

/*
 * From 3.14.0 to 3.14.4 the collector was incremental (young, old[2], no generation0);
 * free-threaded headers still have those members. LAYOUT_GC_INCREMENTAL is given for the headers of
 * the former.
 */
#if defined(Py_GIL_DISABLED) && SINCE(14)
#define GC_IS_INCREMENTAL 1
#elif defined(LAYOUT_GC_INCREMENTAL)
#define GC_IS_INCREMENTAL 1
#else
#define GC_IS_INCREMENTAL 0
#endif

static void dump_gc(void)
{
#if SINCE(9)
	OFFSET(interp_gc, PyInterpreterState, gc);
	NONE(runtime_gc);
#else
	NONE(interp_gc);
	OFFSET(runtime_gc, _PyRuntimeState, gc);
#endif
#if GC_IS_INCREMENTAL
	NONE(gc_generation0_pointer);
	OFFSET(gc_young, struct _gc_runtime_state, young);
	OFFSET(gc_old, struct _gc_runtime_state, old);
#else
	OFFSET(gc_generation0_pointer, struct _gc_runtime_state, generation0);
	NONE(gc_young);
	NONE(gc_old);
#endif
	OFFSET(gc_permanent, struct _gc_runtime_state, permanent_generation);
	OFFSET(gc_collecting, struct _gc_runtime_state, collecting);
	SIZE(sizeof_gc_generation, struct gc_generation);
	SIZE(sizeof_gc, struct _gc_runtime_state);
}

#include "dump_debug_offsets.h"
#include "dump_freelists.h"
#include "dump_mimalloc.h"

int main(void)
{
	printf("/* Generated by layout/generate/ from the headers of CPython %s; do not edit. */\n",
	       PY_VERSION);
#ifdef LAYOUT_GC_INCREMENTAL
	printf(".source = \"derived from CPython %s headers\",\n", PY_VERSION);
#else
	printf(".source = \"CPython %s headers\",\n", PY_VERSION);
#endif
	dump_object();
	dump_type();
	dump_flags();
	dump_preheader();
	dump_dict();
	dump_str();
	dump_numbers();
	dump_sequences();
	dump_code();
	dump_obmalloc();
	dump_runtime();
	dump_gc();
	dump_mimalloc();
	dump_freelists();
	dump_debug_offsets();
	return 0;
}
