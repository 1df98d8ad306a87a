/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/util.h"
#include "probe/pulse.h"

#define MS 1000000ull
#define LIMIT 0.02
#define PRICE 2000.0

/* @per_ms pools are opened, as long as the probe is on: what that costs of @seconds, from @after
 * on.
 */
static double run(struct pulse *pulse, uint64_t per_ms, int seconds, int after, uint64_t step_ms)
{
	uint64_t hits = 0, late = 0;
	bool on = true;

	pulse_init(pulse, LIMIT, PRICE, 0);
	for (uint64_t ms = 0; ms < (uint64_t)seconds * 1000; ms += step_ms) {
		if (on)
			hits += per_ms * step_ms;
		if (ms == (uint64_t)after * 1000)
			late = hits;
		on = pulse_step(pulse, (ms + step_ms) * MS, hits, on);
	}
	return (double)(hits - late) * PRICE / ((seconds - after) * 1e9);
}

static void a_steady_heap_is_always_watched(void **state)
{
	struct pulse pulse;

	assert_true(run(&pulse, 1, 60, 0, 10) < LIMIT / 4);
	assert_true(pulse.on);
	assert_true(pulse_coverage(&pulse) > 0.999);
}

static void churning_pools_cost_no_more_than_a_quarter(void **state)
{
	static const uint64_t steps[] = { 1, 10, 50 };
	struct pulse pulse;

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		double cost = run(&pulse, 30, 120, 10, steps[i]);

		assert_true(cost < LIMIT / 4 * 1.1);
		assert_true(cost > LIMIT / 4 * 0.7);
		assert_true(pulse_coverage(&pulse) > 0.02);
		assert_true(pulse_coverage(&pulse) < 0.5);
	}
}

static void a_burst_is_forgotten(void **state)
{
	struct pulse pulse;

	pulse_init(&pulse, LIMIT, PRICE, 0);
	assert_false(pulse_step(&pulse, 1 * MS, 20000, true));
	assert_false(pulse_step(&pulse, 1000 * MS, 20000, false));
	assert_true(pulse_step(&pulse, 20000 * MS, 20000, false));
	assert_true(pulse_coverage(&pulse) < 0.001);
	pulse_restart(&pulse);
	assert_true(pulse_step(&pulse, 20001 * MS, 20000, true));
	assert_true(pulse_coverage(&pulse) == 1);
	assert_true(pulse_step(&pulse, 19000 * MS, 20000, true)); /* a clock that goes back */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_steady_heap_is_always_watched),
		cmocka_unit_test(churning_pools_cost_no_more_than_a_quarter),
		cmocka_unit_test(a_burst_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
