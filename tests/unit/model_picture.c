/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/util.h"
#include "sample_picture.h"

/* A picture with only these types; ends with a NULL name. */
struct given {
	const char *name;
	uint64_t address;
	int64_t objects, bytes;
};

static struct picture *make(const struct given *list)
{
	struct picture *pic = picture_new();

	assert_non_null(pic);
	for (; list->name; list++) {
		struct picture_type *type;

		pic->types = realloc(pic->types, (pic->types_count + 1) * sizeof(*pic->types));
		type = &pic->types[pic->types_count++];
		sample_type(type, list->name, list->objects, list->bytes);
		type->address = list->address;
	}
	return pic;
}

static void new_knows_nothing(void **state)
{
	_cleanup_picture_ struct picture *pic = picture_new();

	assert_true(pic->memory.rss_bytes == PICTURE_UNKNOWN);
	assert_true(pic->memory.other_bytes == PICTURE_UNKNOWN);
	assert_true(pic->dicts_by_owner[PICTURE_OWNER_PLAIN].owned == PICTURE_UNKNOWN);
	assert_true(pic->unattributed_bytes == PICTURE_UNKNOWN);
	assert_true(pic->events.lost == PICTURE_UNKNOWN);
	assert_true(isnan(pic->census.attributed_ratio));
	assert_true(isnan(pic->events.coverage));
	assert_string_equal(pic->events.mode, "off");
	assert_null(pic->process.allocator);
}

static void free_takes_null(void **state)
{
	picture_free(NULL);
}

static void partial_reasons_are_kept_once(void **state)
{
	_cleanup_picture_ struct picture *pic = picture_new();

	assert_int_equal(picture_add_partial(pic, "%d pools", 3), 0);
	assert_int_equal(picture_add_partial(pic, "%s", "other"), 0);
	assert_int_equal(picture_add_partial(pic, "3 pools"), 0);
	assert_int_equal(pic->partial_reasons_count, 2);
	assert_string_equal(pic->partial_reasons[0], "3 pools");
	assert_string_equal(pic->partial_reasons[1], "other");
}

static void types_sort_by_bytes_then_name(void **state)
{
	const struct given list[] = { { "b", 1, 1, 10 },
				      { "a", 2, 1, 10 },
				      { "z", 3, 1, 99 },
				      { "a", 1, 1, 10 },
				      { "u", 1, 1, PICTURE_UNKNOWN },
				      { NULL, 0, 0, 0 } };
	static const char *const expected[] = { "z", "a", "a", "b", "u" };
	_cleanup_picture_ struct picture *pic = make(list);

	picture_sort_types(pic);
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		assert_string_equal(pic->types[i].name, expected[i]);
	assert_int_equal(pic->types[1].address, 1);
}

static void baseline_gives_deltas(void **state)
{
	const struct given before[] = { { "grew", 1, 10, 100 },
					{ "gone", 2, 5, 50 },
					{ NULL, 0, 0, 0 } };
	const struct given after[] = { { "new", 3, 2, 20 },
				       { "grew", 1, 13, 170 },
				       { NULL, 0, 0, 0 } };
	_cleanup_picture_ struct picture *baseline = make(before), *pic = make(after);

	picture_set_baseline(pic, baseline);
	assert_int_equal(pic->types[0].delta_objects, 2);
	assert_int_equal(pic->types[0].delta_bytes, 20);
	assert_int_equal(pic->types[1].delta_objects, 3);
	assert_int_equal(pic->types[1].delta_bytes, 70);
}

/* Two classes of one name keep apart by address, and a class defined again follows its name. */
static void baseline_matches_address_before_name(void **state)
{
	const struct given before[] = {
		{ "C", 1, 10, 100 }, { "C", 2, 20, 200 }, { "D", 5, 7, 70 }, { NULL, 0, 0, 0 }
	};
	const struct given after[] = { { "C", 9, 1, 10 },
				       { "C", 2, 21, 210 },
				       { "D", 6, 8, 80 },
				       { "C", 10, 3, 30 },
				       { NULL, 0, 0, 0 } };
	_cleanup_picture_ struct picture *baseline = make(before), *pic = make(after);

	picture_set_baseline(pic, baseline);
	assert_int_equal(pic->types[0].delta_objects, -9); /* takes what is left of the name */
	assert_int_equal(pic->types[1].delta_objects, 1);
	assert_int_equal(pic->types[2].delta_objects, 1);
	assert_int_equal(pic->types[3].delta_objects, 3); /* no row of the name is left */
}

static void baseline_keeps_unknown_unknown(void **state)
{
	const struct given before[] = { { "a", 1, 10, PICTURE_UNKNOWN }, { NULL, 0, 0, 0 } };
	const struct given after[] = { { "a", 1, 11, 100 }, { NULL, 0, 0, 0 } };
	_cleanup_picture_ struct picture *baseline = make(before), *pic = make(after);

	picture_set_baseline(pic, baseline);
	assert_int_equal(pic->types[0].delta_objects, 1);
	assert_true(pic->types[0].delta_bytes == PICTURE_UNKNOWN);
}

/* Quadratic here would take minutes. */
static void baseline_of_many_classes_of_one_name(void **state)
{
	_cleanup_picture_ struct picture *baseline = picture_new(), *pic = picture_new();
	struct picture *both[] = { baseline, pic };
	const size_t count = 200000;

	for (size_t b = 0; b < ARRAY_SIZE(both); b++) {
		both[b]->types = calloc(count, sizeof(*both[b]->types));
		both[b]->types_count = count;
		for (size_t i = 0; i < count; i++) {
			both[b]->types[i].name = strdup("C");
			both[b]->types[i].address = i + b * count;
			both[b]->types[i].inuse_objects = 1;
		}
	}
	picture_set_baseline(pic, baseline);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(pic->types[i].delta_objects, 0);
}

static void find_type_by_name(void **state)
{
	_cleanup_picture_ struct picture *pic = sample_picture();

	assert_ptr_equal(picture_find_type(pic, "dict"), &pic->types[1]);
	assert_null(picture_find_type(pic, "nothing"));
}

static void words(void **state)
{
	assert_string_equal(picture_part_names[PICTURE_PART_DICT_VALUES], "dict_values");
	assert_string_equal(picture_storage_names[PICTURE_STORAGE_GENERAL], "general");
	assert_string_equal(picture_dict_layout_names[PICTURE_DICT_EMPTY], "empty");
	assert_string_equal(picture_dict_owner_names[PICTURE_OWNER_PLAIN], "plain");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_knows_nothing),
		cmocka_unit_test(free_takes_null),
		cmocka_unit_test(partial_reasons_are_kept_once),
		cmocka_unit_test(types_sort_by_bytes_then_name),
		cmocka_unit_test(baseline_gives_deltas),
		cmocka_unit_test(baseline_matches_address_before_name),
		cmocka_unit_test(baseline_keeps_unknown_unknown),
		cmocka_unit_test(baseline_of_many_classes_of_one_name),
		cmocka_unit_test(find_type_by_name),
		cmocka_unit_test(words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
