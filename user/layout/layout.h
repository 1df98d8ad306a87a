/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How one CPython lays out memory. A version is a table: code asks the table, never the version.
 *
 * The numbers come from CPython's own headers (layout/generate/, run by `make layouts`) into
 * layout/tables/cpython-*.inc; what the headers do not have stands in layout/tables/facts-*.inc
 * with its source. All offsets are in bytes; LAYOUT_NONE means that this version has no such field.
 */
#pragma once

#include "base/error.h"
#include "target/memory.h"
#include "target/python.h"

#include <stdbool.h>
#include <stdint.h>

#define LAYOUT_NONE UINT32_MAX

/* tp_flags bits that mean the same in every version (Include/object.h). */
#define TPFLAGS_HEAPTYPE (1ull << 9)
#define TPFLAGS_READY (1ull << 12)
#define TPFLAGS_HAVE_GC (1ull << 14)
#define TPFLAGS_LONG_SUBCLASS (1ull << 24)
#define TPFLAGS_LIST_SUBCLASS (1ull << 25)
#define TPFLAGS_TUPLE_SUBCLASS (1ull << 26)
#define TPFLAGS_BYTES_SUBCLASS (1ull << 27)
#define TPFLAGS_UNICODE_SUBCLASS (1ull << 28)
#define TPFLAGS_DICT_SUBCLASS (1ull << 29)
#define TPFLAGS_BASE_EXC_SUBCLASS (1ull << 30)
#define TPFLAGS_TYPE_SUBCLASS (1ull << 31)

/* How the reference count word says dead, alive, immortal. */
enum layout_refcount {
	LAYOUT_REFCOUNT_PLAIN, /* <=3.11: signed 64 bits */
	LAYOUT_REFCOUNT_32,    /* 3.12, 3.13: 64-bit word, immortal is 0xffffffff in the low half */
	LAYOUT_REFCOUNT_FLAGS, /* 3.14: u32 count, u16 overflow, u16 flags; a free-list link
				  overwrites it */
	LAYOUT_REFCOUNT_SPLIT, /* free-threaded: ob_tid, ob_ref_local, ob_ref_shared */
};

/* Where the attributes of an instance of a Python class are. */
enum layout_instance {
	LAYOUT_INSTANCE_DICT,	/* <=3.10: a dict pointer at tp_dictoffset, nothing else */
	LAYOUT_INSTANCE_BESIDE, /* 3.11: values pointer and dict pointer in front of the object */
	LAYOUT_INSTANCE_TAGGED, /* 3.12: one word in front, bit 0 set: values (pointer - 1), clear:
				   dict */
	LAYOUT_INSTANCE_INLINE, /* 3.13+: dict pointer in front, values behind the object's
				   basicsize */
};

/* How PyDictKeysObject gives its size. */
enum layout_keys {
	LAYOUT_KEYS_SIZE, /* <=3.10: dk_size, index width derived, all entries general */
	LAYOUT_KEYS_LOG2, /* 3.11+: dk_log2_size, dk_log2_index_bytes, dk_kind */
};

/* How an array of split values looks. */
enum layout_values {
	LAYOUT_VALUES_PLAIN,  /* <=3.10: bare PyObject*[] of USABLE(dk_size) */
	LAYOUT_VALUES_PREFIX, /* 3.11, 3.12: pointer to values[0]; [-1] prefix size, [-2] values set
			       */
	LAYOUT_VALUES_HEADER, /* 3.13+: capacity, size, embedded, valid, then values */
};

enum layout_int {
	LAYOUT_INT_OB_SIZE, /* <=3.11: |ob_size| digits */
	LAYOUT_INT_TAG,	    /* 3.12+: lv_tag >> 3 digits */
};

/* Where the allocator's state is. */
enum layout_obmalloc {
	LAYOUT_OBMALLOC_STATIC,	  /* <=3.11: static variables arenas, maxarenas, usedpools */
	LAYOUT_OBMALLOC_INTERP,	  /* 3.12: struct inside PyInterpreterState */
	LAYOUT_OBMALLOC_POINTER,  /* 3.13+: pointer inside PyInterpreterState */
	LAYOUT_OBMALLOC_MIMALLOC, /* free-threaded: no pymalloc */
};

/* How the dead objects of a free list hang together. */
enum layout_freelist {
	LAYOUT_FREELIST_NONE,
	LAYOUT_FREELIST_ARRAY,	/* PyObject *items[]; count in a 32-bit int */
	LAYOUT_FREELIST_LINKED, /* head pointer; the next is at `link` of each dead object */
	LAYOUT_FREELIST_SINGLE, /* one pointer or NULL */
};

struct layout_freelist_row {
	const char *name; /* "float", "tuple", ... */
	enum layout_freelist kind;
	uint32_t offset; /* from the free-list base (see freelists_base), to the head or items[0] */
	uint32_t count_offset; /* from the same base, to the 32-bit count, or LAYOUT_NONE */
	uint32_t repeat;       /* how many heads or arrays in a row (tuples by size); at least 1 */
	uint32_t stride;       /* bytes between repeated heads */
	uint32_t count_stride; /* bytes between repeated counts */
	uint32_t link;	       /* LINKED: offset of the next pointer in a dead object */
	uint32_t max;	       /* bound per head */
	const char *symbol;    /* <=3.9: static symbol instead of an offset; NULL otherwise */
};

#define LAYOUT_FREELISTS_MAX 24

/* Where free-list offsets start. */
enum layout_freelists_base {
	LAYOUT_FREELISTS_NOWHERE, /* static arrays that need symbols (3.8, 3.9) */
	LAYOUT_FREELISTS_INTERP,  /* PyInterpreterState */
	LAYOUT_FREELISTS_THREAD,  /* each thread state (free-threaded) */
};

/* One field of _Py_DebugOffsets (3.13+) and the field of struct layout that must say the same. */
struct layout_debug_row {
	const char *name; /* as CPython calls it: "type_object.tp_name" */
	uint32_t where;	  /* offset of the 64-bit number in _Py_DebugOffsets */
	uint32_t field;	  /* offset of the uint32_t in struct layout */
};

#define LAYOUT_DEBUG_ROWS_MAX 64

struct layout {
	/* What it is for. Patch releases [micro_first, micro_last] of major.minor. */
	uint8_t major, minor, micro_first, micro_last;
	bool free_threaded, debug;
	const char *name;   /* "3.11", "3.14.0-4", "3.13t": for doctor and the support matrix */
	const char *source; /* where the numbers came from: "CPython 3.11.7 headers" */

	/* PyObject, PyVarObject */
	uint32_t ob_refcnt, ob_type, ob_size, sizeof_object, sizeof_var_object;
	uint32_t ob_ref_local, ob_ref_shared; /* free-threaded */
	enum layout_refcount refcount;

	/* PyTypeObject, PyHeapTypeObject */
	uint32_t tp_name, tp_basicsize, tp_itemsize, tp_dealloc, tp_flags, tp_doc,
		tp_weaklistoffset, tp_base, tp_dict, tp_dictoffset, tp_mro, tp_subclasses,
		tp_version_tag, sizeof_type;
	uint32_t ht_name, ht_slots, ht_qualname, ht_cached_keys, ht_module, ht_tpname,
		sizeof_heap_type;
	uint32_t sizeof_member_def; /* PyMemberDef: one per __slots__ name behind a heap type */
	uint64_t flag_managed_dict, flag_managed_weakref, flag_inline_values,
		flag_static_builtin; /* 0: none */

	/* In front of the object */
	uint32_t gc_head_size;	       /* 16, or 0 in free-threaded builds */
	uint32_t preheader_size;       /* 16, or 0 */
	uint64_t flags_preheader;      /* any of these bits: preheader_size more in front */
	int32_t managed_dict_offset;   /* from the object, negative; 0: none */
	int32_t managed_values_offset; /* 3.11 only; 0: none */
	int32_t managed_weakref_offset;
	enum layout_instance instance;

	/* PyDictObject */
	uint32_t ma_used, ma_keys, ma_values, sizeof_dict;
	/* PyDictKeysObject */
	enum layout_keys keys;
	uint32_t dk_refcnt, dk_size, dk_lookup, dk_log2_size, dk_log2_index_bytes, dk_kind,
		dk_usable, dk_nentries,
		dk_indices; /* dk_indices: where the index table starts = sizeof the fixed part */
	uint32_t sizeof_key_entry, key_entry_key,
		key_entry_value; /* general: 24, key at 8, value at 16 */
	uint32_t sizeof_unicode_entry, unicode_entry_key, unicode_entry_value; /* 3.11+: 16, 0, 8 */
	uint32_t shared_keys_max_size; /* 3.11+: size class limit of shared keys
					  (SHARED_KEYS_MAX_SIZE), 30 */
	/* PyDictValues */
	enum layout_values values;
	uint32_t values_capacity, values_size, values_embedded, values_valid,
		values_items; /* HEADER only */

	/* str */
	uint32_t str_length, str_state, str_utf8_length, str_utf8, str_data, str_wstr,
		str_wstr_length;
	uint32_t sizeof_ascii, sizeof_compact, sizeof_unicode;
	uint32_t str_kind_shift,
		str_kind_mask; /* kind = (state >> shift) & mask: 1, 2, 4 (0: wstr) */
	uint32_t str_compact_mask, str_ascii_mask,
		str_interned_mask; /* applied to the 32-bit state word */

	/* numbers and sequences */
	enum layout_int int_format;
	bool queue_counts_items;    /* 3.15+: sys.getsizeof of a queue.SimpleQueue includes its
				       ring */
	bool int_counts_zero_digit; /* 3.11+: sys.getsizeof(0) includes one digit (longobject.c) */
	uint32_t int_tag_shift;	    /* INT_TAG: digits = tag >> this */
	uint32_t int_tag, int_digits, sizeof_int, sizeof_digit, sizeof_float, sizeof_complex;
	uint32_t bytes_data,
		sizeof_bytes; /* sizeof_bytes has the closing NUL: getsizeof = this + ob_size */
	uint32_t list_items, list_allocated, sizeof_list;
	uint32_t list_items_front;	    /* bytes of a list's block in front of its items */
	uint32_t tuple_items, sizeof_tuple; /* without items */
	uint32_t bytearray_alloc, bytearray_data, bytearray_start, sizeof_bytearray;
	uint32_t bytearray_object; /* 3.15+: the bytes object that owns the buffer */
	uint32_t set_fill, set_used, set_mask, set_table, set_smalltable, sizeof_set,
		sizeof_set_entry;
	uint32_t bytesio_buf, sizeof_bytesio;
	uint32_t deque_leftblock, deque_leftindex, deque_freeblocks, deque_numfreeblocks,
		deque_freeblocks_max, sizeof_deque, sizeof_deque_block,
		deque_block_next; /* next: the right link */
	uint32_t odict_first, odict_node_next, odict_fast_nodes, odict_fast_nodes_size,
		sizeof_odict, sizeof_odict_node;
	uint32_t array_items, array_allocated, array_descr, array_descr_itemsize, sizeof_array;
	uint32_t memoryview_base_size; /* getsizeof = this + 8 * ob_size */
	uint32_t descr_type;	       /* PyDescrObject.d_type: how static types are found */
	uint32_t module_dict, module_state, sizeof_module;
	uint32_t weakref_object;
	/* getsizeof(code) = round_up(sizeof_code + sizeof_code_unit * ob_size, 8); sizeof_code_unit
	 * is 0 <=3.10 */
	uint32_t code_extra, sizeof_code_unit, sizeof_code, code_nlocalsplus, code_stacksize,
		code_name, code_qualname, code_filename;
	uint32_t gen_frame;	/* <=3.10: pointer to the frame object; 3.11+: the frame itself lies
				   there */
	uint32_t gen_code_path; /* generator: offset of the code pointer (3.14+: tagged, mask with
				   ~3) */
	uint32_t function_code, function_qualname;

	/* pymalloc (Objects/obmalloc.c, Include/internal/pycore_obmalloc.h) */
	enum layout_obmalloc obmalloc;
	uint32_t pool_size, arena_size, alignment, small_request_max, pool_overhead;
	uint32_t obmalloc_offset; /* in PyInterpreterState (INTERP, POINTER) */
	uint32_t obmalloc_usedpools, obmalloc_arenas, obmalloc_maxarenas,
		obmalloc_raw_blocks; /* in the state */
	uint32_t pool_count, pool_freeblock, pool_next, pool_prev, pool_arena_index,
		pool_size_index, pool_next_offset, pool_max_next_offset;
	uint32_t arena_address, arena_pool_address, arena_free_pools_count, arena_total_pools,
		arena_free_pools, arena_next, arena_prev, sizeof_arena;

	/* _PyRuntime, PyInterpreterState, PyThreadState */
	uint32_t runtime_interpreters_head, runtime_interpreters_main, interp_next, interp_id,
		interp_threads_head, interp_modules, interp_sysdict;
	/* {ctx, malloc, calloc, realloc, free} of each domain in _PyRuntime; LAYOUT_NONE up to 3.11
	 * (static) */
	uint32_t runtime_allocator_raw, runtime_allocator_mem, runtime_allocator_obj;
	uint32_t runtime_preconfig_allocator; /* int: PYMEM_ALLOCATOR_*; <=3.11, later it moves with
						 patch releases */
	uint32_t interp_gc;		      /* gc state in the interpreter; LAYOUT_NONE in 3.8 */
	uint32_t runtime_gc;		      /* 3.8 only */
	/*
	 * gc_generation0_pointer: heads are at *it, + sizeof_gc_generation, + 2 * that. Never by
	 * offset of the array, which Debian's 3.13 moves. gc_young, gc_old[2]: where there is no
	 * such pointer (3.14.0-4).
	 */
	uint32_t gc_generation0_pointer, gc_permanent, gc_young, gc_old, gc_collecting,
		sizeof_gc_generation, sizeof_gc;
	uint32_t tstate_next, tstate_interp, tstate_datastack_chunk, sizeof_tstate;

	/* mimalloc (free-threaded): Include/internal/mimalloc/mimalloc/types.h */
	uint32_t tstate_mimalloc, mi_heap_size, mi_heaps, mi_heaps_count, interp_mimalloc_abandoned;
	uint32_t mi_heap_delayed; /* blocks that other threads have freed, as long as their page is
				     full */
	uint32_t mi_heap_pages, mi_page_queues, mi_page_capacity, mi_page_free, mi_page_used,
		mi_page_block_size, mi_page_local_free, mi_page_thread_free, mi_page_next,
		sizeof_mi_page, mi_segment_slices, mi_segment_shift, mi_slice_shift;
	uint32_t mi_page_tag,
		mi_page_tag_shift; /* four bits: the number of the heap that it is of */
	uint32_t mi_page_slice_count, mi_segment_abandoned_next, mi_segment_info_slices,
		mi_segment_segment_slices, mi_segment_slice_entries, sizeof_mi_segment;
	uint32_t
		mi_abandoned_list; /* in the pool: the second of its two lists, the first is at 0 */
	uint32_t sizeof_mi_page_queue, mi_page_used_size; /* bytes of the used counter: 4, or 2 */
	uint32_t mi_page_start; /* mimalloc 2.2+: address of the first block; else derived from the
				   slice */
	uint32_t interp_mimalloc_subproc; /* mimalloc 2.2+: pointer to mi_subproc_t, instead of the
					     pool */

	/* free lists */
	enum layout_freelists_base freelists_base;
	uint32_t freelists_offset; /* added to the base */
	struct layout_freelist_row freelists[LAYOUT_FREELISTS_MAX];
	uint32_t freelists_count;

	/* _Py_DebugOffsets, first in _PyRuntime: 3.13+; none before */
	uint32_t debug_free_threaded, debug_size;
	struct layout_debug_row debug_rows[LAYOUT_DEBUG_ROWS_MAX];
	uint32_t debug_rows_count;
};

/*
 * The table for this interpreter. NULL with @err filled (EXIT_UNSUPPORTED) where there is none:
 * says the version, what is supported and what to send us. Never the nearest other version.
 */
const struct layout *layout_find(const struct python *py, struct error *err);

/*
 * Compares the table with _Py_DebugOffsets of the live process (3.13+), which has the last word. 0,
 * or -EPROTO with both numbers in @err (EXIT_UNSUPPORTED): a contradiction is refused, never
 * guessed around. Does nothing for versions without debug offsets.
 */
int layout_check(const struct layout *layout, const struct python *py, struct memory *mem,
		 struct error *err);

/* All tables, for `doctor` and the support matrix. */
const struct layout *const *layout_all(size_t *count);
