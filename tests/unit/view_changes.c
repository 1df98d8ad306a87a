/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/util.h"
#include "sample_picture.h"
#include "view/changes.h"
#include <jansson.h>

static char *write_out(bool json, const struct diff *diff, const struct changes_options *opts)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_int_equal(json ? changes_write_json(out, diff, opts)
			      : changes_write_text(out, diff, opts),
			 0);
	fclose(out);
	return text;
}

static void json_is_that_of_the_contract(void **state)
{
	_cleanup_picture_ struct picture *a = sample_picture(), *b = sample_picture();
	_cleanup_diff_ struct diff *diff = NULL;
	_cleanup_free_ char *text = NULL;
	json_t *json, *type, *memory;

	b->types[0].inuse_bytes += 1000;
	b->memory.rss_bytes = a->memory.rss_bytes + 4096;
	b->memory.arena_bytes = PICTURE_UNKNOWN;
	assert_int_equal(diff_new(a, b, &diff), 0);
	text = write_out(true, diff, &(struct changes_options){ 0 });
	json = json_loads(text, 0, NULL);
	assert_non_null(json);
	assert_string_equal(json_string_value(json_object_get(json, "schema")), "pymemtop.diff/1");
	assert_int_equal(json_array_size(json_object_get(json, "types")), 1);
	type = json_array_get(json_object_get(json, "types"), 0);
	assert_string_equal(json_string_value(json_object_get(type, "name")), "app.Foo");
	assert_int_equal(
		json_integer_value(json_array_get(json_object_get(type, "inuse_bytes"), 1)), 12200);
	assert_int_equal(json_integer_value(json_object_get(type, "delta_bytes")), 1000);
	assert_true(json_is_false(json_object_get(type, "new")));
	memory = json_object_get(json, "memory");
	assert_int_equal(json_integer_value(json_object_get(memory, "rss_bytes")), 4096);
	assert_true(
		json_is_null(json_object_get(json_object_get(memory, "pymalloc"), "arena_bytes")));
	json_decref(json);
}

static void text_is_filtered_and_printable(void **state)
{
	_cleanup_picture_ struct picture *a = sample_picture(), *b = sample_picture();
	_cleanup_diff_ struct diff *diff = NULL;
	_cleanup_free_ char *all = NULL, *some = NULL;
	regex_t filter;

	b->types[0].inuse_bytes += 1000;
	b->types[1].inuse_bytes += 2000;
	strcpy(a->types[1].name, "d\033ct");
	strcpy(b->types[1].name, "d\033ct");
	assert_int_equal(diff_new(a, b, &diff), 0);
	all = write_out(false, diff, &(struct changes_options){ 0 });
	assert_non_null(strstr(all, "app.Foo"));
	assert_null(strchr(all, '\033'));
	regcomp(&filter, "^app", REG_NOSUB);
	some = write_out(false, diff, &(struct changes_options){ .filter = &filter });
	assert_non_null(strstr(some, "app.Foo"));
	assert_null(strstr(some, "ct "));
	regfree(&filter);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_is_that_of_the_contract),
		cmocka_unit_test(text_is_filtered_and_printable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
