/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>
#include <jansson.h>

#include "base/util.h"
#include "sample_picture.h"
#include "view/json.h"
#include "view/json_read.h"

static char *write_text(const struct picture *pic, const struct rows *rows, enum json_style style)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_int_equal(json_write_picture(out, pic, rows, style), 0);
	fclose(out);
	return text;
}

static json_t *write_json(const struct picture *pic)
{
	_cleanup_free_ char *text = write_text(pic, NULL, JSON_STYLE_ROWS);
	json_error_t err;
	json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &err);

	if (!json)
		fail_msg("line %d: %s", err.line, err.text);
	return json;
}

static json_t *get(json_t *json, const char *key)
{
	json_t *value = json_object_get(json, key);

	if (!value)
		fail_msg("no member %s", key);
	return value;
}

static void values(void **state)
{
	_cleanup_picture_ struct picture *pic = sample_picture();
	json_t *json = write_json(pic), *type = json_array_get(get(json, "types"), 0);

	assert_string_equal(json_string_value(get(json, "schema")), "pymemtop.snapshot/1");
	assert_string_equal(json_string_value(get(json, "taken_at")), "2026-01-01T00:00:00.250Z");
	assert_true(json_is_false(get(json, "partial")));
	assert_int_equal(json_integer_value(get(get(json, "process"), "pid")), 4242);
	assert_true(json_is_null(get(get(get(json, "memory"), "malloc"), "free_bytes")));
	assert_string_equal(json_string_value(get(type, "name")), "app.Foo");
	assert_string_equal(json_string_value(get(type, "address")), "0x7f0000001000");
	assert_string_equal(json_string_value(get(type, "kind")), "heap");
	assert_int_equal(json_integer_value(get(get(type, "bytes"), "dict_values")), 4800);
	assert_int_equal(json_integer_value(get(get(type, "storage"), "inline")), 100);
	assert_int_equal(json_array_size(get(get(type, "shared_keys"), "names")), 2);
	assert_true(json_is_null(get(type, "capacity")));
	assert_true(json_is_null(get(type, "delta_bytes")));
	assert_true(json_is_null(get(type, "rate_error")));
	assert_true(json_is_null(get(json_array_get(get(json, "types"), 1), "shared_keys")));
	json_decref(json);
}

static void order_of_members(void **state)
{
	static const char *const expected[] = {
		"schema",  "pymemtop_version", "taken_at", "partial", "partial_reasons",
		"process", "memory",	       "types",	   "dicts",   "unattributed",
		"census",  "events",	       "advice",
	};
	_cleanup_picture_ struct picture *pic = sample_picture();
	json_t *json = write_json(pic), *value;
	const char *key;
	size_t i = 0;

	json_object_foreach (json, key, value)
		assert_string_equal(key, expected[i++]);
	assert_int_equal(i, ARRAY_SIZE(expected));
	json_decref(json);
}

static void empty_picture_is_all_null(void **state)
{
	_cleanup_picture_ struct picture *pic = picture_new();
	json_t *json = write_json(pic);

	assert_int_equal(json_array_size(get(json, "types")), 0);
	assert_true(json_is_null(get(get(json, "memory"), "rss_bytes")));
	assert_true(json_is_null(get(get(json, "census"), "duration_ms")));
	assert_true(json_is_null(get(get(json, "process"), "exe")));
	json_decref(json);
}

static void bad_strings_are_repaired(void **state)
{
	_cleanup_picture_ struct picture *pic = sample_picture();
	json_t *json;

	free(pic->types[0].name);
	pic->types[0].name = strdup("a\xff\"\n");
	json = write_json(pic);
	assert_string_equal(json_string_value(get(json_array_get(get(json, "types"), 0), "name")),
			    "a\xef\xbf\xbd\"\n");
	json_decref(json);
}

static void line_style_is_one_line(void **state)
{
	_cleanup_picture_ struct picture *pic = sample_picture();
	_cleanup_free_ char *text = write_text(pic, NULL, JSON_STYLE_LINE);

	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

static void rows_choose_types(void **state)
{
	_cleanup_picture_ struct picture *pic = sample_picture();
	const struct rows_options opts = { .sort = rows_find_key("name"), .limit = 1 };
	_cleanup_rows_ struct rows rows = { 0 };
	_cleanup_free_ char *text = NULL;

	assert_int_equal(rows_init(&rows, pic, &opts), 0);
	text = write_text(pic, &rows, JSON_STYLE_ROWS);
	assert_non_null(strstr(text, "\"app.Foo\""));
	assert_null(strstr(text, "\"dict\", \"address\""));
}

static void full_disk_is_an_error(void **state)
{
	_cleanup_picture_ struct picture *pic = sample_picture();
	_cleanup_fclose_ FILE *out = fopen("/dev/full", "w");

	assert_non_null(out);
	assert_int_equal(json_write_picture(out, pic, NULL, JSON_STYLE_ROWS), -ENOSPC);
}

static void round_trip(void **state)
{
	static const enum json_style styles[] = { JSON_STYLE_LINE, JSON_STYLE_ROWS };
	_cleanup_picture_ struct picture *pic = sample_picture();

	for (size_t i = 0; i < ARRAY_SIZE(styles); i++) {
		_cleanup_free_ char *text = write_text(pic, NULL, styles[i]), *again = NULL;
		_cleanup_fclose_ FILE *in = fmemopen(text, strlen(text), "r");
		_cleanup_picture_ struct picture *back = NULL;
		struct error err = { 0 };
		int r = json_read_picture(in, "test", &back, &err);

		if (r)
			fail_msg("%s", err.text);
		again = write_text(back, NULL, styles[i]);
		assert_string_equal(text, again);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values),
		cmocka_unit_test(order_of_members),
		cmocka_unit_test(empty_picture_is_all_null),
		cmocka_unit_test(bad_strings_are_repaired),
		cmocka_unit_test(line_style_is_one_line),
		cmocka_unit_test(rows_choose_types),
		cmocka_unit_test(full_disk_is_an_error),
		cmocka_unit_test(round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
