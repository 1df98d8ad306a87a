/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "model/diff.h"
#include "sample_picture.h"

static struct picture *with(const char *const *names, const int64_t *bytes, size_t count)
{
	struct picture *pic = picture_new();

	pic->types = calloc(count + 1, sizeof(*pic->types));
	for (size_t i = 0; i < count; i++)
		sample_type(&pic->types[pic->types_count++], names[i], bytes[i] / 10, bytes[i]);
	return pic;
}

static void growth_comes_first(void **state)
{
	const char *const names_a[] = { "a", "b", "gone", "same" }, *const names_b[] = {
		"b", "same", "a", "new"
	};
	_cleanup_picture_ struct picture *a = with(names_a, (int64_t[]){ 100, 500, 70, 40 }, 4);
	_cleanup_picture_ struct picture *b = with(names_b, (int64_t[]){ 400, 40, 900, 200 }, 4);
	_cleanup_diff_ struct diff *d = NULL;

	assert_int_equal(diff_new(a, b, &d), 0);
	assert_int_equal(d->types_count, 4);
	assert_string_equal(d->types[0].name, "a");
	assert_int_equal(d->types[0].delta_bytes, 800);
	assert_int_equal(d->types[0].objects[0], 10);
	assert_int_equal(d->types[0].objects[1], 90);
	assert_string_equal(d->types[1].name, "new");
	assert_true(d->types[1].is_new && !d->types[1].is_gone);
	assert_string_equal(d->types[2].name, "gone");
	assert_true(d->types[2].is_gone && !d->types[2].is_new);
	assert_string_equal(d->types[3].name, "b");
	assert_int_equal(d->delta_bytes, 800 + 200 - 70 - 100);
	assert_int_equal(diff_growth_of(d, "newer", 3), 200);
	assert_int_equal(diff_growth_of(d, "same", 4), 0);
}

static void classes_of_one_name_are_one_row(void **state)
{
	const char *const names[] = { "app.A", "app.A" };
	_cleanup_picture_ struct picture *a = with(names, (int64_t[]){ 10, 20 }, 2);
	_cleanup_picture_ struct picture *b = with(names, (int64_t[]){ 100, 200 }, 2);
	_cleanup_diff_ struct diff *d = NULL;

	assert_int_equal(diff_new(a, b, &d), 0);
	assert_int_equal(d->types_count, 1);
	assert_int_equal(d->types[0].bytes[0], 30);
	assert_int_equal(d->types[0].bytes[1], 300);
	assert_false(d->types[0].is_new || d->types[0].is_gone);
}

static void hostile_numbers_do_not_overflow(void **state)
{
	const char *const names[] = { "a", "a" };
	_cleanup_picture_ struct picture *a = with(names, (int64_t[]){ INT64_MAX, INT64_MAX }, 2);
	_cleanup_picture_ struct picture *b = with(names, (int64_t[]){ PICTURE_UNKNOWN, 0 }, 2);
	_cleanup_diff_ struct diff *d = NULL;

	assert_int_equal(diff_new(a, b, &d), 0);
	assert_int_equal(d->types_count, 1);
	assert_true(d->types[0].delta_bytes == -INT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(growth_comes_first),
		cmocka_unit_test(classes_of_one_name_are_one_row),
		cmocka_unit_test(hostile_numbers_do_not_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
