/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/util.h"
#include "sample_screen.h"

static void too_small(void **unused)
{
	_cleanup_state_ struct state state = { 0 };
	struct sample_screen screen;

	sample_state(&state);
	sample_draw(&state, 59, 24, true, &screen);
	sample_has(&screen, "59x24 is too small: 60x12 at least");
	sample_draw(&state, 80, 11, true, &screen);
	sample_has(&screen, "too small");
	sample_draw(&state, 1, 1, true, &screen);
}

/* Every screen at every size: in bounds (the sanitizers look), and in ASCII nothing else. */
static void every_size(void **unused)
{
	static const size_t widths[] = { 60, 61, 80, 110, 200, 500 }, heights[] = { 12, 24, 60 };
	_cleanup_state_ struct state state = { 0 };
	struct sample_screen screen;

	sample_state(&state);
	sample_feed(&state, 20000, 2);
	state_open(&state);
	for (size_t i = 0; i < ARRAY_SIZE(widths) * ARRAY_SIZE(heights) * STATE_SCREENS_COUNT;
	     i++) {
		state.screen = i % STATE_SCREENS_COUNT;
		sample_draw(&state, widths[i / STATE_SCREENS_COUNT % ARRAY_SIZE(widths)],
			    heights[i / STATE_SCREENS_COUNT / ARRAY_SIZE(widths)], false, &screen);
		for (const char *s = screen.text; *s; s++)
			assert_true((unsigned char)*s < 0x80);
		sample_has(&screen, state.screen == STATE_HELP ? "Enter" : "4242");
	}
}

static void scrolls_a_long_page(void **unused)
{
	_cleanup_state_ struct state state = { 0 };
	struct sample_screen screen;

	sample_state(&state);
	state.screen = STATE_MEMORY;
	sample_draw(&state, 60, 12, true, &screen);
	sample_has(&screen, "Memory map");
	sample_has(&screen, "more below");
	assert_true(state.scroll_max > 0);
	state.scroll = 1000;
	sample_draw(&state, 60, 12, true, &screen);
	assert_int_equal(state.scroll, state.scroll_max);
	sample_lacks(&screen, "Memory map");
	sample_lacks(&screen, "more below");
}

static void before_the_first_picture(void **unused)
{
	_cleanup_state_ struct state state = { 0 };
	struct sample_screen screen;

	assert_int_equal(state_init(&state), 0);
	for (int i = 0; i < STATE_SCREENS_COUNT; i++) {
		state.screen = i;
		sample_draw(&state, 80, 24, true, &screen);
	}
	state.screen = STATE_TYPES;
	sample_draw(&state, 80, 24, true, &screen);
	sample_has(&screen, "taking the first census");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(too_small),
		cmocka_unit_test(every_size),
		cmocka_unit_test(scrolls_a_long_page),
		cmocka_unit_test(before_the_first_picture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
