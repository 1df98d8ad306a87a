/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "sample_screen.h"
#include "tui/header.h"

static void what_it_says(void **unused)
{
	_cleanup_state_ struct state state = { 0 };
	struct sample_screen screen;

	sample_state(&state);
	sample_draw(&state, 110, 32, true, &screen);
	sample_has(&screen, "4242 python3 app.py");
	sample_has(&screen, "Python 3.11.7");
	sample_has(&screen, "RSS 50.0 MiB █");
	sample_has(&screen, "coverage 3.2%  overhead 0.4% of 2.0%  lost 0");
	sample_has(&screen, "census 12 ms, 3s ago");
	state.shown->census.unchanged = true;
	state.shown->census.interval_ms = 13000;
	sample_draw(&state, 110, 32, true, &screen);
	sample_has(&screen, "census unchanged, 3s ago, every 13.0 s");
	state.starting = true;
	sample_draw(&state, 60, 12, true, &screen);
	sample_has(&screen, "events starting");
	sample_has(&screen, "3s ago");
}

static void what_is_out_of_the_ordinary(void **unused)
{
	_cleanup_state_ struct state state = { 0 };
	struct sample_screen screen;

	sample_state(&state);
	state.ended = state.paused = true;
	snprintf(state.note, sizeof(state.note), "no rates: no permission");
	picture_add_partial(state.shown, "one \033[2J");
	picture_add_partial(state.shown, "two");
	picture_add_partial(state.shown, "three");
	sample_draw(&state, 80, 24, true, &screen);
	sample_has(&screen, "process 4242 has ended; this is the last that was seen of it");
	sample_has(&screen, "PAUSED");
	sample_has(&screen, "no rates: no permission");
	sample_has(&screen, "PARTIAL: one ?[2J");
	sample_has(&screen, "PARTIAL: 2 more reasons");
	sample_has(&screen, "app.Foo"); /* still there to look at */
}

static void split_adds_up(void **unused)
{
	struct graph_segment parts[HEADER_RSS_PARTS];
	struct picture *pic = picture_new();

	header_split_rss(pic, parts);
	for (int i = 0; i < HEADER_RSS_PARTS; i++)
		assert_int_equal(parts[i].bytes, 0);
	pic->memory.rss_bytes = 1000;
	header_split_rss(pic, parts);
	assert_int_equal(parts[HEADER_OTHER].bytes, 1000);
	pic->memory.resident_python_live_bytes = 600;
	pic->memory.resident_native_live_bytes = 100;
	pic->memory.resident_malloc_free_bytes = 50;
	header_split_rss(pic, parts);
	assert_int_equal(parts[HEADER_LIVE].bytes, 600);
	assert_int_equal(parts[HEADER_NATIVE].bytes, 150);
	assert_int_equal(parts[HEADER_OTHER].bytes, 250);
	picture_free(pic);
}

static void bottom_line(void **unused)
{
	_cleanup_state_ struct state state = { 0 };
	struct sample_screen screen;

	sample_state(&state);
	sample_draw(&state, 110, 32, true, &screen);
	sample_has(&screen, "h help  Enter type  / filter");
	state_say(&state, SAMPLE_NOW, "wrote %s", "a file");
	sample_draw(&state, 110, 32, true, &screen);
	sample_has(&screen, "wrote a file");
	state.filter_open = true;
	state_set_filter(&state, "Foo");
	sample_draw(&state, 110, 32, true, &screen);
	sample_has(&screen, "filter: Foo_   1 of 2 types");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_says),
		cmocka_unit_test(what_is_out_of_the_ordinary),
		cmocka_unit_test(split_adds_up),
		cmocka_unit_test(bottom_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
