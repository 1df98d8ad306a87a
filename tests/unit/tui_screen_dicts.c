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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
