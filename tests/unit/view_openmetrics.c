/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <stdio.h>

#include "sample_picture.h"
#include "view/openmetrics.h"

static char *render(enum openmetrics_family family, const struct openmetrics_process *proc)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	openmetrics_write_samples(out, family, proc);
	fclose(out);
	return text;
}

static struct openmetrics_row row = {
	.name = "a\"b\\c\nd",
	.inuse_bytes = 100,
	.inuse_objects = PICTURE_UNKNOWN,
	.storage = { [PICTURE_STORAGE_SLOTS] = 3, [PICTURE_STORAGE_SPLIT] = PICTURE_UNKNOWN },
	.alloc_bytes = 12.9,
	.freed_bytes = NAN,
};

static void samples(void **state)
{
	struct picture *pic = sample_picture();
	const struct openmetrics_process proc = { .pid = 7,
						  .service = "s",
						  .pod = "p",
						  .up = true,
						  .pic = pic,
						  .rows = &row,
						  .rows_count = 1,
						  .lost = 2 };
	const struct {
		enum openmetrics_family family;
		const char *text;
	} cases[] = {
		{ OPENMETRICS_UP, "pymemtop_up{pid=\"7\",service=\"s\",pod=\"p\"} 1\n" },
		{ OPENMETRICS_INUSE_BYTES, "pymemtop_inuse_bytes{pid=\"7\",service=\"s\",pod=\"p\","
					   "type=\"a\\\"b\\\\c\\nd\"} 100\n" },
		{ OPENMETRICS_INUSE_OBJECTS, "" }, /* unknown is no sample, not 0 */
		{ OPENMETRICS_ALLOC_BYTES, "pymemtop_alloc_bytes_total{pid=\"7\",service=\"s\",pod="
					   "\"p\",type=\"a\\\"b\\\\c\\nd\"} 12\n" },
		{ OPENMETRICS_FREED_BYTES, "" },
		{ OPENMETRICS_INSTANCES, "pymemtop_instances{pid=\"7\",service=\"s\",pod=\"p\","
					 "type=\"a\\\"b\\\\c\\nd\",storage=\"slots\"} 3\n" },
		{ OPENMETRICS_CENSUS_DURATION,
		  "pymemtop_census_duration_seconds{pid=\"7\",service=\"s\",pod=\"p\"} 0.0125\n" },
		{ OPENMETRICS_CENSUS_TIMESTAMP, "pymemtop_census_timestamp_seconds{pid=\"7\","
						"service=\"s\",pod=\"p\"} 1767225600.250\n" },
		{ OPENMETRICS_EVENTS_LOST,
		  "pymemtop_events_lost_total{pid=\"7\",service=\"s\",pod=\"p\"} 2\n" },
		{ OPENMETRICS_OVERHEAD_RATIO,
		  "pymemtop_overhead_ratio{pid=\"7\",service=\"s\",pod=\"p\"} 0.004\n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text = render(cases[i].family, &proc);

		assert_string_equal(text, cases[i].text);
		free(text);
	}
	picture_free(pic);
}

static void memory_parts(void **state)
{
	struct picture *pic = sample_picture();
	const struct openmetrics_process proc = {
		.pid = 7, .service = "s", .up = true, .pic = pic
	};
	char *text = render(OPENMETRICS_MEMORY_BYTES, &proc);

	assert_non_null(strstr(
		text, "pymemtop_memory_bytes{pid=\"7\",service=\"s\",part=\"rss\"} 52428800\n"));
	assert_non_null(strstr(text, "part=\"pymalloc_arena\"} 1048576\n"));
	assert_null(strstr(text, "malloc_python")); /* unknown in the sample */
	free(text);
	picture_free(pic);
}

static void down(void **state)
{
	const struct openmetrics_process proc = { .pid = 7, .service = "s" };

	for (int i = 0; i < OPENMETRICS_FAMILIES_COUNT; i++) {
		char *text = render((enum openmetrics_family)i, &proc);

		assert_string_equal(text, i == OPENMETRICS_UP
						  ? "pymemtop_up{pid=\"7\",service=\"s\"} 0\n"
						  : "");
		free(text);
	}
}

static void formats(void **state)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	openmetrics_write_head(out, OPENMETRICS_ALLOC_BYTES, OPENMETRICS_FORMAT_TEXT);
	openmetrics_write_head(out, OPENMETRICS_ALLOC_BYTES, OPENMETRICS_FORMAT_OPEN);
	openmetrics_write_end(out);
	fclose(out);
	assert_non_null(strstr(text, "# TYPE pymemtop_alloc_bytes_total counter\n"));
	assert_non_null(strstr(
		text,
		"# TYPE pymemtop_alloc_bytes counter\n# UNIT pymemtop_alloc_bytes bytes\n# EOF\n"));
	free(text);

	assert_int_equal(openmetrics_negotiate(NULL), OPENMETRICS_FORMAT_TEXT);
	assert_int_equal(openmetrics_negotiate("*/*"), OPENMETRICS_FORMAT_TEXT);
	assert_int_equal(
		openmetrics_negotiate("text/plain,application/openmetrics-text;version=1.0.0"),
		OPENMETRICS_FORMAT_OPEN);
	assert_non_null(strstr(openmetrics_content_type(OPENMETRICS_FORMAT_OPEN), "openmetrics"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples),
		cmocka_unit_test(memory_parts),
		cmocka_unit_test(down),
		cmocka_unit_test(formats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
