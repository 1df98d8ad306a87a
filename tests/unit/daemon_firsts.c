/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/util.h"
#include "daemon/firsts.h"

#define LOOK_NS (10 * NSEC_PER_MSEC)

/* How many begin and end by @seconds, where as many as want to may, every 100 ms. */
static int look(struct firsts *f, double from, double seconds)
{
	int count = 0;

	for (double at = from; at < from + seconds; at += 0.1)
		while (firsts_may(f, (uint64_t)(at * 1e9))) {
			firsts_begin(f);
			firsts_end(f, LOOK_NS);
			count++;
			assert_true(count < 100000);
		}
	return count;
}

static void some_are_looked_at_at_once(void **state)
{
	struct firsts f = firsts_new(0.02, 0);

	assert_in_range(look(&f, 0, 0.1), 9, 11);
}

static void the_others_wait_for_their_share(void **state)
{
	struct firsts f = firsts_new(0.02, 0);
	int first = look(&f, 0, 10);

	/* 0.1 s saved, and 0.2 s earned; of 10 ms each. */
	assert_in_range(first, 29, 32);
	assert_in_range(look(&f, 10, 100), 198, 202);
}

static void those_under_way_are_counted_before_they_end(void **state)
{
	struct firsts f = firsts_new(0.02, 0);
	int begun = 0;

	while (firsts_may(&f, 0)) {
		firsts_begin(&f);
		begun++;
		assert_true(begun < 1000);
	}
	assert_in_range(begun, 4, 6); /* by a guess of 20 ms */
	for (int i = 0; i < begun; i++)
		firsts_end(&f, LOOK_NS);
	assert_true(firsts_may(&f, 0));
}

static void a_huge_one_holds_nobody_off_for_long(void **state)
{
	struct firsts f = firsts_new(0.02, 0);

	firsts_begin(&f);
	firsts_end(&f, 60 * NSEC_PER_SEC);
	assert_false(firsts_may(&f, 4 * NSEC_PER_SEC));
	assert_true(firsts_may(&f, 6 * NSEC_PER_SEC));
}

static void without_a_share_there_is_no_limit(void **state)
{
	struct firsts f = firsts_new(0, 0);

	for (int i = 0; i < 1000; i++) {
		assert_true(firsts_may(&f, 0));
		firsts_begin(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(some_are_looked_at_at_once),
		cmocka_unit_test(the_others_wait_for_their_share),
		cmocka_unit_test(those_under_way_are_counted_before_they_end),
		cmocka_unit_test(a_huge_one_holds_nobody_off_for_long),
		cmocka_unit_test(without_a_share_there_is_no_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
