/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "model/history.h"
#include "sample_picture.h"

#define SECOND 1000000000ull
#define BASE (5000 * SECOND)

/* One picture with one type of @bytes. */
static void add(struct history *history, unsigned int second, int64_t bytes)
{
	struct picture *pic = picture_new();

	pic->types = calloc(1, sizeof(*pic->types));
	if (bytes >= 0) {
		pic->types_count = 1;
		sample_type(&pic->types[0], "app.Foo", 1, bytes);
	}
	assert_int_equal(history_add(history, pic, BASE + second * SECOND), 0);
	picture_free(pic);
}

static double growth(const struct history *history)
{
	const struct picture_type type = { .name = (char *)"app.Foo" };

	return history_growth(history, &type).per_second;
}

static void series(void **state)
{
	const struct picture_type type = { .name = (char *)"app.Foo" },
				  other = { .name = (char *)"app.Bar" };
	struct history_series s;
	struct history *history;

	assert_int_equal(history_new(&history), 0);
	assert_false(history_series(history, &type, BASE, &s));
	add(history, 0, 10);
	add(history, 2, 30);
	assert_true(history_series(history, &type, BASE + 9 * SECOND, &s));
	assert_int_equal(s.count, 3);
	assert_int_equal(s.bytes[0], 10);
	assert_int_equal(s.bytes[1], 10); /* the older picture's, until the next */
	assert_int_equal(s.bytes[2], 30);
	assert_true(history_series(history, &type, BASE, &s));
	assert_int_equal(s.count, 1); /* as it was then */
	assert_false(history_series(history, &other, BASE, &s));
	history_free(history);
}

static void missing_is_nothing(void **state)
{
	const struct picture_type type = { .name = (char *)"app.Foo" };
	struct history_series s;
	struct history *history;

	assert_int_equal(history_new(&history), 0);
	add(history, 0, 10);
	add(history, 1, -1);
	add(history, 2, 20);
	assert_true(history_series(history, &type, BASE + 2 * SECOND, &s));
	assert_int_equal(s.count, 3);
	assert_int_equal(s.bytes[1], 0);
	assert_int_equal(s.bytes[2], 20);
	history_free(history);
}

static void is_bounded_in_time(void **state)
{
	const struct picture_type type = { .name = (char *)"app.Foo" };
	struct history_series s;
	struct history *history;

	assert_int_equal(history_new(&history), 0);
	for (unsigned int i = 0; i < 3 * HISTORY_SECONDS; i++)
		add(history, i, i);
	assert_true(history_series(history, &type, BASE + 1000 * SECOND, &s));
	assert_int_equal(s.count, HISTORY_SECONDS);
	assert_int_equal(s.bytes[0], 2 * HISTORY_SECONDS);
	assert_int_equal(s.bytes[HISTORY_SECONDS - 1], 3 * HISTORY_SECONDS - 1);
	/* A gap that is longer than all that is kept. */
	add(history, 10 * HISTORY_SECONDS, 7);
	assert_true(history_series(history, &type, BASE + 100000 * SECOND, &s));
	assert_int_equal(s.bytes[s.count - 1], 7);
	history_free(history);
}

static void is_bounded_in_types(void **state)
{
	struct picture *pic = picture_new();
	struct history *history;
	struct history_series s;
	char name[32];

	pic->types_count = HISTORY_TYPES_MAX + 100;
	pic->types = calloc(pic->types_count, sizeof(*pic->types));
	for (size_t i = 0; i < pic->types_count; i++) {
		snprintf(name, sizeof(name), "T%zu", i);
		sample_type(&pic->types[i], name, 1, 1);
	}
	assert_int_equal(history_new(&history), 0);
	assert_int_equal(history_add(history, pic, BASE), 0);
	assert_true(history_series(history, &pic->types[HISTORY_TYPES_MAX - 1], BASE, &s));
	assert_false(history_series(history, &pic->types[HISTORY_TYPES_MAX], BASE, &s));
	history_free(history);
	picture_free(pic);
}

static void growing(void **state)
{
	struct history *history;

	assert_int_equal(history_new(&history), 0);
	add(history, 0, 1 << 20);
	add(history, 2, (1 << 20) + 100000);
	assert_true(growth(history) == 0); /* once is not a trend */
	add(history, 4, (1 << 20) + 200000);
	assert_true(growth(history) == 50000);
	/* It has stopped. */
	for (unsigned int i = 0; i < 20; i++)
		add(history, 6 + i, (1 << 20) + 200000);
	assert_true(growth(history) == 0);
	history_free(history);
}

static void not_growing(void **state)
{
	static const int64_t comes_and_goes[] = { 100, 900, 200, 950, 150, 1000, 300, 1100 };
	struct history *history;

	assert_int_equal(history_new(&history), 0);
	for (unsigned int i = 0; i < 8; i++)
		add(history, i, comes_and_goes[i] * 1000);
	assert_true(growth(history) == 0);
	history_free(history);

	assert_int_equal(history_new(&history), 0);
	for (unsigned int i = 0; i < 8; i++)
		add(history, i, 1000000 + 100 * i);
	assert_true(growth(history) == 0); /* too little to matter */
	history_free(history);
}

static struct history_growth growth_of(const int64_t *bytes, size_t count, bool heap)
{
	const struct picture_type type = { .name = (char *)"app.Foo", .heap = heap };
	struct history_growth growth;
	struct history *history;

	assert_int_equal(history_new(&history), 0);
	for (unsigned int i = 0; i < count; i++)
		add(history, 2 * i, bytes[i]);
	growth = history_growth(history, &type);
	history_free(history);
	return growth;
}

static void a_class_that_never_shrinks_needs_less(void **state)
{
	static const int64_t little[] = { 10000, 11000, 12000 },
			     shrunk[] = { 10000, 12000, 11900, 13000 };

	assert_true(growth_of(little, 3, true).per_second == 500);
	assert_true(growth_of(little, 3, false).per_second == 0);
	assert_true(growth_of(shrunk, 4, true).per_second == 0);
}

/* Both rose by as much. */
static void what_grows_evenly_is_surer(void **state)
{
	static const int64_t even[] = { 0, 50000, 100000, 150000 },
			     odd[] = { 0, 5000, 140000, 150000 };
	struct history_growth sure = growth_of(even, 4, true), unsure = growth_of(odd, 4, true);

	assert_true(sure.per_second == 25000 && unsure.per_second == 25000);
	assert_true(sure.sure == 25000);
	assert_true(unsure.sure < 5000);
}

static void waves_that_rise(void **state)
{
	enum { COUNT = 40 };
	int64_t rising[COUNT], level[COUNT];

	for (int i = 0; i < COUNT; i++) {
		level[i] = 100000 + 500000 * (i * 7 % 5);
		rising[i] = level[i] + 10000 * i;
	}
	assert_true(growth_of(level, COUNT, false).per_second == 0);
	assert_true(growth_of(rising, COUNT / 4, false).per_second == 0); /* too early to tell */
	assert_true(growth_of(rising, COUNT, false).per_second > 4000);
	assert_true(growth_of(rising, COUNT, false).per_second < 6000);
}

static void growth_counts_from_the_mark(void **state)
{
	struct history *history;

	assert_int_equal(history_new(&history), 0);
	for (unsigned int i = 0; i < 5; i++)
		add(history, i, 1000000 * (i + 1));
	assert_true(growth(history) > 0);
	history_mark(history, BASE + 4 * SECOND);
	assert_true(growth(history) == 0);
	add(history, 5, 5100000);
	add(history, 6, 5200000);
	assert_true(growth(history) == 100000);
	history_free(history);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(series),
		cmocka_unit_test(missing_is_nothing),
		cmocka_unit_test(is_bounded_in_time),
		cmocka_unit_test(is_bounded_in_types),
		cmocka_unit_test(growing),
		cmocka_unit_test(not_growing),
		cmocka_unit_test(a_class_that_never_shrinks_needs_less),
		cmocka_unit_test(what_grows_evenly_is_surer),
		cmocka_unit_test(waves_that_rise),
		cmocka_unit_test(growth_counts_from_the_mark),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
