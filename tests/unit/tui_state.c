/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "sample_screen.h"

static const char *current(const struct state *state)
{
	const struct picture_type *type = state_current(state);

	return type ? type->name : "(none)";
}

static void cursor_stays_on_its_type(void **unused)
{
	_cleanup_state_ struct state state = { 0 };

	sample_state(&state);
	assert_string_equal(current(&state), "app.Foo");
	state_move(&state, 1);
	assert_string_equal(current(&state), "dict");
	sample_feed(&state, 100, 2); /* now dict is the larger one */
	assert_int_equal(state.cursor, 0);
	assert_string_equal(current(&state), "dict");
	state_move(&state, 100);
	assert_string_equal(current(&state), "app.Foo");
	sample_feed(&state, 1 << 20, 4);
	assert_string_equal(current(&state), "app.Foo");
	assert_int_equal(state.cursor, 0);
}

static void untouched_cursor_stays_on_top(void **unused)
{
	_cleanup_state_ struct state state = { 0 };

	sample_state(&state);
	sample_feed(&state, 100, 2);
	assert_int_equal(state.cursor, 0);
	assert_string_equal(current(&state), "dict");
}

static void growth_goes_first(void **unused)
{
	_cleanup_state_ struct state state = { 0 };

	sample_state(&state);
	sample_feed(&state, 100, 2);
	assert_string_equal(state.rows.list[0]->name, "dict");
	state_set_baseline(&state, SAMPLE_NOW + 2000000000ull);
	for (unsigned int i = 0; i < 3; i++)
		sample_feed(&state, 100 + 10000 * (int64_t)i, 4 + i);
	assert_string_equal(state.rows.list[0]->name, "app.Foo");
	assert_true(state_growth(&state, state.rows.list[0]) > 0);
	assert_true(state_growth(&state, state.rows.list[1]) == 0);
	assert_int_equal(state.rows.list[0]->delta_bytes, 20000);
	state_set_baseline(&state, SAMPLE_NOW + 9000000000ull);
	assert_true(state_growth(&state, &state.shown->types[0]) == 0);
	assert_int_equal(state.shown->types[0].delta_bytes, 0);
}

static void pause_shows_the_old(void **unused)
{
	_cleanup_state_ struct state state = { 0 };

	sample_state(&state);
	state_set_paused(&state, true);
	sample_feed(&state, 5000, 2);
	sample_feed(&state, 6000, 4);
	assert_int_equal(picture_find_type(state.shown, "app.Foo")->inuse_bytes, 11200);
	state_set_baseline(&state, SAMPLE_NOW);
	state_set_paused(&state, false);
	assert_int_equal(picture_find_type(state.shown, "app.Foo")->inuse_bytes, 6000);
	assert_int_equal(picture_find_type(state.shown, "app.Foo")->delta_bytes, 6000 - 11200);
}

static void filters(void **unused)
{
	_cleanup_state_ struct state state = { 0 };

	sample_state(&state);
	state_set_filter(&state, "FOO$");
	assert_int_equal(state.rows.count, 1);
	assert_string_equal(current(&state), "app.Foo");
	state_set_filter(&state, "app.Fo("); /* not a regular expression: plain text */
	assert_int_equal(state.rows.count, 0);
	assert_null(state_current(&state));
	state_move(&state, 1);
	state_open(&state);
	assert_int_equal(state.screen, STATE_TYPES);
	state_set_filter(&state, "");
	assert_int_equal(state.rows.count, 2);
}

static void sorts(void **unused)
{
	_cleanup_state_ struct state state = { 0 };

	sample_state(&state);
	state_set_sort(&state, rows_find_key("alloc"), false);
	assert_string_equal(current(&state), "dict");
	state_set_sort(&state, rows_find_key("bytes"), true);
	assert_string_equal(current(&state), "dict");
	state.limit = 1;
	state_set_sort(&state, NULL, false);
	assert_int_equal(state.rows.count, 1);
	assert_string_equal(current(&state), "app.Foo");
}

static void opened_type_may_vanish(void **unused)
{
	_cleanup_state_ struct state state = { 0 };
	struct picture *pic = picture_new();

	sample_state(&state);
	state_open(&state);
	assert_string_equal(state_opened(&state)->name, "app.Foo");
	assert_int_equal(state_feed(&state, pic, SAMPLE_NOW + 2000000000ull), 0);
	assert_null(state_opened(&state));
	assert_string_equal(state.opened.name, "app.Foo");
}

static void scrolls(void **unused)
{
	_cleanup_state_ struct state state = { 0 };

	sample_state(&state);
	state_fit(&state, 1);
	state_move(&state, 1);
	state_fit(&state, 1);
	assert_int_equal(state.top, 1);
	state_fit(&state, 10);
	assert_int_equal(state.top, 0);
	state_move(&state, -10);
	state_fit(&state, 0);
	assert_int_equal(state.cursor, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cursor_stays_on_its_type),
		cmocka_unit_test(untouched_cursor_stays_on_top),
		cmocka_unit_test(growth_goes_first),
		cmocka_unit_test(pause_shows_the_old),
		cmocka_unit_test(filters),
		cmocka_unit_test(sorts),
		cmocka_unit_test(opened_type_may_vanish),
		cmocka_unit_test(scrolls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
