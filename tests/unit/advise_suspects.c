/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "advise/suspects.h"
#include "sample_picture.h"

/* A snapshot each second: a leak, something that fluctuates, a cache that is full after a while. */
static void feed(struct suspects *s, int seconds, int full)
{
	for (int i = 0; i < seconds; i++) {
		_cleanup_picture_ struct picture *pic = picture_new();

		pic->taken_at_unix_ns = (uint64_t)(1000 + i) * 1000000000;
		pic->memory.rss_bytes = (100 << 20) + i * (1 << 20);
		pic->types = calloc(4, sizeof(*pic->types));
		pic->types_count = 4;
		sample_type(&pic->types[0], "str", 1000 + 10 * i, 1000000 + 20000 * i);
		sample_type(&pic->types[1], "app.Leak", 10 * i, 10000 * i);
		sample_type(&pic->types[2], "app.Busy", 50 + i % 7, 500000 + 9000 * (i % 7));
		sample_type(&pic->types[3], "app.Cache", 5, 5000 * (i < full ? i : full));
		pic->types[1].heap = pic->types[2].heap = pic->types[3].heap = true;
		assert_int_equal(suspects_add(s, pic), 0);
	}
}

static void a_leak_is_found(void **state)
{
	_cleanup_suspects_ struct suspects *s = suspects_new();
	struct suspects_list list;

	feed(s, 60, 50);
	assert_int_equal(suspects_find(s, 200 << 20, &list), 0);
	assert_int_equal(list.intervals, 59);
	assert_int_equal(list.count, 2);
	/* The class comes before what its instances hold. */
	assert_string_equal(list.rows[0].type, "app.Leak");
	assert_string_equal(list.rows[1].type, "str");
	assert_true(fabs(list.rows[0].bytes_per_second - 10000) < 1);
	assert_true(fabs(list.rows[0].objects_per_second - 10) < 0.01);
	assert_int_equal(list.rows[0].grown_bytes, 590000);
	assert_true(fabs(list.rows[0].seconds_to_ceiling - (41.0 * (1 << 20)) / 10000) < 10);
	suspects_list_fini(&list);
	assert_int_equal(suspects_find(s, 0, &list), 0);
	assert_true(isnan(list.rows[0].seconds_to_ceiling));
	suspects_list_fini(&list);
}

static void a_full_cache_is_none(void **state)
{
	_cleanup_suspects_ struct suspects *s = suspects_new();
	struct suspects_list list;

	feed(s, 60, 20);
	assert_int_equal(suspects_find(s, 0, &list), 0);
	for (size_t i = 0; i < list.count; i++)
		assert_string_not_equal(list.rows[i].type, "app.Cache");
	suspects_list_fini(&list);
}

static void too_few_intervals_say_nothing(void **state)
{
	_cleanup_suspects_ struct suspects *s = suspects_new();
	struct suspects_list list;

	assert_int_equal(suspects_find(s, 0, &list), 0);
	assert_int_equal(list.count, 0);
	suspects_list_fini(&list);
	feed(s, 5, 5);
	assert_int_equal(suspects_find(s, 0, &list), 0);
	assert_int_equal(list.count, 0);
	suspects_list_fini(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_leak_is_found),
		cmocka_unit_test(a_full_cache_is_none),
		cmocka_unit_test(too_few_intervals_say_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
