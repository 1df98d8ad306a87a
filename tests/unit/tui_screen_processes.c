/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "sample_screen.h"

static void one(void **unused)
{
	_cleanup_state_ struct state state = { 0 };
	struct sample_screen screen;

	sample_state(&state);
	state.screen = STATE_PROCESSES;
	sample_draw(&state, 80, 24, true, &screen);
	sample_has(&screen, "With -s its children");
}

static void several(void **unused)
{
	_cleanup_state_ struct state state = { 0 };
	struct sample_screen screen;
	struct picture *pic;

	sample_state(&state);
	pic = state.shown;
	pic->members = calloc(2, sizeof(*pic->members));
	pic->members_count = 2;
	pic->members[0] = (struct picture_member){
		100, strdup("gunicorn"), false, 3 << 20, 1 << 20, 1 << 19, 0, 5
	};
	pic->members[1] = (struct picture_member){
		101, strdup("gunicorn"), true, 3 << 20, 1 << 20, 1 << 19, 0, 5
	};
	state.screen = STATE_PROCESSES;
	sample_draw(&state, 80, 24, true, &screen);
	sample_has(&screen, "      100    3.0 MiB    1.0 MiB  512.0 KiB");
	sample_has(&screen, "(ended) gunicorn");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one),
		cmocka_unit_test(several),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
