/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "model/pace.h"

/* A hit costs the target some 0.6 µs, so it makes no more records than this. */
#define RECORDS_A_MS 1400
#define RING_RECORDS (1u << 17)

static void a_quiet_target_is_looked_at_rarely(void **state)
{
	struct pace pace = { 0 };
	uint64_t nap = 0;

	for (int i = 0; i < 10; i++)
		nap = pace_next(&pace, 3, true);
	assert_int_equal(nap, PACE_WINDOW_NS);
	for (int i = 0; i < 10; i++)
		nap = pace_next(&pace, 0, false);
	assert_int_equal(nap, PACE_CLOSED_NS);
	assert_int_equal(pace_next(&pace, 0, true), PACE_WINDOW_NS);
}

static void a_sudden_flood_leaves_room_in_the_ring(void **state)
{
	struct pace pace = { .nap_ns = PACE_CLOSED_NS };
	uint64_t backlog = PACE_CLOSED_NS / 1000000 * RECORDS_A_MS;

	for (int i = 0; i < 100; i++) {
		assert_true(backlog <= RING_RECORDS * 3 / 5);
		backlog = pace_next(&pace, backlog, true) * RECORDS_A_MS / 1000000;
	}
	assert_int_equal(pace.nap_ns, PACE_LEAST_NS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_quiet_target_is_looked_at_rarely),
		cmocka_unit_test(a_sudden_flood_leaves_room_in_the_ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
