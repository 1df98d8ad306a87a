/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "sample_screen.h"
#include "tui/keys.h"
#include "tui/picker.h"

static const struct picker_entry entries[] = {
	{ 100, "3.11.2", "python3 small.py", 1 << 20, NULL },
	{ 200, "3.12.1", "python3 Large.py", 9 << 20, NULL },
	{ 300, "3.7.16", "python3 old\033[2J.py", 5 << 20, "3.7 is too old" },
};

static void draw(struct picker *picker, size_t width, size_t height, struct sample_screen *screen)
{
	_cleanup_canvas_ struct canvas canvas = { 0 };

	assert_int_equal(canvas_init(&canvas, width, height, true), 0);
	picker_draw(&canvas, picker);
	sample_text(&canvas, screen);
}

static void lists(void **state)
{
	_cleanup_picker_ struct picker picker = { 0 };
	struct sample_screen screen;

	assert_int_equal(picker_set(&picker, entries, 3), 0);
	draw(&picker, 80, 24, &screen);
	sample_has(&screen, "     PID  VERSION          RSS  OK  COMMAND");
	sample_has(&screen, "     200  3.12.1       9.0 MiB  yes python3 Large.py");
	sample_has(&screen, "     300  3.7.16       5.0 MiB  no  python3 old?[2J.py");
	assert_int_equal(picker.rows[0]->pid, 200); /* the largest */
	for (size_t height = 1; height < 8; height++)
		draw(&picker, 20, height, &screen);
}

static void chooses(void **state)
{
	_cleanup_picker_ struct picker picker = { 0 };
	struct sample_screen screen;

	assert_int_equal(picker_set(&picker, entries, 3), 0);
	assert_int_equal(picker_press(&picker, KEYS_DOWN), PICKER_GO_ON);
	draw(&picker, 80, 24, &screen);
	sample_has(&screen, "3.7 is too old");
	assert_int_equal(picker_press(&picker, KEYS_ENTER), PICKER_GO_ON); /* it is not supported */
	assert_string_equal(picker.message, "3.7 is too old");
	picker_press(&picker, KEYS_END);
	assert_int_equal(picker_press(&picker, KEYS_ENTER), PICKER_CHOSEN);
	assert_int_equal(picker.rows[picker.cursor]->pid, 100);
	assert_int_equal(picker_press(&picker, KEYS_F5), PICKER_RELOAD);
	assert_int_equal(picker_set(&picker, entries + 1, 2), 0); /* the chosen one is gone */
	assert_true(picker.cursor < picker.count);
}

static void filters(void **state)
{
	_cleanup_picker_ struct picker picker = { 0 };

	assert_int_equal(picker_set(&picker, entries, 3), 0);
	for (const char *s = "large"; *s; s++)
		assert_int_equal(picker_press(&picker, *s), PICKER_GO_ON);
	assert_int_equal(picker.count, 1);
	assert_int_equal(picker.rows[0]->pid, 200);
	picker_press(&picker, 'q'); /* text, not a key */
	assert_int_equal(picker.count, 0);
	assert_int_equal(picker_press(&picker, KEYS_ENTER), PICKER_GO_ON);
	picker_press(&picker, KEYS_BACKSPACE);
	assert_int_equal(picker.count, 1);
	assert_int_equal(picker_press(&picker, KEYS_ESCAPE), PICKER_GO_ON);
	assert_int_equal(picker.count, 3);
	assert_int_equal(picker_press(&picker, KEYS_ESCAPE), PICKER_QUIT);
}

static void nothing_runs(void **state)
{
	_cleanup_picker_ struct picker picker = { 0 };
	struct sample_screen screen;

	assert_int_equal(picker_set(&picker, NULL, 0), 0);
	draw(&picker, 80, 24, &screen);
	sample_has(&screen, "no Python runs here");
	assert_int_equal(picker_press(&picker, KEYS_ENTER), PICKER_GO_ON);
	assert_int_equal(picker_press(&picker, KEYS_DOWN), PICKER_GO_ON);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists),
		cmocka_unit_test(chooses),
		cmocka_unit_test(filters),
		cmocka_unit_test(nothing_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
