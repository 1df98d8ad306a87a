/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <string.h>

#include "tui/canvas.h"

#define AT(x, y, width) ((struct canvas_place){ x, y, width, CANVAS_PLAIN })

static void expect_row(const struct canvas *canvas, size_t y, const char *wanted)
{
	char text[512];

	assert_string_equal(canvas_row_text(canvas, y, text, sizeof(text)), wanted);
}

static void clips(void **state)
{
	_cleanup_canvas_ struct canvas c = { 0 };

	assert_int_equal(canvas_init(&c, 10, 2, true), 0);
	assert_int_equal(canvas_put(&c, AT(6, 0, 10), "abcdef"), 4);
	expect_row(&c, 0, "      abcd");
	assert_int_equal(canvas_put(&c, AT(0, 1, 3), "abcdef"), 3);
	expect_row(&c, 1, "abc");
	assert_int_equal(canvas_put(&c, AT(10, 0, 5), "x"), 0);
	assert_int_equal(canvas_put(&c, AT(0, 2, 5), "x"), 0);
	canvas_put_right(&c, AT(4, 1, 6), "42");
	expect_row(&c, 1, "abc     42");
}

static void hostile_text(void **state)
{
	_cleanup_canvas_ struct canvas c = { 0 };

	assert_int_equal(canvas_init(&c, 40, 1, true), 0);
	/* Escape sequences, line breaks, a bidi override, broken UTF-8. */
	canvas_put(&c, AT(0, 0, 40),
		   "a\033[2Jb\nc\r\xe2\x80\xae"
		   "d\xff"
		   "e");
	expect_row(&c, 0,
		   "a?[2Jb?c??d\xef\xbf\xbd"
		   "e");
	canvas_clear(&c);
	/* One letter under a mountain of marks stays in its cell, and what has no width takes none.
	 */
	for (int i = 0; i < 3; i++)
		canvas_put(
			&c, AT(0, 0, 40),
			"e\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xe2\x80\x8bz");
	assert_string_equal(canvas_cell(&c, 1, 0)->text, "z");
	assert_true(strlen(canvas_cell(&c, 0, 0)->text) < CANVAS_CELL_MAX);
}

static void wide_characters(void **state)
{
	_cleanup_canvas_ struct canvas c = { 0 };

	assert_int_equal(canvas_init(&c, 6, 1, true), 0);
	assert_int_equal(canvas_put(&c, AT(0, 0, 5), "日本語"), 4); /* half of one does not show */
	assert_int_equal(canvas_cell(&c, 0, 0)->width, 2);
	assert_int_equal(canvas_cell(&c, 1, 0)->width, 0);
	/* One that is half overwritten goes as a whole. */
	canvas_put(&c, AT(1, 0, 1), "x");
	expect_row(&c, 0, " x本");
	canvas_put(&c, AT(2, 0, 1), "y");
	expect_row(&c, 0, " xy");
}

static void ascii(void **state)
{
	_cleanup_canvas_ struct canvas c = { 0 };

	assert_int_equal(canvas_init(&c, 20, 1, false), 0);
	canvas_put(&c, AT(0, 0, 20), "é日\xcc\x81x");
	expect_row(&c, 0, "???x");
	for (int i = 0; i < CANVAS_GLYPHS_COUNT; i++)
		assert_true((unsigned char)*canvas_glyph(&c, i) < 0x80);
}

static void tail(void **state)
{
	_cleanup_canvas_ struct canvas c = { 0 };

	assert_int_equal(canvas_init(&c, 20, 3, true), 0);
	canvas_put_tail(&c, AT(0, 0, 8), "app.models.Foo");
	expect_row(&c, 0, "…els.Foo");
	canvas_put_tail(&c, AT(0, 1, 14), "app.models.Foo");
	expect_row(&c, 1, "app.models.Foo");
	canvas_put_tail(&c, AT(0, 2, 4), "日本語");
	expect_row(&c, 2, "…語");
}

static void styles_and_copies(void **state)
{
	_cleanup_canvas_ struct canvas from = { 0 }, to = { 0 };

	assert_int_equal(canvas_init(&from, 4, 3, true), 0);
	assert_int_equal(canvas_init(&to, 4, 2, true), 0);
	canvas_put(&from, AT(0, 1, 4), "one");
	canvas_put(&from, AT(0, 2, 4), "two");
	canvas_restyle(&from, (struct canvas_place){ 0, 2, 4, CANVAS_BOLD });
	canvas_copy_rows(&to, 0, &from, 1, 9);
	expect_row(&to, 0, "one");
	expect_row(&to, 1, "two");
	assert_int_equal(canvas_cell(&to, 3, 1)->style, CANVAS_BOLD);
	assert_int_equal(canvas_cell(&to, 3, 0)->style, CANVAS_PLAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clips),
		cmocka_unit_test(hostile_text),
		cmocka_unit_test(wide_characters),
		cmocka_unit_test(ascii),
		cmocka_unit_test(tail),
		cmocka_unit_test(styles_and_copies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
