/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>

#include "base/utf8.h"
#include "base/util.h"
#include "sample_picture.h"
#include "view/text.h"

typedef int (*writer)(FILE *out, const struct picture *pic, const struct rows *rows,
		      const struct text_options *opts);

static char *render(writer write, const struct picture *pic, size_t limit, size_t width)
{
	const struct rows_options which = { .limit = limit };
	const struct text_options how = { .width = width };
	_cleanup_rows_ struct rows rows = { 0 };
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_int_equal(rows_init(&rows, pic, &which), 0);
	assert_int_equal(write(out, pic, &rows, &how), 0);
	fclose(out);
	return text;
}

static void assert_has(const char *text, const char *line)
{
	if (!strstr(text, line))
		fail_msg("no \"%s\" in:\n%s", line, text);
}

static void everything_is_there(void **state)
{
	_cleanup_picture_ struct picture *pic = sample_picture();
	_cleanup_free_ char *text = render(text_write_picture, pic, 0, 0);

	assert_has(text, "PID     4242  python3 app.py\n");
	assert_has(text, "Python  3.11.7, shared libpython, with symbols, pymalloc\n");
	assert_has(
		text,
		"2026-01-01T00:00:00.250Z, census 12 ms every 2.0 s, 108 blocks, 99.6% attributed");
	assert_has(text, "budget, 3.2% of 10.0 s traced, 12,345 records, 0 lost, overhead 0.4% of "
			 "2.0% allowed");
	assert_has(text, "resident          50.0 MiB  the sum of the seven that follow\n");
	assert_has(text, "malloc             3.0 MiB  glibc\n");
	assert_has(text, "  free                   -\n");
	assert_has(text,
		   "TYPE     OBJECTS     BYTES   SIZEOF   DELTA  STORAGE      ALLOC/S  FREE/S\n"
		   "app.Foo      100  10.9 KiB  5.5 KiB       -  inline 100%        -       -\n"
		   "dict           7   1.0 KiB    512 B  -400 B  -              1,235     0.2\n");
	assert_has(text, "split               10  640 B    30     50   60%\n");
	assert_has(text, "_PyObject_Free      +0x4      0  mov rax, rdi  single-stepped\n");
	assert_has(text, "4.7 KiB  app.Foo  slots  add __slots__ = ('a', 'b')\n");
	assert_null(strchr(text, '\033'));
}

static void limit_says_what_is_left_out(void **state)
{
	_cleanup_picture_ struct picture *pic = sample_picture();
	_cleanup_free_ char *text = render(text_write_picture, pic, 1, 0);

	assert_has(text, "1 more types: 7 objects, 1.0 KiB\n");
	assert_null(strstr(text, "\ndict  "));
}

static void columns_of_which_nothing_is_known_are_left_out(void **state)
{
	_cleanup_picture_ struct picture *pic = sample_picture();
	_cleanup_free_ char *text = render(text_write_picture, pic, 1, 0);

	assert_has(text, "TYPE     OBJECTS     BYTES   SIZEOF  STORAGE\n");
}

static void the_busiest_sites_come_first(void **state)
{
	_cleanup_picture_ struct picture *pic = sample_picture();
	_cleanup_free_ char *text = NULL;

	pic->events.sites[1].hits = 6001;
	text = render(text_write_picture, pic, 0, 0);
	assert_true(strstr(text, "_PyObject_Free ") < strstr(text, "_PyObject_Malloc "));
}

static void partial_is_said(void **state)
{
	_cleanup_picture_ struct picture *pic = sample_picture();
	_cleanup_free_ char *text = NULL;

	picture_add_partial(pic, "it \033[2Jended");
	text = render(text_write_picture, pic, 0, 0);
	assert_has(text, "PARTIAL: it ?[2Jended\n");
}

static void an_empty_picture_has_no_numbers(void **state)
{
	_cleanup_picture_ struct picture *pic = picture_new();
	_cleanup_free_ char *text = render(text_write_picture, pic, 0, 0);

	assert_has(text, "resident             -  the sum of the seven that follow\n");
	assert_has(text, "census -, - blocks, - attributed");
}

/* What the target calls itself must not move the cursor. */
static void target_strings_are_harmless(void **state)
{
	_cleanup_picture_ struct picture *pic = sample_picture();
	_cleanup_free_ char *text = NULL;

	free(pic->process.cmdline);
	pic->process.cmdline = strdup("a\033]0;x\007b\nc");
	free(pic->types[0].name);
	pic->types[0].name = strdup("\033[1mA\r");
	text = render(text_write_picture, pic, 0, 0);
	assert_null(strpbrk(text, "\033\007\r"));
}

static size_t count_lines(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += *text == '\n';
	return count;
}

static void the_screen_fits(void **state)
{
	_cleanup_picture_ struct picture *pic = sample_picture();
	_cleanup_free_ char *text = render(text_write_screen, pic, 1, 60);
	size_t most = 0;

	assert_in_range(count_lines(text), 1, TEXT_SCREEN_LINES + 1);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		most = MAX(most, utf8_width(line));
	assert_in_range(most, 1, 60);
}

static void processes_of_a_service_have_a_line_each(void **state)
{
	_cleanup_picture_ struct picture *pic = sample_picture();
	_cleanup_free_ char *text = NULL;

	pic->members = calloc(2, sizeof(*pic->members));
	pic->members_count = 2;
	for (size_t i = 0; i < 2; i++)
		pic->members[i] = (struct picture_member){ .pid = 100 + (pid_t)i,
							   .cmdline = strdup("gunicorn"),
							   .rss_bytes = 3 * MiB,
							   .share_bytes = 1 * MiB,
							   .python_bytes = 512 * KiB,
							   .objects = 5 };
	text = render(text_write_screen, pic, 1, 0);
	assert_has(text, "50.0 MiB PSS of all processes,");
	assert_has(text, "PID      RSS      PSS     PYTHON  OBJECTS  COMMAND\n"
			 "100  3.0 MiB  1.0 MiB  512.0 KiB        5  gunicorn\n"
			 "101  3.0 MiB  1.0 MiB  512.0 KiB        5  gunicorn\n");
}

static void colour_only_when_asked(void **state)
{
	const struct text_options how = { .colour = true };
	_cleanup_picture_ struct picture *pic = sample_picture();
	_cleanup_rows_ struct rows rows = { 0 };
	_cleanup_free_ char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_int_equal(rows_init(&rows, pic, &(struct rows_options){ 0 }), 0);
	assert_int_equal(text_write_picture(out, pic, &rows, &how), 0);
	fclose(out);
	assert_has(text, "\033[1mTYPE");
}

static void full_disk_is_an_error(void **state)
{
	_cleanup_picture_ struct picture *pic = sample_picture();
	_cleanup_fclose_ FILE *out = fopen("/dev/full", "w");
	_cleanup_rows_ struct rows rows = { 0 };

	assert_int_equal(rows_init(&rows, pic, &(struct rows_options){ 0 }), 0);
	assert_int_equal(text_write_picture(out, pic, &rows, &(struct text_options){ 0 }), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_there),
		cmocka_unit_test(limit_says_what_is_left_out),
		cmocka_unit_test(columns_of_which_nothing_is_known_are_left_out),
		cmocka_unit_test(the_busiest_sites_come_first),
		cmocka_unit_test(partial_is_said),
		cmocka_unit_test(an_empty_picture_has_no_numbers),
		cmocka_unit_test(target_strings_are_harmless),
		cmocka_unit_test(the_screen_fits),
		cmocka_unit_test(processes_of_a_service_have_a_line_each),
		cmocka_unit_test(colour_only_when_asked),
		cmocka_unit_test(full_disk_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
