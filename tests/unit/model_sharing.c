/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "model/sharing.h"

/* A picture with one class, of which @shared instances share keys and @own own theirs. */
static struct picture *make(uint64_t taken_at, int64_t shared, int64_t own)
{
	struct picture *pic = picture_new();
	struct picture_type *type;

	pic->taken_at_unix_ns = taken_at;
	pic->types = type = calloc(1, sizeof(*type));
	pic->types_count = 1;
	type->name = strdup("app.Item");
	type->address = 0x1000;
	type->storage[PICTURE_STORAGE_INLINE] = shared;
	type->storage[PICTURE_STORAGE_COMBINED] = own;
	return pic;
}

static void add_late(struct picture *pic, const char *name)
{
	struct picture_facts *facts = calloc(1, sizeof(*facts));

	facts->late = calloc(1, sizeof(*facts->late));
	facts->late[0] = strdup(name);
	facts->late_count = 1;
	pic->types[0].facts = facts;
}

static size_t see(struct sharing *sharing, struct picture *pic)
{
	size_t count;

	assert_int_equal(sharing_see(sharing, pic), 0);
	assert_int_equal(sharing_tell(sharing, pic), 0);
	count = pic->events.layout_changes_count;
	picture_free(pic);
	return count;
}

static void the_first_to_own_its_keys_is_told(void **state)
{
	struct sharing *sharing;
	struct picture *pic;

	assert_int_equal(sharing_new(&sharing), 0);
	assert_int_equal(see(sharing, make(10, 100, 0)), 0);
	assert_int_equal(see(sharing, make(20, 120, 0)), 0);
	pic = make(30, 100, 5);
	add_late(pic, "cache");
	assert_int_equal(see(sharing, pic), 1);
	pic = make(40, 100, 9);
	assert_int_equal(sharing_see(sharing, pic), 0);
	assert_int_equal(sharing_tell(sharing, pic), 0);
	assert_int_equal(pic->events.layout_changes_count, 1);
	assert_string_equal(pic->events.layout_changes[0].type, "app.Item");
	assert_int_equal(pic->events.layout_changes[0].after_unix_ns, 20);
	assert_int_equal(pic->events.layout_changes[0].seen_unix_ns, 30);
	assert_int_equal(pic->events.layout_changes[0].objects, 9);
	assert_int_equal(pic->events.layout_changes[0].keys_count, 1);
	assert_string_equal(pic->events.layout_changes[0].keys[0], "cache");
	picture_free(pic);
	sharing_freep(&sharing);
}

/* What was so from the start did not happen while we watched. */
static void old_owners_are_no_news(void **state)
{
	struct sharing *sharing;

	assert_int_equal(sharing_new(&sharing), 0);
	assert_int_equal(see(sharing, make(10, 100, 3)), 0);
	assert_int_equal(see(sharing, make(20, 100, 50)), 0);
	sharing_freep(&sharing);
}

static void a_class_that_never_shared_stops_nothing(void **state)
{
	struct sharing *sharing;

	assert_int_equal(sharing_new(&sharing), 0);
	assert_int_equal(see(sharing, make(10, 0, 0)), 0);
	assert_int_equal(see(sharing, make(20, 0, 50)), 0);
	sharing_freep(&sharing);
}

/* Up to 3.10 a class can give its shared keys up for good. */
static void giving_up_is_told(void **state)
{
	struct sharing *sharing;
	struct picture *pic;

	assert_int_equal(sharing_new(&sharing), 0);
	pic = make(10, 100, 3);
	add_late(pic, "x");
	assert_int_equal(see(sharing, pic), 0);
	pic = make(20, 100, 3);
	add_late(pic, "x");
	pic->types[0].facts->shared_lost = true;
	assert_int_equal(see(sharing, pic), 1);
	sharing_freep(&sharing);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_to_own_its_keys_is_told),
		cmocka_unit_test(old_owners_are_no_news),
		cmocka_unit_test(a_class_that_never_shared_stops_nothing),
		cmocka_unit_test(giving_up_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
