/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "census/freelists.h"
#include "fake.h"

#define RUNTIME 0x10000000ull
#define INTERP 0x18000000ull
#define OBJECTS 0x20000000ull

static struct fake fake;
static struct layout layout; /* 3.11's with rows of our own */
static struct python py;
static struct freelists lists;

static int setup(void **state)
{
	fake = (struct fake){};
	lists = (struct freelists){};
	layout = *fake_layout("3.11");
	layout.freelists_count = 1;
	layout.freelists_offset = 0x100;
	py = (struct python){ .runtime = RUNTIME };
	fake_map(&fake, RUNTIME, 0x10000);
	fake_map(&fake, INTERP, 0x10000);
	fake_map(&fake, OBJECTS, 0x40000);
	fake_u64(&fake, RUNTIME + layout.runtime_interpreters_main, INTERP);
	fake_u64(&fake, RUNTIME + layout.runtime_interpreters_head, INTERP);
	return 0;
}

static int teardown(void **state)
{
	freelists_fini(&lists);
	fake_fini(&fake);
	return 0;
}

static int collect(struct layout_freelist_row row)
{
	freelists_fini(&lists);
	layout.freelists[0] = row;
	return freelists_collect(&py, &layout, fake.mem, &lists);
}

static const struct layout_freelist_row floats = {
	"float", LAYOUT_FREELIST_LINKED, 0x10, LAYOUT_NONE, 1, 0, 0, 8, 100, NULL,
};
static const struct layout_freelist_row keys = {
	"dict_keys", LAYOUT_FREELIST_ARRAY, 0x200, 0x190, 1, 0, 0, 0, 80, NULL,
};

/* Objects linked through their type word, every 32 bytes, from OBJECTS on. */
static void chain(unsigned int count)
{
	fake_u64(&fake, INTERP + 0x110, count ? OBJECTS : 0);
	for (unsigned int i = 0; i < count; i++)
		fake_u64(&fake, OBJECTS + 32 * i + 8, i + 1 < count ? OBJECTS + 32 * (i + 1) : 0);
}

static void links_are_followed(void **state)
{
	chain(5);
	assert_int_equal(collect(floats), 0);
	assert_int_equal(lists.count, 5);
	for (unsigned int i = 0; i < 5; i++)
		assert_true(freelists_has(&lists, OBJECTS + 32 * i));
	assert_false(freelists_has(&lists, OBJECTS + 5 * 32));
	assert_true(freelists_have_any(&lists, OBJECTS, OBJECTS + 1));
	assert_true(freelists_have_any(&lists, OBJECTS + 1, OBJECTS + 33));
	assert_false(freelists_have_any(&lists, OBJECTS + 1, OBJECTS + 32));
	assert_false(freelists_have_any(&lists, OBJECTS + 5 * 32, UINT64_MAX));
	assert_false(freelists_have_any(&lists, 0, OBJECTS));
	assert_false(freelists_has(&lists, OBJECTS + 8));
}

static void no_list_is_longer_than_its_limit(void **state)
{
	chain(300);
	assert_int_equal(collect(floats), 0);
	assert_int_equal(lists.count, 100);
	fake_u64(&fake, OBJECTS + 32 * 2 + 8, OBJECTS); /* a circle */
	assert_int_equal(collect(floats), 0);
	assert_int_equal(lists.count, 100);
}

static void a_wild_link_ends_the_list(void **state)
{
	chain(5);
	fake_u64(&fake, OBJECTS + 32 + 8, 0xdead0000);
	assert_int_equal(collect(floats), 0);
	assert_int_equal(lists.count, 3); /* the wild one was named by a list all the same */
	fake_u64(&fake, INTERP + 0x110, UINT64_MAX - 3);
	assert_int_equal(collect(floats), 0);
}

static void arrays_are_read_by_their_count(void **state)
{
	for (unsigned int i = 0; i < 80; i++)
		fake_u64(&fake, INTERP + 0x300 + 8 * i, OBJECTS + 0x1000 - 32 * i);
	fake_u32(&fake, INTERP + 0x290, 3);
	assert_int_equal(collect(keys), 0);
	assert_int_equal(lists.count, 3);
	assert_true(freelists_has(&lists, OBJECTS + 0x1000 - 64));
	assert_false(freelists_has(&lists, OBJECTS + 0x1000 - 96));
	fake_u32(&fake, INTERP + 0x290, 81); /* more than there can be: no count */
	assert_int_equal(collect(keys), 0);
	assert_int_equal(lists.count, 0);
	fake_u32(&fake, INTERP + 0x290, UINT32_MAX);
	assert_int_equal(collect(keys), 0);
	assert_int_equal(lists.count, 0);
}

static void one_alone_is_taken(void **state)
{
	const struct layout_freelist_row slice = {
		"slice", LAYOUT_FREELIST_SINGLE, 0x20, LAYOUT_NONE, 1, 0, 0, 0, 1, NULL,
	};

	fake_u64(&fake, INTERP + 0x120, OBJECTS + 64);
	fake_u64(&fake, OBJECTS + 64, OBJECTS); /* not a link: there is one only */
	assert_int_equal(collect(slice), 0);
	assert_int_equal(lists.count, 1);
	assert_true(freelists_has(&lists, OBJECTS + 64));
}

static void lists_of_repeated_heads_and_links_elsewhere_need_no_walk(void **state)
{
	struct layout_freelist_row row = floats;

	chain(3);
	row.repeat = 3;
	row.stride = 8;
	fake_u64(&fake, INTERP + 0x120, OBJECTS + 0x2000);
	assert_int_equal(collect(row), 0);
	assert_int_equal(lists.count, 4);
	row.link = 24; /* the type word is whole, the count says dead */
	assert_int_equal(collect(row), 0);
	assert_int_equal(lists.count, 0);
}

static void without_a_base_nothing_is_read(void **state)
{
	chain(3);
	layout.freelists_base = LAYOUT_FREELISTS_NOWHERE;
	assert_int_equal(collect(floats), 0);
	assert_int_equal(lists.count, 0);
	assert_false(freelists_has(&lists, OBJECTS));
}

/* Every version's own rows on an interpreter of zeros and of noise: no fault, no endless list. */
static void all_versions_survive_noise(void **state)
{
	size_t count;
	const struct layout *const *all = layout_all(&count);

	fake_map(&fake, INTERP + 0x10000, 0x80000);
	srand(2);
	for (size_t i = 0; i < count; i++) {
		fake_u64(&fake, RUNTIME + all[i]->runtime_interpreters_main, INTERP);
		freelists_fini(&lists);
		assert_int_equal(freelists_collect(&py, all[i], fake.mem, &lists), 0);
		for (uint64_t at = 0; at < 0x80000; at += 8)
			fake_u64(&fake, INTERP + 0x10000 + at,
				 OBJECTS + (uint64_t)(rand() % 0x3000) * 16);
		freelists_fini(&lists);
		assert_int_equal(freelists_collect(&py, all[i], fake.mem, &lists), 0);
		for (size_t k = 1; k < lists.count; k++)
			assert_true(lists.addresses[k - 1] <= lists.addresses[k]);
		memset(fake_at(&fake, INTERP + 0x10000, 0x80000), 0, 0x80000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(links_are_followed, setup, teardown),
		cmocka_unit_test_setup_teardown(no_list_is_longer_than_its_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(a_wild_link_ends_the_list, setup, teardown),
		cmocka_unit_test_setup_teardown(arrays_are_read_by_their_count, setup, teardown),
		cmocka_unit_test_setup_teardown(one_alone_is_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(
			lists_of_repeated_heads_and_links_elsewhere_need_no_walk, setup, teardown),
		cmocka_unit_test_setup_teardown(without_a_base_nothing_is_read, setup, teardown),
		cmocka_unit_test_setup_teardown(all_versions_survive_noise, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
