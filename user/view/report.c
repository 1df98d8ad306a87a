/* SPDX-License-Identifier: BSD-2-Clause */
#include "view/report.h"

#include "base/cleanup.h"
#include "base/util.h"
#include "view/json.h"

#include <errno.h>
#include <jansson.h>

/* Types that stand in the page; the others are summed. */
#define TYPES_MAX 300
#define MARK "@DATA@"
#define _cleanup_json_ cleanup(json_decrefp)

__asm__(".pushsection .rodata\n"
	"report_page:\n"
	".incbin \"user/view/report.html\"\n"
	".byte 0\n"
	".popsection\n");

extern const char report_page[] __attribute__((visibility("hidden")));

static int stream_error(void)
{
	return errno ? -errno : -EIO;
}

/* JSON inside a script element: nothing in it may look like markup. */
static int put_escaped(FILE *out, const char *json)
{
	errno = 0;
	while (*json) {
		size_t plain = strcspn(json, "<>&");

		if (fwrite(json, 1, plain, out) != plain)
			return stream_error();
		json += plain;
		if (*json && fprintf(out, "\\u%04x", (unsigned int)(unsigned char)*json++) < 0)
			return stream_error();
	}
	return 0;
}

/* Takes over @json. */
static int put_json(FILE *out, json_t *json)
{
	_cleanup_json_ json_t *owned = json;
	_cleanup_free_ char *text = NULL;

	text = owned ? json_dumps(owned, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(9))
		     : NULL;
	return text ? put_escaped(out, text) : -ENOMEM;
}

static json_t *encode_counts(const int64_t *list, size_t count)
{
	_cleanup_json_ json_t *json = json_array();

	for (size_t i = 0; i < count; i++)
		if (json_array_append_new(json, list[i] == PICTURE_UNKNOWN ? json_null()
									   : json_integer(list[i])))
			return NULL;
	return TAKE_PTR(json);
}

static json_t *encode_growth(const struct report_growth *g)
{
	_cleanup_json_ json_t *seconds = json_array(), *series = json_array();

	if (!g)
		return json_null();
	for (size_t i = 0; i < g->points_count; i++)
		if (json_array_append_new(seconds, json_real(g->seconds[i])))
			return NULL;
	for (size_t i = 0; i < g->series_count; i++)
		if (json_array_append_new(series,
					  json_pack("{s:s, s:o}", "name", g->names[i], "bytes",
						    encode_counts(g->bytes[i], g->points_count))))
			return NULL;
	return json_pack("{s:I, s:O, s:o, s:o, s:O}", "lines", (json_int_t)g->lines, "seconds",
			 seconds, "rss", encode_counts(g->rss_bytes, g->points_count), "python",
			 encode_counts(g->python_bytes, g->points_count), "series", series);
}

static json_t *encode_suspects(const struct suspects_list *list)
{
	_cleanup_json_ json_t *json = json_array();

	for (size_t i = 0; list && i < list->count; i++)
		if (json_array_append_new(
			    json,
			    json_pack("{s:s, s:f, s:f, s:I, s:I}", "type", list->rows[i].type,
				      "grew_ratio", list->rows[i].grew_ratio, "bytes_per_second",
				      list->rows[i].bytes_per_second, "grown_bytes",
				      (json_int_t)list->rows[i].grown_bytes, "grown_objects",
				      (json_int_t)list->rows[i].grown_objects)))
			return NULL;
	return TAKE_PTR(json);
}

static int put_snapshot(FILE *out, const struct picture *pic, const struct rows *rows)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	FILE *memory = open_memstream(&text, &len);
	int r;

	if (!memory)
		return -ENOMEM;
	r = json_write_picture(memory, pic, rows, JSON_STYLE_LINE);
	if (fclose(memory) && !r)
		r = -ENOMEM;
	return r ? r : put_escaped(out, text);
}

static int put_data(FILE *out, const struct picture *pic, const struct report_growth *growth,
		    const struct suspects_list *suspects)
{
	const struct rows_options first = { .limit = TYPES_MAX };
	_cleanup_rows_ struct rows rows = { 0 };
	int64_t objects = 0;
	int r = rows_init(&rows, pic, &first);

	for (size_t i = 0; i < pic->types_count; i++)
		if (pic->types[i].inuse_objects > 0 &&
		    __builtin_add_overflow(objects, pic->types[i].inuse_objects, &objects))
			objects = INT64_MAX;
	errno = 0;
	if (!r && fprintf(out, "{\"objects\":%lld,\"types\":%zu,\"rest_bytes\":%lld,\"growth\":",
			  (long long)objects, pic->types_count,
			  (long long)(rows.rest_bytes > 0 ? rows.rest_bytes : 0)) < 0)
		r = stream_error();
	if (!r)
		r = put_json(out, encode_growth(growth));
	if (!r && fputs(",\"suspects\":", out) < 0)
		r = stream_error();
	if (!r)
		r = put_json(out, encode_suspects(suspects));
	if (!r && fputs(",\"snapshot\":", out) < 0)
		r = stream_error();
	if (!r)
		r = put_snapshot(out, pic, &rows);
	if (!r && fputs("}", out) < 0)
		r = stream_error();
	return r;
}

int report_write(FILE *out, const struct picture *pic, const struct report_growth *growth,
		 const struct suspects_list *suspects)
{
	const char *mark = strstr(report_page, MARK);
	size_t before = mark ? (size_t)(mark - report_page) : 0;
	int r;

	if (!mark)
		return -EINVAL;
	errno = 0;
	if (fwrite(report_page, 1, before, out) != before)
		return stream_error();
	r = put_data(out, pic, growth, suspects);
	errno = 0;
	if (!r && (fputs(mark + strlen(MARK), out) < 0 || fflush(out)))
		r = stream_error();
	return r;
}
