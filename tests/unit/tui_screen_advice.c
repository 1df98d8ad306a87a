/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "sample_screen.h"

static void ranked(void **unused)
{
	_cleanup_state_ struct state state = { 0 };
	struct sample_screen screen;

	sample_state(&state);
	state.screen = STATE_ADVICE;
	sample_draw(&state, 110, 32, true, &screen);
	sample_has(&screen, "   4.7 KiB  slots  app.Foo");
	sample_has(&screen, "            add __slots__ =");
	sample_has(&screen, "100 objects, confidence 90.0%");
}

static void none(void **unused)
{
	_cleanup_state_ struct state state = { 0 };
	struct sample_screen screen;

	assert_int_equal(state_init(&state), 0);
	assert_int_equal(state_feed(&state, picture_new(), SAMPLE_NOW), 0);
	state.screen = STATE_ADVICE;
	sample_draw(&state, 80, 24, true, &screen);
	sample_has(&screen, "None: the facts that advice needs were not collected.");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranked),
		cmocka_unit_test(none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
