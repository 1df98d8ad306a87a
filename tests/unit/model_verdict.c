/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/util.h"
#include "model/verdict.h"

static struct picture *make(int64_t live, int64_t fragmented, int64_t native, int64_t held,
			    int64_t files)
{
	struct picture *pic = picture_new();

	pic->memory.rss_bytes = live + fragmented + native + held + files;
	pic->memory.resident_python_live_bytes = live;
	pic->memory.resident_python_free_bytes = fragmented;
	pic->memory.resident_native_live_bytes = native;
	pic->memory.resident_malloc_free_bytes = held;
	pic->memory.mapped_file_bytes = files;
	pic->memory.stack_bytes = pic->memory.other_bytes = 0;
	return pic;
}

static void assert_kind(struct picture *pic, const char *kind)
{
	assert_int_equal(verdict_add(pic), 0);
	assert_string_equal(pic->memory.verdict_kind, kind);
	assert_true(strlen(pic->memory.verdict) > 20);
	picture_free(pic);
}

static void names_the_largest_part(void **state)
{
	assert_kind(make(1000, 10, 10, 10, 10), "live");
	assert_kind(make(10, 1000, 10, 10, 10), "fragmentation");
	assert_kind(make(10, 10, 1000, 10, 10), "native");
	assert_kind(make(10, 10, 10, 1000, 10), "held");
	assert_kind(make(10, 10, 10, 10, 1000), "mappings");
}

static void says_what_forks_share(void **state)
{
	struct picture *pic = make(1000, 10, 10, 10, 500);

	pic->memory.private_bytes = 1000; /* of 1530, 500 in files */
	assert_int_equal(verdict_add(pic), 0);
	assert_null(strstr(pic->memory.verdict, "shared"));
	pic->memory.private_bytes = 400;
	assert_int_equal(verdict_add(pic), 0);
	assert_non_null(strstr(pic->memory.verdict, "; 630 B of the RSS (41%) are shared with"));
	picture_free(pic);
}

static void unknown_parts_get_no_verdict(void **state)
{
	_cleanup_picture_ struct picture *pic = picture_new();

	pic->memory.rss_bytes = 1000;
	assert_int_equal(verdict_add(pic), 0);
	assert_null(pic->memory.verdict);
}

static void fragmentation_names_the_size_class(void **state)
{
	struct picture *pic = make(1, 1 << 20, 0, 0, 0);

	pic->memory.size_classes = calloc(2, sizeof(*pic->memory.size_classes));
	pic->memory.size_classes_count = 2;
	pic->memory.size_classes[0] = (struct picture_size_class){ 32, 1, 500, 10 };
	pic->memory.size_classes[1] = (struct picture_size_class){ 64, 60, 300, 15000 };
	assert_int_equal(verdict_add(pic), 0);
	assert_non_null(strstr(pic->memory.verdict, "64-byte blocks"));
	assert_non_null(strstr(pic->memory.verdict, "60 pools"));
	picture_free(pic);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_the_largest_part),
		cmocka_unit_test(says_what_forks_share),
		cmocka_unit_test(unknown_parts_get_no_verdict),
		cmocka_unit_test(fragmentation_names_the_size_class),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
