/* SPDX-License-Identifier: BSD-2-Clause */
/* Part of layout_dump.c: the heaps of free-threaded builds (internal/mimalloc/mimalloc/types.h). */
#pragma once

#ifdef Py_GIL_DISABLED
/* The tag of a page is a bit field: where it is shows in what setting it changes. */
static void dump_mimalloc_tag(void)
{
	union {
		mi_page_t page;
		unsigned char bytes[sizeof(mi_page_t)];
	} u = { .bytes = { 0 } };
	unsigned int i = 0;

#if MI_MALLOC_VERSION >= 20000
	u.page.heap_tag = 0xf;
#else
	u.page.tag = 0xf;
#endif
	while (!u.bytes[i])
		i++;
	VALUE(mi_page_tag, i);
	VALUE(mi_page_tag_shift, __builtin_ctz(u.bytes[i]));
}

static void dump_mimalloc(void)
{
	OFFSET(tstate_mimalloc, _PyThreadStateImpl, mimalloc);
	SIZE(mi_heap_size, mi_heap_t);
	OFFSET(mi_heaps, struct _mimalloc_thread_state, heaps);
	VALUE(mi_heaps_count, _Py_MIMALLOC_HEAP_COUNT);
	OFFSET(mi_heap_pages, mi_heap_t, pages);
	OFFSET(mi_heap_delayed, mi_heap_t, thread_delayed_free);
	VALUE(mi_page_queues, sizeof(((mi_heap_t *)0)->pages) / sizeof(((mi_heap_t *)0)->pages[0]));
	SIZE(sizeof_mi_page_queue, mi_page_queue_t);
	OFFSET(mi_page_capacity, mi_page_t, capacity);
	OFFSET(mi_page_free, mi_page_t, free);
	OFFSET(mi_page_used, mi_page_t, used);
	VALUE(mi_page_used_size, sizeof(((mi_page_t *)0)->used));
	OFFSET(mi_page_local_free, mi_page_t, local_free);
	OFFSET(mi_page_thread_free, mi_page_t, xthread_free);
	OFFSET(mi_page_next, mi_page_t, next);
#if MI_MALLOC_VERSION >= 20000 /* 2.2 and later count so; 3.13 has 212 */
	NONE(interp_mimalloc_abandoned);
	NONE(mi_abandoned_list);
	NONE(mi_segment_abandoned_next);
	OFFSET(interp_mimalloc_subproc, PyInterpreterState, mimalloc.subproc);
	OFFSET(mi_page_block_size, mi_page_t, block_size);
	OFFSET(mi_page_start, mi_page_t, page_start);
#else
	OFFSET(interp_mimalloc_abandoned, PyInterpreterState, mimalloc.abandoned_pool);
	OFFSET(mi_abandoned_list, mi_abandoned_pool_t, abandoned);
	OFFSET(mi_segment_abandoned_next, mi_segment_t, abandoned_next);
	NONE(interp_mimalloc_subproc);
	OFFSET(mi_page_block_size, mi_page_t, xblock_size);
	NONE(mi_page_start);
#endif
	SIZE(sizeof_mi_page, mi_page_t);
	dump_mimalloc_tag();
	OFFSET(mi_page_slice_count, mi_page_t, slice_count);
	OFFSET(mi_segment_info_slices, mi_segment_t, segment_info_slices);
	OFFSET(mi_segment_segment_slices, mi_segment_t, segment_slices);
	OFFSET(mi_segment_slice_entries, mi_segment_t, slice_entries);
	SIZE(sizeof_mi_segment, mi_segment_t);
	OFFSET(mi_segment_slices, mi_segment_t, slices);
	VALUE(mi_segment_shift, MI_SEGMENT_SHIFT);
	VALUE(mi_slice_shift, MI_SEGMENT_SLICE_SHIFT);
}

#else

static void dump_mimalloc(void)
{
	NONE(tstate_mimalloc);
	VALUE(mi_heap_size, 0);
	NONE(mi_heaps);
	NONE(mi_heap_delayed);
	VALUE(mi_heaps_count, 0);
	NONE(interp_mimalloc_abandoned);
	NONE(mi_abandoned_list);
	NONE(interp_mimalloc_subproc);
	NONE(mi_page_tag);
	VALUE(mi_page_tag_shift, 0);
	NONE(mi_page_slice_count);
	NONE(mi_segment_abandoned_next);
	NONE(mi_segment_info_slices);
	NONE(mi_segment_segment_slices);
	NONE(mi_segment_slice_entries);
	VALUE(sizeof_mi_segment, 0);
	NONE(mi_heap_pages);
	VALUE(mi_page_queues, 0);
	VALUE(sizeof_mi_page_queue, 0);
	NONE(mi_page_capacity);
	NONE(mi_page_free);
	NONE(mi_page_used);
	VALUE(mi_page_used_size, 0);
	NONE(mi_page_local_free);
	NONE(mi_page_thread_free);
	NONE(mi_page_next);
	NONE(mi_page_block_size);
	NONE(mi_page_start);
	VALUE(sizeof_mi_page, 0);
	NONE(mi_segment_slices);
	VALUE(mi_segment_shift, 0);
	VALUE(mi_slice_shift, 0);
}

#endif
