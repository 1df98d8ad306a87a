/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "probe/allocator.h"
#include "probe_target.h"

/* Reads the table of a live Python that runs with PYTHONMALLOC=@setting. */
static void read_table(const char *setting, struct allocator *ret)
{
	_cleanup_code_ struct code *code = NULL, *bare = NULL;
	struct allocator again;
	struct probe_target t;

	if (!probe_target_start(&t, setting))
		skip();
	assert_int_equal(code_new(t.py->image, &code), 0);
	assert_int_equal(code_new_bare(t.py->image, &bare), 0);
	assert_int_equal(allocator_read(t.py, t.layout, t.mem, bare, &again), 0);
	assert_int_equal(allocator_read(t.py, t.layout, t.mem, code, ret), 0);
	assert_memory_equal(&again, ret, sizeof(again));
	probe_target_stop(&t);
}

static void the_table_is_found(void **state)
{
	struct allocator table;

	read_table(NULL, &table);
	assert_int_equal(table.kind, ALLOCATOR_PYMALLOC);
	assert_int_equal(table.obj.malloc, table.mem.malloc);
	assert_int_equal(table.inner.malloc, table.obj.malloc);
	assert_int_not_equal(table.raw.malloc, table.obj.malloc);
	assert_int_not_equal(table.obj.malloc, table.obj.free);
}

static void debug_hooks_are_looked_behind(void **state)
{
	struct allocator table, plain;

	read_table("pymalloc_debug", &table);
	assert_int_equal(table.kind, ALLOCATOR_HOOKED);
	assert_true(table.debug && table.raw_debug && table.pymalloc);
	assert_int_equal(table.debug_free, table.obj.free);
	assert_int_not_equal(table.libc.realloc, table.raw.realloc);
	assert_int_not_equal(table.inner.malloc, table.obj.malloc);
	read_table(NULL, &plain);
	assert_int_equal(table.inner.malloc & 0xfff,
			 plain.obj.malloc & 0xfff); /* wherever it was loaded */
}

static void plain_malloc_is_known(void **state)
{
	struct allocator table;

	read_table("malloc", &table);
	assert_int_equal(table.kind, ALLOCATOR_MALLOC);
}

static void kinds_have_names(void **state)
{
	assert_string_equal(allocator_kind_name(ALLOCATOR_PYMALLOC), "pymalloc");
	assert_string_equal(allocator_kind_name((enum allocator_kind)77), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_is_found),
		cmocka_unit_test(debug_hooks_are_looked_behind),
		cmocka_unit_test(plain_malloc_is_known),
		cmocka_unit_test(kinds_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
