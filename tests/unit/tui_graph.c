/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/util.h"
#include "tui/graph.h"

#define AT(width) ((struct canvas_place){ 0, 0, width, CANVAS_PLAIN })

static void expect_row(const struct canvas *canvas, size_t y, const char *wanted)
{
	char text[512];

	assert_string_equal(canvas_row_text(canvas, y, text, sizeof(text)), wanted);
}

static void sparks(void **state)
{
	static const int64_t values[] = { 0, 100, 200, 300, 400, 500, 600, 700 };
	static const int64_t flat[] = { 1000, 1001, 1000 }, gap[] = { 0, -1, 700 };
	_cleanup_canvas_ struct canvas c = { 0 };

	assert_int_equal(canvas_init(&c, 20, 1, true), 0);
	graph_spark(&c, AT(8), values, ARRAY_SIZE(values));
	expect_row(&c, 0, "▁▂▃▄▅▆▇█");
	canvas_clear(&c);
	graph_spark(&c, AT(4), values, ARRAY_SIZE(values));
	expect_row(&c, 0, "▂▄▆█");
	canvas_clear(&c);
	graph_spark(&c, AT(5), flat, ARRAY_SIZE(flat));
	expect_row(&c, 0, "  ▄▅▄"); /* noise is no mountain; few values stand at the right */
	canvas_clear(&c);
	graph_spark(&c, AT(3), gap, ARRAY_SIZE(gap));
	expect_row(&c, 0, "▁ █");
	canvas_clear(&c);
	graph_spark(&c, AT(3), NULL, 0);
	expect_row(&c, 0, "");
}

static void bars(void **state)
{
	_cleanup_canvas_ struct canvas c = { 0 };

	assert_int_equal(canvas_init(&c, 10, 1, true), 0);
	graph_bar(&c, AT(10), 55, 100);
	expect_row(&c, 0, "█████▌");
	canvas_clear(&c);
	graph_bar(&c, AT(10), 500, 100);
	expect_row(&c, 0, "██████████");
	canvas_clear(&c);
	graph_bar(&c, AT(10), 5, 0);
	graph_bar(&c, AT(10), INT64_MIN, 10);
	expect_row(&c, 0, "");
}

static void stacks(void **state)
{
	const struct graph_segment list[] = {
		{ 6000, CANVAS_GLYPH_LIVE, CANVAS_LIVE },
		{ 1, CANVAS_GLYPH_FREE, CANVAS_FREE },
		{ 0, CANVAS_GLYPH_NATIVE, CANVAS_NATIVE },
		{ 4000, CANVAS_GLYPH_OTHER, CANVAS_OTHER },
	};
	_cleanup_canvas_ struct canvas c = { 0 };

	assert_int_equal(canvas_init(&c, 10, 1, false), 0);
	graph_stack(&c, AT(10), list, ARRAY_SIZE(list));
	expect_row(&c, 0, "#####.::::"); /* the small one is seen, the empty one is not */
}

static void plots(void **state)
{
	static const int64_t values[] = { 0, 50, 100 };
	_cleanup_canvas_ struct canvas c = { 0 };

	assert_int_equal(canvas_init(&c, 3, 2, true), 0);
	graph_plot(&c, AT(3), 2, values, ARRAY_SIZE(values));
	expect_row(&c, 0, " ▁█");
	expect_row(&c, 1, "▁██");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sparks),
		cmocka_unit_test(bars),
		cmocka_unit_test(stacks),
		cmocka_unit_test(plots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
