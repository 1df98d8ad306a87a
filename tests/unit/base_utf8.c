/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <string.h>

#include "base/utf8.h"
#include "base/util.h"

#define BAD "\xEF\xBF\xBD" /* U+FFFD */

struct utf8_case {
	const char *in, *out;
};

static void keeps_valid_text(void **state)
{
	static const char *const valid[] = { "",
					     "plain",
					     "h\xC3\xA9",
					     "\xE6\x97\xA5\xE6\x9C\xAC",
					     "\xF0\x9F\x90\x8D",
					     "\xF4\x8F\xBF\xBF" };
	char out[64];

	for (size_t i = 0; i < ARRAY_SIZE(valid); i++) {
		size_t len = utf8_sanitize(out, sizeof(out), valid[i], strlen(valid[i]));

		assert_int_equal(len, strlen(valid[i]));
		assert_string_equal(out, valid[i]);
	}
}

static void replaces_invalid_bytes(void **state)
{
	static const struct utf8_case cases[] = {
		{ "a\xFFz", "a" BAD "z" },
		{ "\x80", BAD },
		{ "\xC3", BAD },			 /* cut short */
		{ "\xC0\xAF", BAD BAD },		 /* overlong '/' */
		{ "\xE0\x80\xAF", BAD BAD BAD },	 /* overlong in three */
		{ "\xED\xA0\x80", BAD BAD BAD },	 /* surrogate */
		{ "\xF4\x90\x80\x80", BAD BAD BAD BAD }, /* past U+10FFFF */
		{ "\xE6\x97z", BAD BAD "z" },		 /* broken off by ASCII */
	};
	char out[64];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		utf8_sanitize(out, sizeof(out), cases[i].in, strlen(cases[i].in));
		assert_string_equal(out, cases[i].out);
	}
}

static void truncates_between_characters(void **state)
{
	char out[6];

	memset(out, 'x', sizeof(out));
	assert_int_equal(utf8_sanitize(out, 4, "ab\xC3\xA9", 4), 2);
	assert_string_equal(out, "ab");
	assert_int_equal(utf8_sanitize(out, 5, "ab\xC3\xA9", 4), 4);
	assert_string_equal(out, "ab\xC3\xA9");
	assert_int_equal(utf8_sanitize(out, 1, "ab", 2), 0);
	assert_string_equal(out, "");
	out[0] = 'x';
	assert_int_equal(utf8_sanitize(out, 0, "ab", 2), 0);
	assert_int_equal(out[0], 'x');
}

static void passes_over_nul_bytes(void **state)
{
	char out[8];

	assert_int_equal(utf8_sanitize(out, sizeof(out), "a\0b", 3), 3);
	assert_memory_equal(out, "a\0b", 4);
	assert_int_equal(utf8_printable(out, sizeof(out), "a\0b", 3), 3);
	assert_string_equal(out, "a?b");
}

static void disarms_terminal_controls(void **state)
{
	static const struct utf8_case cases[] = {
		{ "\033]0;title\a", "?]0;title?" },
		{ "tab\tnl\n", "tab?nl?" },
		{ "del\x7F", "del?" },
		{ "\xC2\x9B"
		  "31m",
		  "?31m" }, /* C1 CSI */
		{ "a\xE2\x80\xAE"
		  "b",
		  "a?b" }, /* right-to-left override */
		{ "\xC3\xA9\xFF", "\xC3\xA9" BAD },
	};
	char out[64];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		utf8_printable(out, sizeof(out), cases[i].in, strlen(cases[i].in));
		assert_string_equal(out, cases[i].out);
	}
}

static void widths(void **state)
{
	assert_int_equal(utf8_width(""), 0);
	assert_int_equal(utf8_width("abc"), 3);
	assert_int_equal(utf8_width("h\xC3\xA9"), 2);
	assert_int_equal(utf8_width("e\xCC\x81"), 1);
	assert_int_equal(utf8_width("\xE6\x97\xA5\xE6\x9C\xAC"), 4);
	assert_int_equal(utf8_width("\xF0\x9F\x90\x8D"), 2);
}

static void encodes(void **state)
{
	char out[4];

	assert_int_equal(utf8_put(out, 'A'), 1);
	assert_memory_equal(out, "A", 1);
	assert_int_equal(utf8_put(out, 0xE9), 2);
	assert_memory_equal(out, "\xC3\xA9", 2);
	assert_int_equal(utf8_put(out, 0x65E5), 3);
	assert_memory_equal(out, "\xE6\x97\xA5", 3);
	assert_int_equal(utf8_put(out, 0x1F40D), 4);
	assert_memory_equal(out, "\xF0\x9F\x90\x8D", 4);
	assert_int_equal(utf8_put(out, 0xD800), 3);
	assert_memory_equal(out, BAD, 3);
	assert_int_equal(utf8_put(out, 0x110000), 3);
	assert_memory_equal(out, BAD, 3);
}

/* Whatever one or two bytes stand alone, the result is valid: sanitising it again changes nothing.
 */
static void output_is_always_valid(void **state)
{
	for (unsigned int bytes = 0; bytes < 0x10000; bytes++) {
		char in[4] = { (char)(bytes >> 8), (char)bytes, '\xA0', '\x80' }, once[32],
		     twice[32];
		size_t len = utf8_sanitize(once, sizeof(once), in, sizeof(in));

		assert_int_equal(utf8_sanitize(twice, sizeof(twice), once, len), len);
		assert_memory_equal(once, twice, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_valid_text),
		cmocka_unit_test(replaces_invalid_bytes),
		cmocka_unit_test(truncates_between_characters),
		cmocka_unit_test(passes_over_nul_bytes),
		cmocka_unit_test(disarms_terminal_controls),
		cmocka_unit_test(widths),
		cmocka_unit_test(encodes),
		cmocka_unit_test(output_is_always_valid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
