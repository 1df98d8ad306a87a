/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>

#include "probe/cost.h"

static void a_hit_has_a_price(void **state)
{
	struct cost cost = { 0 };
	struct error err = { 0 };
	int r = cost_measure(SESSION_LINK_AUTO, &cost, &err);

	if (r == -EPERM || r == -EACCES) {
		assert_int_equal(err.exit_code, EXIT_NO_PERMISSION);
		skip();
	}
	assert_int_equal(r, 0);
	assert_true(cost.empty_ns > 20 && cost.empty_ns < 100000);
	assert_true(cost.alloc_ns > cost.empty_ns * 0.8);
	assert_true(cost.free_ns > cost.empty_ns * 0.8);
	assert_true(cost.alloc_ns < cost.empty_ns * 5);
	assert_true(cost.fresh_ns > cost.empty_ns); /* there and back */
	assert_true(cost.close_ns > 0);
}

static void links_of_their_own_close_one_by_one(void **state)
{
	struct cost cost = { .link = SESSION_LINK_PERF, .close_ns = 100000000 };

	assert_int_equal(cost_turn_ns(&cost, 200), 20000000000);
	assert_true(cost_turn_ns(&cost, 0) > 0);
	cost.link = SESSION_LINK_MULTI;
	assert_true(cost_turn_ns(&cost, 200) < 100000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hit_has_a_price),
		cmocka_unit_test(links_of_their_own_close_one_by_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
