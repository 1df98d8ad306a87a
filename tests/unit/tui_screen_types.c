/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "sample_screen.h"

static void table(void **unused)
{
	_cleanup_state_ struct state state = { 0 };
	struct sample_screen screen;

	sample_state(&state);
	sample_draw(&state, 110, 32, true, &screen);
	sample_has(&screen, "TYPE");
	sample_has(&screen, "app.Foo");
	sample_has(&screen, "10.9 KiB");
	sample_has(&screen, "~1,235"); /* its error is 12.5% */
	sample_has(&screen, "slots");
	sample_draw(&state, 200, 32, true, &screen);
	sample_has(&screen, "1,235 ±12%");
	sample_has(&screen, "slots saves 4.7 KiB");
	state_set_filter(&state, "nothing");
	sample_draw(&state, 110, 32, true, &screen);
	sample_has(&screen, "no type matches the filter");
}

static void growth_is_marked_without_colour(void **unused)
{
	_cleanup_state_ struct state state = { 0 };
	struct sample_screen screen;

	sample_state(&state);
	for (unsigned int i = 1; i < 4; i++)
		sample_feed(&state, 11200 + 102400 * (int64_t)i, i);
	sample_draw(&state, 110, 32, true, &screen);
	sample_has(&screen, "▲ app.Foo");
	sample_has(&screen, "+300.0 KiB");
	sample_has(&screen, "+100.0 KiB/s");
	sample_draw(&state, 60, 12, false, &screen);
	sample_has(&screen, "+ app.Foo");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),
		cmocka_unit_test(growth_is_marked_without_colour),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
