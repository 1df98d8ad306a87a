/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "advise/advise.h"
#include "sample_class.h"

static void largest_gain_first(void **state)
{
	_cleanup_picture_ struct picture *pic = sample_class();

	pic->duplicates.bytes = 50 << 20;
	pic->duplicates.copies = 1 << 20;
	pic->duplicates.sampling = 1;
	for (int i = 0; i < 2; i++) { /* again: what was there before is replaced */
		assert_int_equal(advise_picture(pic, &(struct advise_options){ 0 }), 0);
		assert_int_equal(pic->advice_count, 2);
		assert_string_equal(pic->advice[0].kind, "duplicate_strings");
		assert_string_equal(pic->advice[1].kind, "slots");
	}
}

static void small_gains_only_when_asked(void **state)
{
	_cleanup_picture_ struct picture *pic = sample_class();

	pic->memory.python_inuse_bytes = (int64_t)4 << 30;
	advise_picture(pic, &(struct advise_options){ 0 });
	assert_int_equal(pic->advice_count, 0);
	advise_picture(pic, &(struct advise_options){ .all = true });
	assert_int_equal(pic->advice_count, 1);
}

static void what_was_read_back_keeps_its_advice(void **state)
{
	_cleanup_picture_ struct picture *pic = sample_class();

	advise_picture(pic, &(struct advise_options){ 0 });
	pic->has_facts = false;
	pic->types[0].facts->weakrefs = 1;
	advise_picture(pic, &(struct advise_options){ 0 });
	assert_int_equal(pic->advice_count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(largest_gain_first),
		cmocka_unit_test(small_gains_only_when_asked),
		cmocka_unit_test(what_was_read_back_keeps_its_advice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
