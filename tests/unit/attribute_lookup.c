/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "attribute/lookup.h"
#include "fake_python.h"

#include <errno.h>

#define TYPE (WORLD_STATIC + 0x5000)

static struct world w;

static int setup(void **state)
{
	world_init(&w, "3.11");
	world_put_type(&w, TYPE, "app.Thing", 0, 48);
	return 0;
}

static int teardown(void **state)
{
	world_fini(&w);
	return 0;
}

static void a_type_has_its_name(void **state)
{
	cleanup(lookup_freep) struct lookup *lookup = NULL;
	char name[LOOKUP_NAME_MAX];
	bool heap = true;

	assert_int_equal(lookup_new(w.layout, w.fake.mem, &lookup), 0);
	assert_int_equal(lookup_type(lookup, TYPE, name, &heap), 0);
	assert_string_equal(name, "app.Thing");
	assert_false(heap);
}

static void what_is_no_type_is_not_there(void **state)
{
	cleanup(lookup_freep) struct lookup *lookup = NULL;
	char name[LOOKUP_NAME_MAX];
	bool heap;

	assert_int_equal(lookup_new(w.layout, w.fake.mem, &lookup), 0);
	assert_int_equal(lookup_type(lookup, TYPE + 0x800, name, &heap), -ENOENT);
	assert_int_equal(lookup_type(lookup, 0x7fff00000000, name, &heap), -ENOENT);
	assert_int_equal(lookup_type(lookup, 0, name, &heap), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_type_has_its_name, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_type_is_not_there, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
