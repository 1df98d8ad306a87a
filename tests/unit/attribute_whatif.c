/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "attribute/whatif.h"
#include "fake_python.h"

#define THING (WORLD_STATIC + 0x5000)
#define BASE (WORLD_STATIC + 0x6000)

static const struct layout *layout_of(const char *version)
{
	return fake_layout(version);
}

static const struct layout *free_threaded(void)
{
	size_t count;
	const struct layout *const *all = layout_all(&count);

	for (size_t i = 0; i < count; i++)
		if (all[i]->obmalloc == LAYOUT_OBMALLOC_MIMALLOC)
			return all[i];
	fail_msg("no layout of a free-threaded build");
	return NULL;
}

static void blocks(void **state)
{
	struct whatif w = { .layout = layout_of("3.11"), .pymalloc = true, .glibc = true };

	assert_int_equal(whatif_block(&w, 0), 0);
	assert_int_equal(whatif_block(&w, 1), 16);
	assert_int_equal(whatif_block(&w, 512), 512);
	assert_int_equal(whatif_block(&w, 513), 528);
	assert_int_equal(whatif_block(&w, 768), 784);
	w.hooks = hooks_of(true, true);
	assert_int_equal(whatif_block(&w, 48), 80);
	w = (struct whatif){ .layout = layout_of("3.11"), .glibc = true };
	assert_int_equal(whatif_block(&w, 8), 32);
	w = (struct whatif){ .layout = free_threaded() };
	assert_int_equal(whatif_block(&w, 8), 8);
	assert_int_equal(whatif_block(&w, 40), 48);
	assert_int_equal(whatif_block(&w, 65), 80);
	assert_int_equal(whatif_block(&w, 600), 640);
}

/* The table of key sizes that sys.getsizeof() confirms for every version. */
static void key_tables(void **state)
{
	struct whatif old = { .layout = layout_of("3.8") }, new = { .layout = layout_of("3.12") };

	assert_int_equal(whatif_keys(&old, 0, false), 0);
	assert_int_equal(whatif_keys(&old, 5, false), 168);
	assert_int_equal(whatif_keys(&old, 6, false), 296);
	assert_int_equal(whatif_keys(&new, 5, false), 120);
	assert_int_equal(whatif_keys(&new, 5, true), 160);
	assert_int_equal(whatif_keys(&new, 10, false), 208);
	assert_int_equal(whatif_keys(&new, 42, false), 768);
}

static void set_tables(void **state)
{
	struct whatif w = { .layout = layout_of("3.12") };

	assert_int_equal(whatif_set_table(&w, 4), 0);
	assert_int_equal(whatif_set_table(&w, 5), 16 * 16);
	assert_int_equal(whatif_set_table(&w, 8), 32 * 16);
}

/* A class as a class statement makes it, and what its instances with @count attributes would take.
 */
static void instance(const char *version, struct type thing, uint64_t count, uint64_t slots,
		     uint64_t shared)
{
	const struct layout *l = layout_of(version);
	struct whatif w = { .layout = l, .pymalloc = true, .glibc = true };
	struct type object = { .basicsize = 16 };

	thing.python_class = true;
	thing.base_type = &object;
	thing.flags |= TPFLAGS_HAVE_GC | l->flag_managed_dict | l->flag_managed_weakref |
		       l->flag_inline_values;
	thing.pre = 16 + (thing.flags & l->flags_preheader ? l->preheader_size : 0);
	assert_int_equal(whatif_slots(&w, &thing, count), slots);
	assert_int_equal(whatif_shared(&w, &thing, count), shared);
}

static void instances(void **state)
{
	const struct type at = {
		.basicsize = 32, .dict_at = TYPE_DICT_AT, .dictoffset = 16, .weakref_at = 24
	};
	const struct type beside = { .basicsize = 24,
				     .dict_at = TYPE_DICT_MANAGED,
				     .weakref_at = 16 };
	const struct type managed = { .basicsize = 16,
				      .dict_at = TYPE_DICT_MANAGED,
				      .weakref_at = -32 };

	instance("3.8", at, 3, 64, 160);
	instance("3.10", at, 9, 112, 192);
	instance("3.11", beside, 3, 64, 112);
	instance("3.12", managed, 3, 64, 96);
	instance("3.13", managed, 3, 64, 96);
	instance("3.13", managed, 30, 272, 0);
}

static void what_cannot_be(void **state)
{
	struct whatif w = { .layout = layout_of("3.8"), .pymalloc = true };
	struct type tuple = { .basicsize = 24, .itemsize = 8 },
		    exception = { .basicsize = 72, .dict_at = TYPE_DICT_AT };
	struct type thing = {
		.basicsize = 32, .python_class = true, .dict_at = TYPE_DICT_AT, .base_type = &tuple
	};

	assert_int_equal(whatif_slots(&w, &thing, 3), 0);
	thing.base_type = &exception;
	assert_int_equal(whatif_slots(&w, &thing, 3), 0);
	thing.base_type = &thing; /* a circle */
	assert_null(whatif_core(&thing));
	assert_int_equal(whatif_slots(&w, &thing, 3), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks),	  cmocka_unit_test(key_tables),
		cmocka_unit_test(set_tables),	  cmocka_unit_test(instances),
		cmocka_unit_test(what_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
