/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Part of layout_dump.c: where the fields of _Py_DebugOffsets are (first thing in _PyRuntime
 * from 3.13), each beside the field of struct layout that must say the same. The layout of
 * _Py_DebugOffsets itself changes with every minor version.
 */
#pragma once

#if SINCE(13)
#define ROW(where, field)                                                                          \
	do {                                                                                       \
		printf("\tLAYOUT_DEBUG_ROW(\"%s\", %zu, %s),\n", #where,                           \
		       offsetof(_Py_DebugOffsets, where), #field);                                 \
		count++;                                                                           \
	} while (0)

static int dump_debug_state_rows(void)
{
	int count = 0;

	ROW(runtime_state.interpreters_head, runtime_interpreters_head);
	ROW(interpreter_state.id, interp_id);
	ROW(interpreter_state.next, interp_next);
	ROW(interpreter_state.threads_head, interp_threads_head);
	ROW(interpreter_state.gc, interp_gc);
	ROW(interpreter_state.imports_modules, interp_modules);
	ROW(interpreter_state.sysdict, interp_sysdict);
#ifdef Py_GIL_DISABLED /* the heaps stand behind it, and nothing else tells where */
	ROW(thread_state.size, sizeof_tstate);
#endif
	ROW(thread_state.next, tstate_next);
	ROW(thread_state.interp, tstate_interp);
	ROW(thread_state.datastack_chunk, tstate_datastack_chunk);
	ROW(gc.size, sizeof_gc);
	ROW(gc.collecting, gc_collecting);
	return count;
}

static int dump_debug_object_rows(void)
{
	int count = 0;

	ROW(pyobject.size, sizeof_object);
	ROW(pyobject.ob_type, ob_type);
	ROW(type_object.size, sizeof_type);
	ROW(type_object.tp_name, tp_name);
	ROW(type_object.tp_flags, tp_flags);
	ROW(tuple_object.ob_item, tuple_items);
	ROW(tuple_object.ob_size, ob_size);
	ROW(list_object.size, sizeof_list);
	ROW(list_object.ob_item, list_items);
	ROW(list_object.ob_size, ob_size);
	ROW(dict_object.size, sizeof_dict);
	ROW(dict_object.ma_keys, ma_keys);
	ROW(dict_object.ma_values, ma_values);
	ROW(float_object.size, sizeof_float);
	ROW(long_object.lv_tag, int_tag);
	ROW(long_object.ob_digit, int_digits);
	ROW(bytes_object.ob_size, ob_size);
	ROW(bytes_object.ob_sval, bytes_data);
	ROW(unicode_object.size, sizeof_unicode);
	ROW(unicode_object.state, str_state);
	ROW(unicode_object.length, str_length);
	ROW(unicode_object.asciiobject_size, sizeof_ascii);
	ROW(code_object.filename, code_filename);
	ROW(code_object.name, code_name);
	ROW(code_object.qualname, code_qualname);
	ROW(code_object.co_code_adaptive, sizeof_code);
	return count;
}

static int dump_debug_newer_rows(void)
{
	int count = 0;

#if SINCE(14)
	ROW(set_object.size, sizeof_set);
	ROW(set_object.used, set_used);
	ROW(set_object.table, set_table);
	ROW(set_object.mask, set_mask);
	ROW(gen_object.gi_iframe, gen_frame);
#endif
#if SINCE(15)
	ROW(type_object.tp_basicsize, tp_basicsize);
	ROW(type_object.tp_dictoffset, tp_dictoffset);
	ROW(heap_type_object.size, sizeof_heap_type);
	ROW(heap_type_object.ht_cached_keys, ht_cached_keys);
	ROW(unicode_object.compactunicodeobject_size, sizeof_compact);
#endif
	return count;
}
#endif

static void dump_debug_offsets(void)
{
#if SINCE(13)
	int count;

	OFFSET(debug_free_threaded, _Py_DebugOffsets, free_threaded);
	VALUE(debug_size, sizeof(_Py_DebugOffsets));
	printf(".debug_rows = {\n");
	count = dump_debug_state_rows();
	count += dump_debug_object_rows();
	count += dump_debug_newer_rows();
	printf("},\n");
	VALUE(debug_rows_count, count);
#else
	VALUE(debug_free_threaded, 0);
	VALUE(debug_size, 0);
	VALUE(debug_rows_count, 0);
#endif
}
