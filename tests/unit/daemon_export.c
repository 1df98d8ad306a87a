/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <stdio.h>

#include "daemon/export.h"
#include "sample_picture.h"

/* @count types "t0", "t1" ... of @base + 10 bytes each less than the one before, allocating @rate
 * bytes a second. */
static struct picture *many(size_t count, int64_t base, double rate)
{
	struct picture *pic = picture_new();

	pic->types = calloc(count, sizeof(*pic->types));
	pic->types_count = count;
	for (size_t i = 0; i < count; i++) {
		char name[16];

		snprintf(name, sizeof(name), "t%zu", i);
		sample_type(&pic->types[i], name, 1, base - 10 * (int64_t)i);
		pic->types[i].alloc_bytes_per_second = rate;
		pic->types[i].free_bytes_per_second = rate / 2;
	}
	return pic;
}

static const struct openmetrics_row *find(const struct export *export, const char *name)
{
	size_t count;
	const struct openmetrics_row *rows = export_rows(export, &count);

	for (size_t i = 0; i < count; i++) {
		if (!strcmp(rows[i].name, name))
			return &rows[i];
	}
	return NULL;
}

static void largest_and_other(void **state)
{
	struct export *export = export_new(3);
	struct picture *pic = many(10, 1000, 100);
	size_t count;

	assert_int_equal(export_update(export, pic, 2), 0);
	export_rows(export, &count);
	assert_int_equal(count, 4);
	assert_int_equal(find(export, "t0")->inuse_bytes, 1000);
	assert_true(find(export, "t2")->alloc_bytes == 200);
	assert_true(find(export, "t2")->freed_bytes == 100);
	assert_null(find(export, "t3"));
	assert_int_equal(find(export, EXPORT_OTHER)->inuse_objects, 7);
	assert_int_equal(find(export, EXPORT_OTHER)->inuse_bytes,
			 970 + 960 + 950 + 940 + 930 + 920 + 910);
	assert_true(find(export, EXPORT_OTHER)->alloc_bytes == 7 * 200);
	picture_free(pic);
	export_free(export);
}

static void same_names_are_one(void **state)
{
	struct export *export = export_new(5);
	struct picture *pic = many(3, 1000, NAN);
	size_t count;

	for (size_t i = 0; i < 2; i++) {
		free(pic->types[i].name);
		pic->types[i].name = strdup("same");
	}
	free(pic->types[2].name);
	pic->types[2].name = strdup(EXPORT_OTHER);
	assert_int_equal(export_update(export, pic, 1), 0);
	export_rows(export, &count);
	assert_int_equal(count, 2);
	assert_int_equal(find(export, "same")->inuse_bytes, 1990);
	assert_int_equal(find(export, EXPORT_OTHER)->inuse_bytes, 980);
	assert_true(isnan(find(export, "same")->alloc_bytes));
	picture_free(pic);
	export_free(export);
}

/* A type that leaves the rows and comes back goes on where it was; what it allocated meanwhile is
 * "(other)"'s. */
static void counters_only_grow(void **state)
{
	struct export *export = export_new(1);
	struct picture *pic = many(2, 1000, 100);

	assert_int_equal(export_update(export, pic, 1), 0);
	pic->types[1].inuse_bytes = 5000;
	assert_int_equal(export_update(export, pic, 1), 0);
	assert_null(find(export, "t0"));
	assert_true(find(export, "t1")->alloc_bytes == 100);
	assert_true(find(export, EXPORT_OTHER)->alloc_bytes == 200);
	pic->types[1].inuse_bytes = 1;
	assert_int_equal(export_update(export, pic, 1), 0);
	assert_true(find(export, "t0")->alloc_bytes == 200);
	assert_true(find(export, EXPORT_OTHER)->alloc_bytes == 300);
	picture_free(pic);
	export_free(export);
}

static void other_stays(void **state)
{
	struct export *export = export_new(1);
	struct picture *two = many(2, 1000, 100), *one = many(1, 1000, 100);

	assert_int_equal(export_update(export, two, 1), 0);
	assert_int_equal(export_update(export, one, 1), 0);
	assert_non_null(find(export, EXPORT_OTHER));
	assert_true(find(export, EXPORT_OTHER)->alloc_bytes == 100);
	picture_free(one);
	picture_free(two);
	export_free(export);
}

/* New names each time: what is kept of the old ones is bounded, which LeakSanitizer and the soak
 * see too. */
static void churn(void **state)
{
	struct export *export = export_new(10);
	size_t count;

	for (int round = 0; round < 200; round++) {
		struct picture *pic = many(50, 1000, 1);

		for (size_t i = 0; i < 50; i++) {
			free(pic->types[i].name);
			assert_true(asprintf(&pic->types[i].name, "r%d.%zu", round, i) > 0);
		}
		assert_int_equal(export_update(export, pic, 1), 0);
		export_rows(export, &count);
		assert_int_equal(count, 11);
		picture_free(pic);
	}
	export_free(export);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(largest_and_other),
		cmocka_unit_test(same_names_are_one),
		cmocka_unit_test(counters_only_grow),
		cmocka_unit_test(other_stays),
		cmocka_unit_test(churn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
