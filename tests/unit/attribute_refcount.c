/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "attribute/refcount.h"
#include "fake.h"

static enum refcount_state state_of(const char *version, uint64_t word)
{
	uint8_t obj[32] = {};

	memcpy(obj, &word, 8);
	return refcount_state(fake_layout(version), obj);
}

static void plain_counts(void **state)
{
	assert_int_equal(state_of("3.8", 0), REFCOUNT_DEAD);
	assert_int_equal(state_of("3.8", 1), REFCOUNT_LIVE);
	assert_int_equal(state_of("3.11", 1000000), REFCOUNT_LIVE);
	assert_int_equal(state_of("3.11", 0x7f0012345670), REFCOUNT_NONSENSE);
	assert_int_equal(state_of("3.11", UINT64_MAX), REFCOUNT_NONSENSE);
}

static void immortal_objects_are_alive(void **state)
{
	assert_int_equal(state_of("3.12", 0xffffffff), REFCOUNT_LIVE);
	assert_int_equal(state_of("3.13", 0xffffffff), REFCOUNT_LIVE);
	assert_int_equal(state_of("3.14", 3ull << 30 | 1ull << 48), REFCOUNT_LIVE);
	assert_int_equal(state_of("3.14", 3ull << 30 | 5ull << 48), REFCOUNT_LIVE);
}

/* 3.14: a free list writes its link over the count. */
static void links_of_free_lists_are_dead(void **state)
{
	assert_int_equal(state_of("3.14", 0), REFCOUNT_DEAD);
	assert_int_equal(state_of("3.14", 0x7f0012345670), REFCOUNT_DEAD);
	assert_int_equal(state_of("3.14", 0xffff800012345670), REFCOUNT_NONSENSE);
}

static void split_counts(void **state)
{
	const struct layout *l = fake_layout("3.14.10t");
	uint8_t obj[32] = {};
	uint32_t one = 1;
	uint64_t shared = 1 << 2, flags = 3;

	assert_int_equal(refcount_state(l, obj), REFCOUNT_DEAD);
	memcpy(obj + l->ob_ref_shared, &flags, 8);
	assert_int_equal(refcount_state(l, obj), REFCOUNT_DEAD);
	memcpy(obj + l->ob_ref_local, &one, 4);
	assert_int_equal(refcount_state(l, obj), REFCOUNT_LIVE);
	assert_true(refcount_is_one(l, obj));
	memcpy(obj + l->ob_ref_shared, &shared, 8);
	assert_int_equal(refcount_state(l, obj), REFCOUNT_LIVE);
	assert_false(refcount_is_one(l, obj));
}

static void one_is_one(void **state)
{
	const char *const versions[] = { "3.8", "3.12", "3.14" };

	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		uint8_t obj[32] = { 1 };

		assert_true(refcount_is_one(fake_layout(versions[i]), obj));
		obj[0] = 2;
		assert_false(refcount_is_one(fake_layout(versions[i]), obj));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_counts),
		cmocka_unit_test(immortal_objects_are_alive),
		cmocka_unit_test(links_of_free_lists_are_dead),
		cmocka_unit_test(split_counts),
		cmocka_unit_test(one_is_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
