/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "model/compose.h"

#include <string.h>

static void facts_are_copied(void **state)
{
	_cleanup_picture_ struct picture *pic = picture_new();
	const struct tally_facts counts = {
		.carriers = 10, .attributes = 30, .attributes_max = 3, .weakrefs = 1
	};
	struct facts from = { .slots_bytes = 64,
			      .shared_bytes = 96,
			      .dataclass = true,
			      .names = 4,
			      .late_count = 1 };

	from.late[0] = strdup("z");
	from.bases = strdup("app.Base");
	pic->types = calloc(1, sizeof(*pic->types));
	pic->types_count = 1;
	assert_int_equal(compose_facts(&pic->types[0], &from, &counts), 0);
	facts_fini(&from);
	assert_int_equal(pic->types[0].facts->carriers, 10);
	assert_int_equal(pic->types[0].facts->weakrefs, 1);
	assert_int_equal(pic->types[0].facts->slots_bytes, 64);
	assert_true(pic->types[0].facts->dataclass);
	assert_string_equal(pic->types[0].facts->late[0], "z");
	assert_string_equal(pic->types[0].facts->bases, "app.Base");
}

static void duplicates_are_unknown_unless_asked_for(void **state)
{
	_cleanup_picture_ struct picture *pic = picture_new();
	struct heap_duplicates none = { 0 },
			       some = { .known = true, .copies = 5, .bytes = 320, .sampling = 2 };

	assert_int_equal(compose_duplicates(pic, &none), 0);
	assert_true(pic->duplicates.bytes == PICTURE_UNKNOWN);
	some.values[0].text = strdup("text");
	some.values_count = 1;
	assert_int_equal(compose_duplicates(pic, &some), 0);
	assert_int_equal(pic->duplicates.bytes, 320);
	assert_int_equal(pic->duplicates.sampling, 2);
	assert_string_equal(pic->duplicates.values[0].text, "text");
	free(some.values[0].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(facts_are_copied),
		cmocka_unit_test(duplicates_are_unknown_unless_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
