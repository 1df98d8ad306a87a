/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "sample_screen.h"

static void tables(void **unused)
{
	_cleanup_state_ struct state state = { 0 };
	struct sample_screen screen;

	sample_state(&state);
	state.shown->dicts_by_owner[PICTURE_OWNER_PLAIN].owned = PICTURE_UNKNOWN;
	state.screen = STATE_DICTS;
	sample_draw(&state, 110, 32, true, &screen);
	sample_has(&screen, "  unicode          10      640 B   60%        20      256 B");
	sample_has(&screen, "  plain            10      640 B     -         -          -");
}

static void a_class_that_stopped_sharing_its_keys(void **unused)
{
	_cleanup_state_ struct state state = { 0 };
	struct sample_screen screen;
	struct picture *pic;

	sample_state(&state);
	state.screen = STATE_DICTS;
	sample_draw(&state, 110, 60, true, &screen);
	sample_lacks(&screen, "LAYOUT CHANGES");
	pic = state.shown;
	pic->events.layout_changes = calloc(1, sizeof(*pic->events.layout_changes));
	assert_non_null(pic->events.layout_changes);
	pic->events.layout_changes_count = 1;
	pic->events.layout_changes[0] = (struct picture_layout_change){
		.type = strdup("app.Item"),
		.objects = 1000,
		.keys = calloc(1, sizeof(char *)),
		.keys_count = 1,
	};
	pic->events.layout_changes[0].keys[0] = strdup("cache");
	sample_draw(&state, 110, 60, true, &screen);
	sample_has(&screen, "LAYOUT CHANGES");
	sample_has(&screen, "app.Item stopped sharing its keys before ");
	sample_has(&screen, "1,000 instances own theirs");
	sample_has(&screen, "cache");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables),
		cmocka_unit_test(a_class_that_stopped_sharing_its_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
