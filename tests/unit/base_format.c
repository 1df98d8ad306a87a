/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "base/format.h"
#include "base/util.h"

static void sizes(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{ 0, "0 B" },
		{ 1023, "1023 B" },
		{ 1024, "1.0 KiB" },
		{ 1536, "1.5 KiB" },
		{ MiB - 1, "1.0 MiB" },
		{ 3 * GiB / 2, "1.5 GiB" },
		{ UINT64_MAX, "16.0 EiB" },
	};
	char buf[FORMAT_SIZE_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(format_size(buf, cases[i].bytes), cases[i].text);
}

static void size_deltas(void **state)
{
	char buf[FORMAT_SIZE_MAX];

	assert_string_equal(format_size_delta(buf, 0), "0 B");
	assert_string_equal(format_size_delta(buf, 1536), "+1.5 KiB");
	assert_string_equal(format_size_delta(buf, -312), "-312 B");
	assert_string_equal(format_size_delta(buf, INT64_MIN), "-8.0 EiB");
}

static void counts(void **state)
{
	char buf[FORMAT_SIZE_MAX];

	assert_string_equal(format_count(buf, 0), "0");
	assert_string_equal(format_count(buf, 999), "999");
	assert_string_equal(format_count(buf, 1000), "1,000");
	assert_string_equal(format_count(buf, 1234567), "1,234,567");
	assert_string_equal(format_count(buf, UINT64_MAX), "18,446,744,073,709,551,615");
}

static void elapsed(void **state)
{
	char buf[FORMAT_SIZE_MAX];

	assert_string_equal(format_elapsed(buf, 0), "0s");
	assert_string_equal(format_elapsed(buf, 59), "59s");
	assert_string_equal(format_elapsed(buf, 125), "2m05s");
	assert_string_equal(format_elapsed(buf, 3725), "1h02m");
	assert_string_equal(format_elapsed(buf, 3 * 86400 + 4 * 3600 + 59), "3d04h");
	assert_string_equal(format_elapsed(buf, UINT64_MAX), "213503982334601d07h");
}

static void durations(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} cases[] = {
		{ "250ms", 250000000 }, { "10s", 10000000000 },
		{ "2m", 120000000000 }, { "1h", 3600000000000 },
		{ "2", 2000000000 },	{ "0.5", 500000000 },
		{ "1.5s", 1500000000 }, { "0", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t ns = 1;

		assert_int_equal(format_parse_duration(cases[i].text, &ns), 0);
		assert_int_equal(ns, cases[i].ns);
	}
}

static void parsed_sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} cases[] = {
		{ "10MiB", 10 * MiB }, { "512K", 512 * KiB }, { "1GB", 1000000000 },
		{ "2KB", 2000 },       { "77", 77 },	      { "1.5KiB", 1536 },
		{ "3B", 3 },	       { "1GiB", GiB },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t bytes = 0;

		assert_int_equal(format_parse_size(cases[i].text, &bytes), 0);
		assert_int_equal(bytes, cases[i].bytes);
	}
}

static void refused(void **state)
{
	static const char *const bad[] = {
		"",    "s",    "-1s", "1 s", "1e3", "0x10", "nan",
		"inf", "1..5", "1.",  ".5",  "+1",  "1ss",  "99999999999999999h",
		"1,5"
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		uint64_t n = 42;
		double ratio = 42;

		assert_int_equal(format_parse_duration(bad[i], &n), -EINVAL);
		assert_int_equal(format_parse_size(bad[i], &n), -EINVAL);
		assert_int_equal(format_parse_ratio(bad[i], &ratio), -EINVAL);
		/* Outputs stay as they were. */
		assert_int_equal(n, 42);
		assert_true(ratio == 42);
	}
}

static void too_many_digits(void **state)
{
	char digits[1000];
	uint64_t n = 42;

	memset(digits, '9', sizeof(digits));
	digits[sizeof(digits) - 1] = '\0';
	assert_int_equal(format_parse_size(digits, &n), -EINVAL);
	assert_int_equal(format_parse_size("9223372036854775808", &n), -EINVAL);
	assert_int_equal(n, 42);
}

static void ratios(void **state)
{
	double ratio;

	assert_int_equal(format_parse_ratio("2%", &ratio), 0);
	assert_float_equal(ratio, 0.02, 1e-9);
	assert_int_equal(format_parse_ratio("0.02", &ratio), 0);
	assert_float_equal(ratio, 0.02, 1e-9);
	assert_int_equal(format_parse_ratio("100%", &ratio), 0);
	assert_float_equal(ratio, 1, 1e-9);
	assert_int_equal(format_parse_ratio("101%", &ratio), -EINVAL);
	assert_int_equal(format_parse_ratio("2", &ratio), -EINVAL);
}

static void timestamps(void **state)
{
	char buf[32];

	assert_string_equal(format_timestamp(buf, 0), "1970-01-01T00:00:00.000Z");
	assert_string_equal(format_timestamp(buf, 1767225600123999999ull),
			    "2026-01-01T00:00:00.123Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),	   cmocka_unit_test(size_deltas),
		cmocka_unit_test(counts),	   cmocka_unit_test(durations),
		cmocka_unit_test(parsed_sizes),	   cmocka_unit_test(refused),
		cmocka_unit_test(too_many_digits), cmocka_unit_test(ratios),
		cmocka_unit_test(timestamps),	   cmocka_unit_test(elapsed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
