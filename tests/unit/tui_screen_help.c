/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "sample_screen.h"
#include "tui/keys.h"

/* On 80x24 the whole help is on one screen, with every key of the table. */
static void complete(void **unused)
{
	_cleanup_state_ struct state state = { 0 };
	struct sample_screen screen;
	size_t count;
	const struct keys_row *rows = keys_all(&count);

	sample_state(&state);
	state.screen = STATE_HELP;
	sample_draw(&state, 80, 24, true, &screen);
	assert_int_equal(state.scroll_max, 0);
	for (size_t i = 0; i < count; i++) {
		if (rows[i].shown) {
			sample_has(&screen, rows[i].shown);
			sample_has(&screen, rows[i].help);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
