/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "model/merge.h"
#include "sample_picture.h"

static struct picture *merge(const struct picture *a, const struct picture *b)
{
	const struct picture *const list[] = { a, b };
	struct picture *sum = NULL;

	assert_int_equal(merge_pictures(list, b ? 2 : 1, &sum), 0);
	return sum;
}

static void sums(void **state)
{
	struct picture *a = sample_picture(), *b = sample_picture(), *sum;
	const struct picture_type *foo;

	b->types[0].inuse_objects = 50;
	sum = merge(a, b);
	assert_int_equal(sum->types_count, 2);
	foo = picture_find_type(sum, "app.Foo");
	assert_int_equal(foo->inuse_objects, 150);
	assert_int_equal(foo->inuse_bytes, 22400);
	assert_int_equal(foo->address, 0);
	assert_int_equal(foo->shared_keys->used, 2);
	assert_string_equal(foo->shared_keys->names[1], "b");
	assert_int_equal(foo->shared_keys->bytes, 288);
	assert_int_equal(sum->memory.rss_bytes, 100 << 20);
	assert_int_equal(sum->memory.size_classes_count, 1);
	assert_int_equal(sum->memory.size_classes[0].inuse_blocks, 200);
	assert_int_equal(sum->dicts_by_owner[0].count, 20);
	assert_int_equal(sum->events.records, 24690);
	assert_true(sum->events.overhead_estimated == 0.004);
	assert_int_equal(sum->advice_count, 1);
	assert_int_equal(sum->advice[0].saves_bytes, 9600);
	picture_free(a);
	picture_free(b);
	assert_string_equal(sum->process.cmdline, "python3 app.py"); /* its own copy */
	picture_free(sum);
}

static void unknown_stays_unknown(void **state)
{
	struct picture *a = sample_picture(), *b = sample_picture(), *sum;

	b->memory.rss_bytes = PICTURE_UNKNOWN;
	sum = merge(a, b);
	assert_int_equal(sum->memory.rss_bytes, PICTURE_UNKNOWN);
	assert_int_equal(sum->memory.malloc_other_bytes, PICTURE_UNKNOWN);
	assert_true(isnan(picture_find_type(sum, "app.Foo")->alloc_objects_per_second));
	assert_int_equal(picture_find_type(sum, "app.Foo")->capacity_owned, PICTURE_UNKNOWN);
	picture_free(sum);
	picture_free(a);
	picture_free(b);
}

static void errors_add_as_squares(void **state)
{
	struct picture *a = sample_picture(), *b = sample_picture(), *sum = merge(a, b);
	const struct picture_type *dict = picture_find_type(sum, "dict");

	assert_true(dict->alloc_objects_per_second == 2469);
	assert_true(fabs(dict->rate_error - 0.125 / sqrt(2)) < 1e-9);
	picture_free(sum);
	picture_free(a);
	picture_free(b);
}

static void types_of_one_only(void **state)
{
	struct picture *a = sample_picture(), *b = sample_picture(), *sum;

	free(b->types[0].name);
	b->types[0].name = strdup("app.Bar");
	picture_add_partial(b, "torn");
	b->process.pid = 17;
	sum = merge(a, b);
	assert_int_equal(sum->types_count, 3);
	assert_int_equal(picture_find_type(sum, "app.Bar")->inuse_bytes, 11200);
	assert_int_equal(sum->partial_reasons_count, 1);
	assert_string_equal(sum->partial_reasons[0], "pid 17: torn");
	picture_free(sum);
	sum = merge(a, NULL);
	assert_int_equal(sum->types_count, 2);
	picture_free(sum);
	picture_free(a);
	picture_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums),
		cmocka_unit_test(unknown_stays_unknown),
		cmocka_unit_test(errors_add_as_squares),
		cmocka_unit_test(types_of_one_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
