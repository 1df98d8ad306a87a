/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "advise/rules.h"
#include "base/util.h"
#include "sample_class.h"

static const struct rules_limits limits = { .type_bytes = 1 << 20, .saves_bytes = 1 << 20 };

static void move(struct picture_type *type, enum picture_storage to, int64_t count)
{
	type->storage[PICTURE_STORAGE_INLINE] -= count;
	type->storage[to] += count;
}

static void slots_are_advised(void **state)
{
	_cleanup_picture_ struct picture *pic = sample_class();

	assert_int_equal(rules_slots(pic, &limits), 0);
	assert_int_equal(pic->advice_count, 1);
	assert_string_equal(pic->advice[0].kind, "slots");
	assert_string_equal(pic->advice[0].type, "app.Point");
	assert_int_equal(pic->advice[0].saves_bytes, 9600000 - 100000 * 48);
	assert_non_null(strstr(pic->advice[0].detail, "(x, y)"));
	assert_non_null(strstr(pic->advice[0].detail, "48 bytes instead of 96"));
}

static void dataclasses_have_their_own_way(void **state)
{
	_cleanup_picture_ struct picture *pic = sample_class();

	pic->types[0].facts->dataclass = true;
	rules_slots(pic, &limits);
	assert_non_null(strstr(pic->advice[0].detail, "@dataclass(slots=True)"));
	pic->process.python_version[2] = '9';
	pic->process.python_version[3] = '\0';
	rules_slots(pic, &limits);
	assert_null(strstr(pic->advice[1].detail, "slots=True"));
	assert_non_null(strstr(pic->advice[1].detail, "__slots__ in the dataclass"));
}

/* Each one fact away from what has advice. */
static void no_slots(void **state)
{
	for (int i = 0; i < 9; i++) {
		_cleanup_picture_ struct picture *pic = sample_class();
		struct picture_type *type = &pic->types[0];

		switch (i) {
		case 0:
			type->facts->slots_bytes = 0;
			break;
		case 1:
			type->facts->weakrefs = 1;
			break;
		case 2:
			type->facts->cached_property = true;
			break;
		case 3:
			type->facts->attributes -= 1000;
			break;
		case 4:
			type->shared_keys->used = 1;
			free(type->shared_keys->names[1]);
			break;
		case 5:
			move(type, PICTURE_STORAGE_SPLIT, 1000);
			break;
		case 6:
			move(type, PICTURE_STORAGE_GENERAL, 1);
			break;
		case 7:
			type->inuse_bytes = 1000;
			break;
		case 8:
			type->facts->slots_bytes = 96;
			break;
		}
		assert_int_equal(rules_slots(pic, &limits), 0);
		assert_int_equal(pic->advice_count, 0);
	}
}

/* Instances that are just being made lack attributes. */
static void few_that_differ_do_not_count(void **state)
{
	_cleanup_picture_ struct picture *pic = sample_class();

	pic->types[0].facts->attributes -= 50;
	rules_slots(pic, &limits);
	assert_int_equal(pic->advice_count, 1);
}

static struct picture *unshared(void)
{
	struct picture *pic = sample_class();
	struct picture_type *type = &pic->types[0];

	move(type, PICTURE_STORAGE_COMBINED, 100000);
	type->parts[PICTURE_PART_DICT] = 6400000;
	type->parts[PICTURE_PART_DICT_KEYS] = 20800000;
	return pic;
}

static void causes_are_told_apart(void **state)
{
	static const char *const words[] = { "z came after __init__", "cached_property stores z",
					     "different order",	      "stopped sharing",
					     "filled or replaced",    "used as a dict" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		_cleanup_picture_ struct picture *pic = unshared();
		struct picture_facts *f = pic->types[0].facts;

		if (i < 2 || i == 5) {
			f->late = calloc(1, sizeof(char *));
			f->late[0] = strdup("z");
			f->late_count = 1;
		}
		f->cached_late = i == 1;
		f->reordered = i == 2 || i == 5;
		f->room = i == 1 || i == 5;
		f->shared_lost = i == 3;
		assert_int_equal(rules_unshared_keys(pic, &limits), 0);
		assert_int_equal(pic->advice_count, 1);
		assert_string_equal(pic->advice[0].kind, "unshared_keys");
		assert_int_equal(pic->advice[0].saves_bytes,
				 9600000 + 6400000 + 20800000 - 100000 * 96);
		assert_non_null(strstr(pic->advice[0].detail, words[i]));
	}
}

static void shared_keys_need_no_advice(void **state)
{
	_cleanup_picture_ struct picture *pic = sample_class(), *cannot = unshared();

	rules_unshared_keys(pic, &limits);
	assert_int_equal(pic->advice_count, 0);
	cannot->types[0].facts->shared_bytes = 0;
	rules_unshared_keys(cannot, &limits);
	assert_int_equal(cannot->advice_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_are_advised),
		cmocka_unit_test(dataclasses_have_their_own_way),
		cmocka_unit_test(no_slots),
		cmocka_unit_test(few_that_differ_do_not_count),
		cmocka_unit_test(causes_are_told_apart),
		cmocka_unit_test(shared_keys_need_no_advice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
