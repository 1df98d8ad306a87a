/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "sample_screen.h"
#include "tui/keys.h"

static unsigned int press(struct state *state, int key)
{
	return keys_press(state, key, SAMPLE_NOW);
}

static void type_text(struct state *state, const char *text)
{
	for (; *text; text++)
		press(state, (unsigned char)*text);
}

static void screens(void **unused)
{
	static const struct {
		int key;
		enum state_screen screen;
	} rows[] = { { 'm', STATE_MEMORY },    { 'd', STATE_DICTS },	  { 'a', STATE_ADVICE },
		     { 'l', STATE_PROCESSES }, { 'h', STATE_HELP },	  { '?', STATE_HELP },
		     { KEYS_F1, STATE_HELP },  { KEYS_ENTER, STATE_TYPE } };
	_cleanup_state_ struct state state = { 0 };

	sample_state(&state);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		press(&state, rows[i].key);
		assert_int_equal(state.screen, rows[i].screen);
		press(&state, KEYS_ESCAPE);
		assert_int_equal(state.screen, STATE_TYPES);
	}
	press(&state, 'm');
	press(&state, 'd');
	press(&state, 'd');
	assert_int_equal(state.screen, STATE_TYPES);
	press(&state, 'm');
	press(&state, 'h');
	press(&state, 'h');
	assert_int_equal(state.screen, STATE_MEMORY);
}

static void effects(void **unused)
{
	_cleanup_state_ struct state state = { 0 };

	sample_state(&state);
	assert_int_equal(press(&state, 'q'), KEYS_DO_QUIT);
	assert_int_equal(press(&state, 'w'), KEYS_DO_WRITE);
	assert_int_equal(press(&state, KEYS_ENTER), KEYS_DO_SAMPLES);
	assert_int_equal(press(&state, KEYS_ESCAPE), KEYS_DO_SAMPLES);
	assert_int_equal(press(&state, 'x'), KEYS_DO_NOTHING);
	assert_int_equal(press(&state, KEYS_RESIZE), KEYS_DO_NOTHING);
}

static void intervals(void **unused)
{
	_cleanup_state_ struct state state = { 0 };

	sample_state(&state);
	assert_int_equal(press(&state, '+'), KEYS_DO_INTERVAL);
	assert_int_equal(state.interval_ns, 5000000000ull);
	press(&state, '-');
	press(&state, '-');
	assert_int_equal(state.interval_ns, 1000000000ull);
	for (int i = 0; i < 20; i++)
		press(&state, '-');
	assert_int_equal(state.interval_ns, 250000000ull);
	for (int i = 0; i < 20; i++)
		press(&state, '+');
	assert_int_equal(state.interval_ns, 60000000000ull);
}

static void filter_as_you_type(void **unused)
{
	_cleanup_state_ struct state state = { 0 };

	sample_state(&state);
	press(&state, '/');
	type_text(&state, "foq"); /* letters are text here, not keys */
	assert_string_equal(state.filter, "foq");
	assert_int_equal(state.rows.count, 0);
	press(&state, KEYS_BACKSPACE);
	press(&state, 0xE9);
	press(&state, KEYS_BACKSPACE); /* a whole character */
	assert_string_equal(state.filter, "fo");
	assert_int_equal(state.rows.count, 1);
	press(&state, KEYS_ENTER);
	assert_false(state.filter_open);
	assert_int_equal(state.rows.count, 1);
	press(&state, 'c');
	assert_int_equal(state.rows.count, 2);
	press(&state, '/');
	type_text(&state, "dict");
	press(&state, KEYS_ESCAPE);
	assert_string_equal(state.filter, "");
	for (int i = 0; i < 300; i++)
		type_text(&state, "/x"); /* a pattern has an end */
	assert_true(strlen(state.filter) < STATE_FILTER_MAX);
}

static void sorting(void **unused)
{
	_cleanup_state_ struct state state = { 0 };

	sample_state(&state);
	press(&state, 's');
	assert_string_equal(rows_key_name(state.sort), "bytes");
	press(&state, '>');
	assert_string_equal(rows_key_name(state.sort), "objects");
	press(&state, '<');
	press(&state, 'S');
	assert_null(state.sort);
	press(&state, '<');
	assert_string_equal(rows_key_name(state.sort), "name");
	press(&state, 'r');
	assert_true(state.reverse);
	press(&state, KEYS_F6);
	assert_null(state.sort);
}

static void moving(void **unused)
{
	_cleanup_state_ struct state state = { 0 };

	sample_state(&state);
	press(&state, 'j');
	assert_int_equal(state.cursor, 1);
	press(&state, KEYS_UP);
	press(&state, KEYS_END);
	assert_int_equal(state.cursor, 1);
	press(&state, KEYS_HOME);
	press(&state, KEYS_PAGE_DOWN);
	assert_int_equal(state.cursor, 1);
	press(&state, 'm');
	state.scroll_max = 3;
	press(&state, KEYS_DOWN);
	assert_int_equal(state.scroll, 1);
	press(&state, KEYS_END);
	assert_int_equal(state.scroll, 3);
	press(&state, KEYS_PAGE_DOWN);
	assert_int_equal(state.scroll, 3);
	press(&state, KEYS_HOME);
	assert_int_equal(state.scroll, 0);
}

static void no_picture_yet(void **unused)
{
	_cleanup_state_ struct state state = { 0 };
	size_t count;
	const struct keys_row *rows = keys_all(&count);

	assert_int_equal(state_init(&state), 0);
	for (size_t i = 0; i < count; i++) {
		state.screen = STATE_TYPES;
		press(&state, rows[i].keys[0]);
	}
	assert_null(state.shown);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(screens),	  cmocka_unit_test(effects),
		cmocka_unit_test(intervals),	  cmocka_unit_test(filter_as_you_type),
		cmocka_unit_test(sorting),	  cmocka_unit_test(moving),
		cmocka_unit_test(no_picture_yet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
