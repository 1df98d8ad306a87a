/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>

#include "base/utf8.h"
#include "base/util.h"
#include "view/table.h"

static const struct table_column columns[] = {
	{ .title = "NAME", .least = 4, .cut_front = true },
	{ .title = "N", .align = TABLE_RIGHT },
	{ .title = "REST", .drop = 1 },
};

static struct table *make(const char *const *cells, size_t count)
{
	struct table *table = table_new(columns, ARRAY_SIZE(columns));

	assert_non_null(table);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(table_add(table, cells[i]), 0);
	return table;
}

static void assert_table(const char *const *cells, size_t count, size_t width, const char *expected)
{
	_cleanup_table_ struct table *table = make(cells, count);
	_cleanup_free_ char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_int_equal(table_write(table, out, 0, width, false), 0);
	fclose(out);
	assert_string_equal(text, expected);
}

static void aligned(void **state)
{
	const char *const cells[] = { "a", "1", "x", "abcde", "100", "yy" };

	assert_table(cells, ARRAY_SIZE(cells), 0,
		     "NAME     N  REST\n"
		     "a        1  x\n"
		     "abcde  100  yy\n");
}

static void by_display_width(void **state)
{
	const char *const cells[] = { "日本", "1", "", "é", "2", "" };

	assert_table(cells, ARRAY_SIZE(cells), 0,
		     "NAME  N  REST\n"
		     "日本  1\n"
		     "é     2\n");
}

static void names_keep_their_end(void **state)
{
	const char *const cells[] = { "module.Class", "1", "x" };

	assert_table(cells, ARRAY_SIZE(cells), 16,
		     "NAME     N  REST\n"
		     "….Class  1  x\n");
}

static void columns_leave_when_cutting_is_not_enough(void **state)
{
	const char *const cells[] = { "module.Class", "1", "x" };

	assert_table(cells, ARRAY_SIZE(cells), 10,
		     "NAME     N\n"
		     "….Class  1\n");
}

static void cut_between_characters(void **state)
{
	const char *const cells[] = { "日本日本日本", "1", "x" };

	/* A wide character that fits only by half is left out. */
	assert_table(cells, ARRAY_SIZE(cells), 10,
		     "NAME     N\n"
		     "…本日本  1\n");
	assert_table(cells, ARRAY_SIZE(cells), 9,
		     "NAME    N\n"
		     "…日本   1\n");
}

static void no_line_is_wider_than_the_terminal(void **state)
{
	const char *const cells[] = {
		"a.very.long.name.of.some.Class", "1,234,567", "and more", "b", "2", "c"
	};

	for (size_t width = 17; width < 60; width++) {
		_cleanup_table_ struct table *table = make(cells, ARRAY_SIZE(cells));
		_cleanup_free_ char *text = NULL;
		size_t len;
		FILE *out = open_memstream(&text, &len);

		table_write(table, out, 2, width, false);
		fclose(out);
		for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
			assert_in_range(utf8_width(line), 1, width);
	}
}

static void control_characters_are_harmless(void **state)
{
	const char *const cells[] = { "\033[31mred\n", "\xff", "x" };
	_cleanup_table_ struct table *table = make(cells, ARRAY_SIZE(cells));
	_cleanup_free_ char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	table_write(table, out, 0, 0, false);
	fclose(out);
	assert_null(strchr(text, '\033'));
	assert_ptr_equal(strchr(strchr(text, '\n') + 1, '\n'), text + len - 1);
	assert_non_null(strstr(text, "\xef\xbf\xbd"));
}

static void full_disk_is_an_error(void **state)
{
	const char *const cells[] = { "a", "1", "x" };
	_cleanup_table_ struct table *table = make(cells, ARRAY_SIZE(cells));
	_cleanup_fclose_ FILE *out = fopen("/dev/full", "w");

	setbuf(out, NULL);
	assert_int_equal(table_write(table, out, 0, 0, false), -ENOSPC);
}

static void too_many_columns(void **state)
{
	assert_null(table_new(columns, 0));
	assert_null(table_new(columns, TABLE_COLUMNS_MAX + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(aligned),
		cmocka_unit_test(by_display_width),
		cmocka_unit_test(names_keep_their_end),
		cmocka_unit_test(columns_leave_when_cutting_is_not_enough),
		cmocka_unit_test(cut_between_characters),
		cmocka_unit_test(no_line_is_wider_than_the_terminal),
		cmocka_unit_test(control_characters_are_harmless),
		cmocka_unit_test(full_disk_is_an_error),
		cmocka_unit_test(too_many_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
