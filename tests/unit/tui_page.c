/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <string.h>

#include "tui/page.h"

static void expect_row(const struct page *page, size_t y, const char *wanted)
{
	char text[512];

	assert_string_equal(canvas_row_text(&page->canvas, y, text, sizeof(text)), wanted);
}

static void breaks_words(void **unused)
{
	_cleanup_page_ struct page page = { 0 };

	assert_int_equal(page_init(&page, 12, true, NULL), 0);
	page_text(&page, 2, "one two three  unbreakable-word x");
	expect_row(&page, 0, "  one two");
	expect_row(&page, 1, "  three");
	expect_row(&page, 2, "  unbreakabl");
	expect_row(&page, 3, "  x");
	assert_int_equal(page.y, 4);
	page_text(&page, 2, "");
	assert_int_equal(page.y, 4);
}

static void bars(void **unused)
{
	const struct page_bar half = { "label", "5", 5, 10, CANVAS_PLAIN };
	_cleanup_page_ struct page page = { 0 };

	assert_int_equal(page_init(&page, 40, true, NULL), 0);
	page_bar(&page, &half);
	expect_row(&page, 0, "  label                    5   50%  ██");
}

static void ends_somewhere(void **unused)
{
	_cleanup_page_ struct page page = { 0 };
	size_t y;

	assert_int_equal(page_init(&page, 40, true, NULL), 0);
	for (int i = 0; i < 10000; i++) {
		page_heading(&page, "heading %d", i);
		page_line(&page, CANVAS_PLAIN, "line");
		page_text(&page, 1, "some text that is longer than the page is wide, by far");
		page_bar(&page, &(struct page_bar){ "a", "b", 1, 1, CANVAS_PLAIN });
	}
	y = page.y;
	page_line(&page, CANVAS_PLAIN, "line");
	assert_int_equal(page.y, y);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(breaks_words),
		cmocka_unit_test(bars),
		cmocka_unit_test(ends_somewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
