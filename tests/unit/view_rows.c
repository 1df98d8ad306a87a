/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/util.h"
#include "sample_picture.h"
#include "view/rows.h"

/* Types "a", "b" ... with these bytes, and their rank as objects reversed. */
static struct picture *make(const int64_t *bytes, size_t count)
{
	struct picture *pic = picture_new();

	pic->types = calloc(count, sizeof(*pic->types));
	pic->types_count = count;
	for (size_t i = 0; i < count; i++) {
		const char name[] = { (char)('a' + i), '\0' };

		sample_type(&pic->types[i], name, (int64_t)(count - i), bytes[i]);
	}
	return pic;
}

static void assert_order(const struct picture *pic, const struct rows_options *opts,
			 const char *expected)
{
	_cleanup_rows_ struct rows rows = { 0 };
	char names[32] = "";

	assert_int_equal(rows_init(&rows, pic, opts), 0);
	for (size_t i = 0; i < rows.count; i++)
		strcat(names, rows.list[i]->name);
	assert_string_equal(names, expected);
}

static const int64_t bytes[] = { 10, 30, 20, PICTURE_UNKNOWN, 30 };

static void bytes_by_default(void **state)
{
	_cleanup_picture_ struct picture *pic = make(bytes, ARRAY_SIZE(bytes));

	assert_order(pic, &(struct rows_options){ 0 }, "becad");
}

static void unknown_comes_last_also_reversed(void **state)
{
	_cleanup_picture_ struct picture *pic = make(bytes, ARRAY_SIZE(bytes));

	assert_order(pic, &(struct rows_options){ .reverse = true }, "acbed");
}

static void every_key_sorts(void **state)
{
	_cleanup_picture_ struct picture *pic = make(bytes, ARRAY_SIZE(bytes));

	pic->types[2].sizeof_bytes = 1000;
	pic->types[3].delta_bytes = 5;
	pic->types[0].delta_objects = 7;
	pic->types[1].delta_objects = -7;
	pic->types[4].alloc_objects_per_second = 0.5;
	pic->types[3].free_objects_per_second = 1;
	assert_order(pic, &(struct rows_options){ .sort = rows_find_key("name") }, "abcde");
	assert_order(pic, &(struct rows_options){ .sort = rows_find_key("objects") }, "abcde");
	assert_order(pic, &(struct rows_options){ .sort = rows_find_key("sizeof"), .limit = 1 },
		     "c");
	assert_order(pic, &(struct rows_options){ .sort = rows_find_key("delta") }, "dabce");
	assert_order(pic, &(struct rows_options){ .sort = rows_find_key("delta-objects") },
		     "abcde");
	assert_order(pic, &(struct rows_options){ .sort = rows_find_key("alloc"), .limit = 1 },
		     "e");
	assert_order(pic, &(struct rows_options){ .sort = rows_find_key("free"), .limit = 1 }, "d");
}

static void keys_are_those_that_help_lists(void **state)
{
	_cleanup_free_ char *names = strdup(rows_key_names());
	size_t count = 0;

	for (char *name = strtok(names, ", "); name; name = strtok(NULL, ", "), count++)
		assert_non_null(rows_find_key(name));
	assert_int_equal(count, 8);
	assert_null(rows_find_key("nonsense"));
	assert_null(rows_find_key(""));
}

static void filter_takes_names(void **state)
{
	_cleanup_picture_ struct picture *pic = make(bytes, ARRAY_SIZE(bytes));
	regex_t filter;

	assert_int_equal(regcomp(&filter, "^[ab]$", REG_EXTENDED | REG_NOSUB), 0);
	assert_order(pic, &(struct rows_options){ .filter = &filter }, "ba");
	regfree(&filter);
}

static void limit_counts_the_rest(void **state)
{
	const int64_t known[] = { 10, 30, 20 };
	_cleanup_picture_ struct picture *pic = make(known, ARRAY_SIZE(known));
	_cleanup_rows_ struct rows rows = { 0 };

	assert_int_equal(rows_init(&rows, pic, &(struct rows_options){ .limit = 1 }), 0);
	assert_int_equal(rows.count, 1);
	assert_int_equal(rows.rest_count, 2);
	assert_int_equal(rows.rest_bytes, 30);
	assert_int_equal(rows.rest_objects, 4);
}

static void unknown_makes_the_rest_unknown(void **state)
{
	_cleanup_picture_ struct picture *pic = make(bytes, ARRAY_SIZE(bytes));
	_cleanup_rows_ struct rows rows = { 0 };

	assert_int_equal(rows_init(&rows, pic, &(struct rows_options){ .limit = 1 }), 0);
	assert_true(rows.rest_bytes == PICTURE_UNKNOWN);
}

static void no_types(void **state)
{
	_cleanup_picture_ struct picture *pic = picture_new();

	assert_order(pic, &(struct rows_options){ .limit = 3 }, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_by_default),
		cmocka_unit_test(unknown_comes_last_also_reversed),
		cmocka_unit_test(every_key_sorts),
		cmocka_unit_test(keys_are_those_that_help_lists),
		cmocka_unit_test(filter_takes_names),
		cmocka_unit_test(limit_counts_the_rest),
		cmocka_unit_test(unknown_makes_the_rest_unknown),
		cmocka_unit_test(no_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
