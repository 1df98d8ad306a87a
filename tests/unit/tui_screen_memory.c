/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "sample_screen.h"

static void draw(struct state *state, struct sample_screen *screen)
{
	state->screen = STATE_MEMORY;
	sample_draw(state, 110, 60, true, screen);
}

static void parts(void **unused)
{
	_cleanup_state_ struct state state = { 0 };
	struct sample_screen screen;

	sample_state(&state);
	draw(&state, &screen);
	sample_has(&screen, "Memory map: 50.0 MiB resident");
	sample_has(&screen, "    free pools     992.0 KiB   96%");
	sample_has(&screen, "  malloc             3.0 MiB  100%");
	sample_has(&screen, "    free                   -     -"); /* not known is no zero */
	sample_has(&screen, "   64         1          100          154    39%");
}

static void verdicts(void **unused)
{
	_cleanup_state_ struct state state = { 0 };
	struct sample_screen screen;

	sample_state(&state);
	draw(&state, &screen);
	sample_has(&screen, "No verdict");
	state.shown->memory.verdict = strdup("much is free between live objects");
	draw(&state, &screen);
	sample_has(&screen, "  much is free between live objects");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts),
		cmocka_unit_test(verdicts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
