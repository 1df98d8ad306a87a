/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>
#include <jansson.h>

#include "base/util.h"
#include "sample_picture.h"
#include "view/json.h"
#include "view/json_read.h"

static char *sample_text(void)
{
	_cleanup_picture_ struct picture *pic = sample_picture();
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_int_equal(json_write_picture(out, pic, NULL, JSON_STYLE_LINE), 0);
	fclose(out);
	return text;
}

static int read_text(const char *text, struct picture **ret, struct error *err)
{
	_cleanup_fclose_ FILE *in = fmemopen((char *)text, strlen(text), "r");

	return json_read_picture(in, "a.json", ret, err);
}

/* @text is refused, as a usage error whose line holds @expected. */
static void assert_refused(const char *text, const char *expected)
{
	struct picture *pic = NULL;
	struct error err = { 0 };

	assert_int_equal(read_text(text, &pic, &err), -EBADMSG);
	assert_null(pic);
	assert_int_equal(err.exit_code, EXIT_USAGE);
	assert_null(strchr(err.text, '\n'));
	assert_non_null(strstr(err.text, "a.json"));
	if (!strstr(err.text, expected))
		fail_msg("'%s' is not in: %s", expected, err.text);
}

/* The sample with the first @from replaced. */
static void assert_change_refused(const char *from, const char *to, const char *expected)
{
	_cleanup_free_ char *text = sample_text(), *changed = NULL;
	char *at = strstr(text, from);

	assert_non_null(at);
	assert_true(asprintf(&changed, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)) >
		    0);
	assert_refused(changed, expected);
}

static void values(void **state)
{
	_cleanup_free_ char *text = sample_text();
	_cleanup_picture_ struct picture *pic = NULL;
	struct error err = { 0 };

	assert_int_equal(read_text(text, &pic, &err), 0);
	assert_true(pic->taken_at_unix_ns == 1767225600250000000ull);
	assert_int_equal(pic->process.pid, 4242);
	assert_true(pic->memory.malloc_free_bytes == PICTURE_UNKNOWN);
	assert_int_equal(pic->types_count, 2);
	assert_string_equal(pic->types[0].name, "app.Foo");
	assert_true(pic->types[0].address == 0x7f0000001000);
	assert_string_equal(pic->types[0].shared_keys->names[1], "b");
	assert_true(pic->types[0].capacity_owned == PICTURE_UNKNOWN);
	assert_true(isnan(pic->types[0].rate_error));
	assert_int_equal(pic->types[1].delta_bytes, -400);
	assert_true(pic->types[1].free_objects_per_second == 0.25);
	assert_string_equal(pic->events.sites[1].rejected, "single-stepped");
	assert_string_equal(pic->advice[0].kind, "slots");
}

static void line_after_line(void **state)
{
	_cleanup_free_ char *line = sample_text(), *text = NULL;
	_cleanup_fclose_ FILE *in = NULL;
	struct error err = { 0 };

	assert_true(asprintf(&text, "%s%s\n", line, line) > 0);
	in = fmemopen(text, strlen(text), "r");
	for (int i = 0; i < 2; i++) {
		_cleanup_picture_ struct picture *pic = NULL;

		assert_int_equal(json_read_picture(in, "run.ndjson", &pic, &err), 0);
		assert_non_null(pic);
	}
	assert_int_equal(json_read_picture(in, "run.ndjson", NULL, &err), -ENODATA);
	assert_false(error_is_set(&err));
}

/* Of a recording, not of the snapshot at hand. */
static void the_line_that_is_wrong_is_named(void **state)
{
	assert_refused("\n\n{\"a\": 1,\n oops", "is not JSON: line 4:");
}

static void what_is_no_snapshot(void **state)
{
	assert_refused("{\"a\": ", "is not JSON");
	assert_refused("not", "is not JSON");
	assert_refused("[]", "schema");
	assert_refused("{}", "schema");
	assert_refused("{\"schema\": \"other/2\"}", "other/2");
	assert_refused("{\"schema\": \"pymemtop.snapshot/1\"}", "taken_at is missing");
}

/* What came to the schema later is unknown in a file from before; it was not zero. */
static void older_files_are_read(void **state)
{
	_cleanup_free_ char *text = sample_text();
	_cleanup_picture_ struct picture *pic = NULL;
	struct error err = { 0 };
	char *name = strstr(text, "\"private_bytes\"");

	assert_non_null(name);
	name[1] = 'X';
	assert_int_equal(read_text(text, &pic, &err), 0);
	assert_true(pic->memory.private_bytes == PICTURE_UNKNOWN);
}

static void an_address_may_be_none(void **state)
{
	_cleanup_free_ char *text = sample_text(), *changed = NULL;
	_cleanup_picture_ struct picture *pic = NULL;
	const char *address = "\"0x7f0000001000\"", *at = strstr(text, address);
	struct error err = { 0 };

	assert_non_null(at);
	assert_true(asprintf(&changed, "%.*snull%s", (int)(at - text), text, at + strlen(address)) >
		    0);
	assert_int_equal(read_text(changed, &pic, &err), 0);
	assert_true(pic->types[0].address == 0);
}

static void wrong_members_are_named(void **state)
{
	assert_change_refused("\"inuse_objects\":100", "\"inuse_objects\":-1",
			      "types[0].inuse_objects");
	assert_change_refused("\"inuse_objects\":7", "\"inuse_objects\":1.5",
			      "types[1].inuse_objects");
	assert_change_refused("\"inuse_objects\":7,", "", "types[1].inuse_objects is missing");
	assert_change_refused("\"inline\":100", "\"inline\":\"x\"", "types[0].storage.inline");
	assert_change_refused("\"kind\":\"heap\"", "\"kind\":\"cheap\"", "types[0].kind");
	assert_change_refused("\"0x7f0000001000\"", "\"0x7g\"", "types[0].address");
	assert_change_refused("\"0x7f0000001000\"", "\"0x10000000000000000\"", "types[0].address");
	assert_change_refused("[\"a\",\"b\"]", "[\"a\",3]", "shared_keys.names[1]");
	assert_change_refused("[\"a\",\"b\"]", "[\"a\"]", "shared_keys.used");
	assert_change_refused("2026-01-01T00", "2026-01-01 00", "taken_at");
	assert_change_refused("\"mode\":\"budget\"", "\"mode\":\"best\"", "events.mode");
	assert_change_refused("\"mode\":\"budget\"", "\"mode\":null", "events.mode");
	assert_change_refused("\"pid\":4242", "\"pid\":4294967297", "process.pid");
	assert_change_refused("\"gil\":true", "\"gil\":1", "process.build.gil");
	assert_change_refused("\"name\":\"app.Foo\"", "\"name\":null", "without a name");
	assert_change_refused("\"partial\":false", "\"partial\":true", "contradict");
}

static void unknown_members_are_passed_over(void **state)
{
	_cleanup_free_ char *text = sample_text(), *changed = NULL;
	_cleanup_picture_ struct picture *pic = NULL;
	struct error err = { 0 };

	assert_true(asprintf(&changed, "{\"later\":{\"x\":[1]},%s", text + 1) > 0);
	assert_int_equal(read_text(changed, &pic, &err), 0);
}

/* Whatever is cut off, what was read by then is freed: the sanitizers watch. */
static void cut_off_anywhere(void **state)
{
	_cleanup_free_ char *text = sample_text();

	for (size_t len = strlen(text) - 2; len > 0; len -= MIN(len, (size_t)37)) {
		_cleanup_free_ char *cut = strndup(text, len);

		assert_refused(cut, "is not JSON");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values),
		cmocka_unit_test(line_after_line),
		cmocka_unit_test(the_line_that_is_wrong_is_named),
		cmocka_unit_test(what_is_no_snapshot),
		cmocka_unit_test(older_files_are_read),
		cmocka_unit_test(an_address_may_be_none),
		cmocka_unit_test(wrong_members_are_named),
		cmocka_unit_test(unknown_members_are_passed_over),
		cmocka_unit_test(cut_off_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
