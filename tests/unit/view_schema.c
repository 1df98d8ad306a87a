/* SPDX-License-Identifier: BSD-2-Clause */
/* The schema document and the table that the writer walks must say the same. */
#include "unit.h"

#include <jansson.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "view/json_fields.h"
#include "view/schema.h"

static json_t *load_schema(void)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	json_error_t err;
	json_t *json;

	assert_int_equal(schema_write(out), 0);
	fclose(out);
	json = json_loads(text, JSON_REJECT_DUPLICATES, &err);
	if (!json)
		fail_msg("line %d: %s", err.line, err.text);
	return json;
}

static json_t *property(json_t *schema, const char *name)
{
	json_t *value = json_object_get(json_object_get(schema, "properties"), name);

	if (!value)
		fail_msg("the schema has no %s", name);
	return value;
}

static void check_names(json_t *schema, const char *const *names, size_t count)
{
	assert_int_equal(json_object_size(json_object_get(schema, "properties")), count);
	assert_int_equal(json_array_size(json_object_get(schema, "required")), count);
	for (size_t i = 0; i < count; i++)
		property(schema, names[i]);
}

static void check_fields(json_t *schema, const struct json_field *fields, size_t extra)
{
	size_t count = extra;

	for (const struct json_field *f = fields; f->kind != JSON_KIND_END; f++, count++) {
		json_t *here = property(schema, f->name);

		if (f->kind == JSON_KIND_LIST)
			check_fields(json_object_get(here, "items"), f->fields, 0);
		else if (f->kind == JSON_KIND_NAMED)
			check_names(here, f->words, f->repeat);
		else if (f->fields)
			check_fields(here, f->fields, 0);
		if (f->kind == JSON_KIND_NAMED && f->fields)
			check_fields(property(here, f->words[0]), f->fields, 0);
	}
	assert_int_equal(json_object_size(json_object_get(schema, "properties")), count);
	assert_int_equal(json_array_size(json_object_get(schema, "required")), count);
	assert_true(json_is_false(json_object_get(schema, "additionalProperties")));
}

static void names_agree(void **state)
{
	json_t *schema = load_schema();

	check_fields(schema, json_fields_snapshot, 2); /* schema, pymemtop_version */
	json_decref(schema);
}

static void words_agree(void **state)
{
	json_t *schema = load_schema(), *mode = property(property(schema, "events"), "mode");

	assert_string_equal(json_string_value(json_object_get(property(schema, "schema"), "const")),
			    JSON_FIELDS_SCHEMA);
	assert_int_equal(json_array_size(json_object_get(mode, "enum")), 3);
	json_decref(schema);
}

static void full_disk_is_an_error(void **state)
{
	_cleanup_fclose_ FILE *out = fopen("/dev/full", "w");

	assert_true(schema_write(out) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_agree),
		cmocka_unit_test(words_agree),
		cmocka_unit_test(full_disk_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
