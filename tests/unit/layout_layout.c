/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "layout/layout.h"

#define RUNTIME 0x7f0000000000ull

static struct python python_of(unsigned int minor, unsigned int micro, bool free_threaded,
			       bool debug)
{
	struct python py = {
		.hex = PYTHON_HEX(3, minor, micro) | 0xf0,
		.free_threaded = free_threaded,
		.debug = debug,
		.runtime = RUNTIME,
	};

	snprintf(py.version, sizeof(py.version), "3.%u.%u", minor, micro);
	return py;
}

static const char *found(unsigned int minor, unsigned int micro, bool free_threaded, bool debug)
{
	struct python py = python_of(minor, micro, free_threaded, debug);
	const struct layout *layout = layout_find(&py, NULL);

	return layout ? layout->name : "none";
}

static void finds_what_is_known(void **state)
{
	assert_string_equal(found(8, 0, false, false), "3.8");
	assert_string_equal(found(8, 18, false, false), "3.8");
	assert_string_equal(found(9, 2, false, false), "3.9");
	assert_string_equal(found(10, 13, false, false), "3.10");
	assert_string_equal(found(11, 2, false, false), "3.11");
	assert_string_equal(found(11, 200, false, false), "3.11");
	assert_string_equal(found(12, 12, false, false), "3.12");
	assert_string_equal(found(13, 5, false, false), "3.13");
	assert_string_equal(found(14, 0, false, false), "3.14.0-4");
	assert_string_equal(found(14, 4, false, false), "3.14.0-4");
	assert_string_equal(found(14, 5, false, false), "3.14");
	assert_string_equal(found(14, 99, false, false), "3.14");
	assert_string_equal(found(15, 2, false, false), "3.15");
	assert_string_equal(found(11, 7, false, true), "3.11d");
	assert_string_equal(found(13, 5, true, false), "3.13.0-5t");
	assert_string_equal(found(13, 18, true, false), "3.13.18t");
	assert_string_equal(found(14, 10, true, false), "3.14.10t");
}

static void refuses_what_is_unknown(void **state)
{
	static const struct {
		unsigned int minor, micro;
		bool free_threaded, debug;
	} cases[] = {
		{ 7, 16, false, false }, { 16, 0, false, false }, { 11, 7, true, false },
		{ 13, 6, true, false },	 { 14, 9, true, false },  { 14, 11, true, false },
		{ 13, 5, true, true },	 { 14, 0, false, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct python py = python_of(cases[i].minor, cases[i].micro, cases[i].free_threaded,
					     cases[i].debug);
		struct error err = {};

		assert_null(layout_find(&py, &err));
		assert_int_equal(err.exit_code, EXIT_UNSUPPORTED);
		assert_non_null(strstr(err.text, py.version));
		assert_non_null(strstr(err.text, "3.11"));
		assert_non_null(strstr(err.text, "send us"));
	}
}

static void refuses_other_majors_and_prereleases(void **state)
{
	struct python py = python_of(11, 0, false, false);

	py.hex = PYTHON_HEX(3, 15, 0) | 0xb1;
	assert_null(layout_find(&py, NULL));
	py.hex = PYTHON_HEX(3, 15, 0) | 0xc1;
	assert_null(layout_find(&py, NULL));
	py.hex = PYTHON_HEX(4, 11, 0) | 0xf0;
	assert_null(layout_find(&py, NULL));
	py.hex = PYTHON_HEX(2, 11, 0) | 0xf0;
	assert_null(layout_find(&py, NULL));
}

/* What must hold for any CPython: a number that is missing in a table is 0 and shows here. */
static void check_sizes(const struct layout *l)
{
	uint32_t head = l->free_threaded ? 32 : 16;

	assert_int_equal(l->sizeof_object, head);
	assert_int_equal(l->sizeof_var_object, head + 8);
	assert_int_equal(l->ob_size, head);
	assert_int_equal(l->ma_used, head);
	assert_int_equal(l->sizeof_dict, head + 32);
	assert_int_equal(l->sizeof_list, head + 24);
	assert_int_equal(l->sizeof_float, head + 8);
	assert_int_equal(l->sizeof_complex, head + 16);
	assert_int_equal(l->sizeof_odict, l->sizeof_dict + 64);
	assert_int_equal(l->odict_first, l->sizeof_dict);
	assert_int_equal(l->sizeof_array, head + 48);
	assert_int_equal(l->bytes_data + 1, l->sizeof_bytes);
	assert_int_equal(l->sizeof_digit, 4);
	assert_int_equal(l->sizeof_set_entry, 16);
	assert_true(l->sizeof_set >= l->set_smalltable + 8 * l->sizeof_set_entry);
	assert_true(l->sizeof_ascii < l->sizeof_compact && l->sizeof_compact < l->sizeof_unicode);
	assert_true(l->sizeof_heap_type > l->sizeof_type &&
		    l->ht_cached_keys < l->sizeof_heap_type);
	assert_int_equal(l->sizeof_member_def, 40);
	assert_int_equal(l->gc_head_size, l->free_threaded ? 0 : 16);
	assert_int_equal(l->sizeof_deque_block, 528);
	assert_true(l->sizeof_deque > l->deque_leftindex);
	assert_true(l->sizeof_code > l->code_filename && l->sizeof_code > l->code_extra);
	assert_true(l->sizeof_module > l->module_state);
	assert_int_equal(l->sizeof_gc_generation, 24);
}

static void check_keys(const struct layout *l)
{
	bool log2 = l->keys == LAYOUT_KEYS_LOG2;

	assert_int_equal(log2, l->minor >= 11);
	assert_int_equal(l->dk_indices, log2 ? 32 : 40);
	assert_int_equal(l->sizeof_key_entry, 24);
	assert_int_equal(l->key_entry_value, l->key_entry_key + 8);
	assert_int_equal(l->dk_size == LAYOUT_NONE, log2);
	assert_int_equal(l->dk_kind == LAYOUT_NONE, !log2);
	assert_int_equal(l->sizeof_unicode_entry, log2 ? 16 : LAYOUT_NONE);
	assert_true(l->dk_nentries < l->dk_indices && l->dk_usable < l->dk_nentries);
}

static void check_pymalloc(const struct layout *l)
{
	const uint32_t pool[] = { l->pool_count,       l->pool_freeblock,      l->pool_next,
				  l->pool_prev,	       l->pool_arena_index,    l->pool_size_index,
				  l->pool_next_offset, l->pool_max_next_offset };
	const uint32_t arena[] = {
		l->arena_address,     l->arena_pool_address, l->arena_free_pools_count,
		l->arena_total_pools, l->arena_free_pools,   l->arena_next,
		l->arena_prev
	};

	for (size_t i = 1; i < ARRAY_SIZE(pool); i++)
		assert_true(pool[i] > pool[i - 1] && pool[i] < l->pool_overhead);
	for (size_t i = 1; i < ARRAY_SIZE(arena); i++)
		assert_true(arena[i] > arena[i - 1] && arena[i] < l->sizeof_arena);
	assert_int_equal(l->pool_size, l->minor < 10 ? 4096 : 16384);
	assert_int_equal(l->arena_size, l->pool_size * 64);
	assert_int_equal(l->alignment, 16);
	assert_int_equal(l->small_request_max, 512);
	assert_int_equal(l->obmalloc_offset == LAYOUT_NONE, l->obmalloc == LAYOUT_OBMALLOC_STATIC);
	assert_int_equal(l->obmalloc == LAYOUT_OBMALLOC_MIMALLOC, l->free_threaded);
}

static void check_str(const struct layout *l)
{
	uint32_t kind = l->str_kind_mask << l->str_kind_shift;

	assert_int_equal(l->str_kind_mask, 7);
	assert_int_equal(kind & l->str_compact_mask, 0);
	assert_int_equal((kind | l->str_compact_mask) & l->str_ascii_mask, 0);
	assert_int_equal((kind | l->str_compact_mask | l->str_ascii_mask) & l->str_interned_mask,
			 0);
	assert_true(l->str_compact_mask && l->str_ascii_mask && l->str_interned_mask);
	assert_int_equal(l->str_wstr == LAYOUT_NONE, l->minor >= 12);
}

static void check_runtime(const struct layout *l)
{
	assert_int_equal(l->runtime_interpreters_main, l->runtime_interpreters_head + 8);
	assert_int_equal(l->runtime_gc == LAYOUT_NONE, l->minor != 8);
	assert_int_equal(l->interp_gc == LAYOUT_NONE, l->minor == 8);
	assert_int_equal(l->gc_young == LAYOUT_NONE, l->gc_generation0_pointer != LAYOUT_NONE);
	assert_int_equal(l->runtime_allocator_obj == LAYOUT_NONE, l->minor < 12);
	if (l->minor >= 12) {
		assert_int_equal(l->runtime_allocator_mem, l->runtime_allocator_raw + 40);
		assert_int_equal(l->runtime_allocator_obj, l->runtime_allocator_mem + 40);
	}
	assert_true(l->gc_permanent < l->gc_collecting && l->gc_collecting < l->sizeof_gc);
	assert_true(l->debug_rows_count <= LAYOUT_DEBUG_ROWS_MAX);
	assert_int_equal(l->debug_rows_count > 30, l->minor >= 13);
}

static void check_freelists(const struct layout *l)
{
	assert_in_range(l->freelists_count, 8, LAYOUT_FREELISTS_MAX);
	for (uint32_t i = 0; i < l->freelists_count; i++) {
		const struct layout_freelist_row *row = &l->freelists[i];

		assert_non_null(row->name);
		assert_int_not_equal(row->kind, LAYOUT_FREELIST_NONE);
		assert_in_range(row->max, 1, 2000);
		assert_in_range(row->repeat, 1, 20);
		if (l->freelists_base == LAYOUT_FREELISTS_NOWHERE)
			continue;
		assert_true(row->offset > 0);
		assert_null(row->symbol);
		for (uint32_t j = 0; j < i; j++)
			assert_int_not_equal(row->offset, l->freelists[j].offset);
	}
}

static void tables_make_sense(void **state)
{
	size_t count;
	const struct layout *const *all = layout_all(&count);

	assert_true(count >= 21);
	for (size_t i = 0; i < count; i++) {
		assert_non_null(all[i]->name);
		assert_non_null(all[i]->source);
		assert_true(all[i]->micro_first <= all[i]->micro_last);
		check_sizes(all[i]);
		check_keys(all[i]);
		check_pymalloc(all[i]);
		check_str(all[i]);
		check_runtime(all[i]);
		check_freelists(all[i]);
	}
}

/* A _Py_DebugOffsets that says what @layout says, at RUNTIME. */
static void fill_offsets(uint8_t *buf, const struct layout *layout, const struct python *py)
{
	uint64_t version = py->hex, free_threaded = layout->free_threaded;

	memcpy(buf, "xdebugpy", 8);
	memcpy(buf + 8, &version, 8);
	memcpy(buf + layout->debug_free_threaded, &free_threaded, 8);
	for (uint32_t i = 0; i < layout->debug_rows_count; i++) {
		uint64_t value = load_u32((const uint8_t *)layout + layout->debug_rows[i].field);

		memcpy(buf + layout->debug_rows[i].where, &value, 8);
	}
}

static int check(const struct layout *layout, const struct python *py, const uint8_t *buf,
		 size_t len, struct error *err)
{
	_cleanup_memory_ struct memory *mem = NULL;

	assert_int_equal(memory_buffer_new(RUNTIME, buf, len, &mem), 0);
	return layout_check(layout, py, mem, err);
}

static void offsets_that_agree_pass(void **state)
{
	size_t count;
	const struct layout *const *all = layout_all(&count);

	for (size_t i = 0; i < count; i++) {
		struct python py = python_of(all[i]->minor, all[i]->micro_first,
					     all[i]->free_threaded, all[i]->debug);
		uint8_t buf[2048] = {};

		if (all[i]->debug_rows_count)
			fill_offsets(buf, all[i], &py);
		assert_int_equal(check(all[i], &py, buf, sizeof(buf), NULL), 0);
	}
}

/* Each number in turn is made wrong by 8: each must be noticed and named. */
static void offsets_that_contradict_are_refused(void **state)
{
	struct python py = python_of(14, 10, false, false);
	const struct layout *layout = layout_find(&py, NULL);

	for (uint32_t i = 0; i < layout->debug_rows_count; i++) {
		const struct layout_debug_row *row = &layout->debug_rows[i];
		uint8_t buf[2048] = {};
		struct error err = {};

		fill_offsets(buf, layout, &py);
		buf[row->where] ^= 8;
		assert_int_equal(check(layout, &py, buf, sizeof(buf), &err), -EPROTO);
		assert_int_equal(err.exit_code, EXIT_UNSUPPORTED);
		assert_non_null(strstr(err.text, row->name));
	}
}

/* 3.14.0-4 and 3.14.5+ differ in the collector; the offsets tell them apart whatever the patch
 * release says. */
static void collectors_of_3_14_are_told_apart(void **state)
{
	struct python older = python_of(14, 4, false, false),
		      newer = python_of(14, 5, false, false);
	uint8_t buf[2048] = {};

	fill_offsets(buf, layout_find(&newer, NULL), &older);
	assert_int_equal(check(layout_find(&older, NULL), &older, buf, sizeof(buf), NULL), -EPROTO);
	assert_int_equal(check(layout_find(&newer, NULL), &older, buf, sizeof(buf), NULL), 0);
}

static void damaged_offsets_are_refused(void **state)
{
	struct python py = python_of(13, 5, false, false);
	const struct layout *layout = layout_find(&py, NULL);
	uint8_t buf[2048] = {};

	assert_int_equal(check(layout, &py, buf, sizeof(buf), NULL), -EPROTO);
	fill_offsets(buf, layout, &py);
	buf[10] = 14; /* the minor version */
	assert_int_equal(check(layout, &py, buf, sizeof(buf), NULL), -EPROTO);
	fill_offsets(buf, layout, &py);
	buf[layout->debug_free_threaded] = 1;
	assert_int_equal(check(layout, &py, buf, sizeof(buf), NULL), -EPROTO);
	fill_offsets(buf, layout, &py);
	assert_int_equal(check(layout, &py, buf, layout->debug_size - 1, NULL), -EFAULT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_is_known),
		cmocka_unit_test(refuses_what_is_unknown),
		cmocka_unit_test(refuses_other_majors_and_prereleases),
		cmocka_unit_test(tables_make_sense),
		cmocka_unit_test(offsets_that_agree_pass),
		cmocka_unit_test(offsets_that_contradict_are_refused),
		cmocka_unit_test(collectors_of_3_14_are_told_apart),
		cmocka_unit_test(damaged_offsets_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
