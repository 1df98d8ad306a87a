/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/util.h"
#include "sample_picture.h"
#include "view/advice.h"
#include <jansson.h>

static const struct advice_options all = { 0 };

static char *write_out(bool json, const struct picture *pic, const struct suspects_list *list)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_int_equal(json ? advice_write_json(out, pic, list, &all)
			      : advice_write_text(out, pic, list, &all),
			 0);
	fclose(out);
	return text;
}

static char leak[] = "app.Leak";
static struct suspects_row row = {
	.type = leak,
	.grew_ratio = 0.9,
	.bytes_per_second = 1024,
	.objects_per_second = 2,
	.grown_bytes = 10240,
	.grown_objects = 20,
	.seconds_to_ceiling = 7200,
};

static void text(void **state)
{
	_cleanup_picture_ struct picture *pic = sample_picture();
	struct suspects_list list = { .rows = &row, .count = 1, .intervals = 10 };
	_cleanup_free_ char *out = write_out(false, pic, &list), *none = NULL;

	assert_non_null(strstr(out, pic->advice[0].type));
	assert_non_null(strstr(out, "app.Leak"));
	assert_non_null(strstr(out, "2.0 h"));
	list.count = 0;
	none = write_out(false, pic, &list);
	assert_non_null(strstr(none, "no type grew all the time, in 10 intervals"));
}

static void long_sentences_are_wrapped(void **state)
{
	_cleanup_picture_ struct picture *pic = sample_picture();
	_cleanup_free_ char *out = NULL;

	free(pic->advice[0].detail);
	pic->advice[0].detail = malloc(1000);
	for (int i = 0; i < 999; i++)
		pic->advice[0].detail[i] = i % 7 ? 'x' : ' ';
	pic->advice[0].detail[999] = '\0';
	out = write_out(false, pic, NULL);
	for (char *line = strtok(out, "\n"); line; line = strtok(NULL, "\n"))
		assert_true(strlen(line) <= 100);
}

static void json(void **state)
{
	_cleanup_picture_ struct picture *pic = sample_picture();
	struct suspects_list list = { .rows = &row, .count = 1, .intervals = 10 };
	_cleanup_free_ char *out = write_out(true, pic, &list);
	json_t *root = json_loads(out, 0, NULL), *first;

	assert_string_equal(json_string_value(json_object_get(root, "schema")),
			    "pymemtop.advice/1");
	first = json_array_get(json_object_get(root, "advice"), 0);
	assert_string_equal(json_string_value(json_object_get(first, "kind")), "slots");
	first = json_array_get(json_object_get(root, "suspects"), 0);
	assert_string_equal(json_string_value(json_object_get(first, "type")), "app.Leak");
	assert_true(json_number_value(json_object_get(first, "seconds_to_ceiling")) == 7200);
	json_decref(root);
}

static void without_a_recording_there_are_no_suspects(void **state)
{
	_cleanup_picture_ struct picture *pic = sample_picture();
	_cleanup_free_ char *out = write_out(true, pic, NULL);
	json_t *root = json_loads(out, 0, NULL);

	assert_true(json_is_null(json_object_get(root, "suspects")));
	assert_true(json_is_null(json_object_get(root, "intervals")));
	json_decref(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text),
		cmocka_unit_test(long_sentences_are_wrapped),
		cmocka_unit_test(json),
		cmocka_unit_test(without_a_recording_there_are_no_suspects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
