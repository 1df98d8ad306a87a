/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "daemon/export.h"
#include "daemon/fold.h"
#include "sample_picture.h"

static struct picture *five(void)
{
	struct picture *pic = picture_new();

	pic->types = calloc(5, sizeof(*pic->types));
	pic->types_count = 5;
	for (size_t i = 0; i < 5; i++)
		sample_type(&pic->types[i], "t", 10, 100 - 10 * (int64_t)i);
	return pic;
}

static void sums_up(void **state)
{
	struct picture *pic = five();
	const struct picture_type *other;
	int64_t bytes = 0;

	assert_int_equal(fold_picture(pic, 2), 0);
	assert_int_equal(pic->types_count, 3);
	other = picture_find_type(pic, EXPORT_OTHER);
	assert_non_null(other);
	assert_int_equal(other->inuse_objects, 30);
	assert_int_equal(other->inuse_bytes, 80 + 70 + 60);
	assert_int_equal(other->parts[PICTURE_PART_OBJECT], other->inuse_bytes);
	assert_int_equal(other->storage[PICTURE_STORAGE_NONE], 30);
	for (size_t i = 0; i < pic->types_count; i++)
		bytes += pic->types[i].inuse_bytes;
	assert_int_equal(bytes, 100 + 90 + 80 + 70 + 60);
	assert_ptr_equal(other,
			 &pic->types[0]); /* the largest by now: it stands where its size puts it */
	assert_int_equal(pic->partial_reasons_count, 1);
	picture_free(pic);
}

static void leaves_alone(void **state)
{
	struct picture *pic = five();

	assert_int_equal(fold_picture(pic, 5), 0);
	assert_int_equal(fold_picture(pic, 4), 0); /* one row for one row gains nothing */
	assert_int_equal(pic->types_count, 5);
	assert_int_equal(pic->partial_reasons_count, 0);
	picture_free(pic);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_up),
		cmocka_unit_test(leaves_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
