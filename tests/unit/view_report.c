/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/util.h"
#include "sample_picture.h"
#include "view/report.h"
#include <jansson.h>

#define BEGIN "<script id=\"data\" type=\"application/json\">"

static char *write_out(const struct picture *pic, const struct report_growth *growth)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_int_equal(report_write(out, pic, growth, NULL), 0);
	fclose(out);
	return text;
}

/* What the page parses. */
static json_t *data_of(const char *page)
{
	const char *begin = strstr(page, BEGIN) + strlen(BEGIN);

	return json_loadb(begin, (size_t)(strstr(begin, "</script>") - begin), 0, NULL);
}

static void names_are_data(void **state)
{
	_cleanup_picture_ struct picture *pic = sample_picture();
	_cleanup_free_ char *page = NULL;
	json_t *data, *type;

	free(pic->types[0].name);
	pic->types[0].name = strdup("</script><!--<script>&amp;");
	page = write_out(pic, NULL);
	assert_null(strstr(strstr(page, BEGIN) + strlen(BEGIN), "<!--"));
	data = data_of(page);
	assert_non_null(data);
	type = json_array_get(json_object_get(json_object_get(data, "snapshot"), "types"), 0);
	assert_string_equal(json_string_value(json_object_get(type, "name")),
			    "</script><!--<script>&amp;");
	assert_true(json_is_null(json_object_get(data, "growth")));
	json_decref(data);
}

static void growth(void **state)
{
	_cleanup_picture_ struct picture *pic = sample_picture();
	struct report_growth *g = calloc(1, sizeof(*g));
	_cleanup_free_ char *page = NULL;
	json_t *data, *series;

	g->lines = g->points_count = 2;
	g->seconds[1] = 1.5;
	g->rss_bytes[1] = PICTURE_UNKNOWN;
	g->names[0] = "app.Foo";
	g->series_count = 1;
	g->bytes[0][1] = 77;
	page = write_out(pic, g);
	data = data_of(page);
	assert_true(json_is_null(
		json_array_get(json_object_get(json_object_get(data, "growth"), "rss"), 1)));
	series = json_array_get(json_object_get(json_object_get(data, "growth"), "series"), 0);
	assert_int_equal(json_integer_value(json_array_get(json_object_get(series, "bytes"), 1)),
			 77);
	json_decref(data);
	free(g);
}

static void the_page_loads_nothing(void **state)
{
	_cleanup_picture_ struct picture *pic = sample_picture();
	_cleanup_free_ char *page = write_out(pic, NULL);

	assert_non_null(strstr(page, "default-src 'none'"));
	assert_null(strstr(page, " src="));
	assert_null(strstr(page, "url("));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_data),
		cmocka_unit_test(growth),
		cmocka_unit_test(the_page_loads_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
