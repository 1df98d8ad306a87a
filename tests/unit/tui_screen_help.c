/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "sample_screen.h"
#include "tui/keys.h"

/* One line of the table of keys, whole, in one of the two ways. */
static void has_row(const struct sample_screen *screen, const struct keys_row *row, bool wide)
{
	char line[128];

	snprintf(line, sizeof(line), "  %-12s %s", row->shown, wide ? row->help : row->brief);
	sample_has(screen, line);
}

/* Whatever the size, the whole help is on one screen, with every key of the table. */
static void complete(void **unused)
{
	_cleanup_state_ struct state state = { 0 };
	struct sample_screen screen;
	size_t count;
	const struct keys_row *rows = keys_all(&count);

	sample_state(&state);
	state.screen = STATE_HELP;
	for (size_t width = SCREEN_WIDTH_MIN; width <= 200; width += 5) {
		for (size_t height = SCREEN_HEIGHT_MIN; height <= 60; height++) {
			sample_draw(&state, width, height, width % 2, &screen);
			assert_int_equal(state.scroll_max, 0);
			sample_has(&screen, "TREND: the last two minutes");
			for (size_t i = 0; i < count; i++) {
				if (rows[i].shown)
					has_row(&screen, &rows[i], width >= 80 && height >= 22);
			}
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
