/* SPDX-License-Identifier: BSD-2-Clause */
#include "view/advice.h"

#include "base/format.h"
#include "base/utf8.h"
#include "base/util.h"
#include "view/cells.h"
#include "view/table.h"

#include <errno.h>
#include <jansson.h>

#define SCHEMA "pymemtop.advice/1"
#define _cleanup_json_ cleanup(json_decrefp)

#define WRAP_WIDTH 100
#define INDENT 10

static bool is_shown(const struct picture_advice *advice, const struct advice_options *opts)
{
	return !opts->filter ||
	       !regexec(opts->filter, advice->type ? advice->type : "", 0, NULL, 0);
}

/* Prints @text in lines of @width columns, broken at spaces, each but the first indented. */
static void write_wrapped(FILE *out, const char *text, size_t width)
{
	size_t room = width > INDENT + 20 ? width - INDENT : 60;
	char clean[2048];
	const char *at = clean;

	utf8_printable(clean, sizeof(clean), text, strlen(text));
	while (strlen(at) > room) {
		const char *end = at + room;

		while (end > at && *end != ' ')
			end--;
		if (end == at)
			end = at + strcspn(at, " ");
		fprintf(out, "%*s%.*s\n", INDENT, "", (int)(end - at), at);
		at = end + strspn(end, " ");
	}
	if (*at)
		fprintf(out, "%*s%s\n", INDENT, "", at);
}

static void write_one(FILE *out, const struct picture_advice *advice,
		      const struct advice_options *opts)
{
	char bytes[CELLS_MAX], ratio[CELLS_MAX], type[256];

	utf8_printable(type, sizeof(type), advice->type ? advice->type : "",
		       strlen(advice->type ? advice->type : ""));
	fprintf(out, "%9s %s%s%s%s%s  (confidence %s)\n", cells_size(bytes, advice->saves_bytes),
		opts->text.colour ? "\033[1m" : "", type, *type ? "  " : "",
		advice->kind ? advice->kind : "?", opts->text.colour ? "\033[0m" : "",
		cells_ratio(ratio, advice->confidence));
	write_wrapped(out, advice->detail ? advice->detail : "",
		      opts->text.width ? opts->text.width : WRAP_WIDTH);
}

static char *cells_seconds(char *buf, double seconds)
{
	if (!isfinite(seconds))
		snprintf(buf, CELLS_MAX, "-");
	else if (seconds < 120)
		snprintf(buf, CELLS_MAX, "%.0f s", seconds);
	else if (seconds < 7200)
		snprintf(buf, CELLS_MAX, "%.0f min", seconds / 60);
	else if (seconds < 172800)
		snprintf(buf, CELLS_MAX, "%.1f h", seconds / 3600);
	else
		snprintf(buf, CELLS_MAX, "%.1f days", MIN(seconds / 86400, 99999.0));
	return buf;
}

static int add_suspect(struct table *table, const struct suspects_row *row)
{
	char cells[5][CELLS_MAX];
	int r = table_add(table, row->type);

	cells_ratio(cells[0], row->grew_ratio);
	cells_size_delta(cells[1], row->grown_bytes);
	cells_count_delta(cells[2], row->grown_objects);
	cells_size(cells[3], (int64_t)row->bytes_per_second);
	cells_seconds(cells[4], row->seconds_to_ceiling);
	for (size_t i = 0; !r && i < ARRAY_SIZE(cells); i++)
		r = table_add(table, cells[i]);
	return r;
}

static int write_suspects(FILE *out, const struct suspects_list *list,
			  const struct advice_options *opts)
{
	static const struct table_column columns[] = {
		{ .title = "LEAK SUSPECT", .least = 16, .cut_front = true },
		{ .title = "GREW IN", .align = TABLE_RIGHT },
		{ .title = "BYTES", .align = TABLE_RIGHT },
		{ .title = "OBJECTS", .align = TABLE_RIGHT, .drop = 1 },
		{ .title = "A SECOND", .align = TABLE_RIGHT },
		{ .title = "CEILING IN", .align = TABLE_RIGHT, .drop = 2 },
	};
	_cleanup_table_ struct table *table = NULL;
	int r = 0;

	if (!list->count) {
		fprintf(out, "\nno type grew all the time, in %zu intervals\n", list->intervals);
		return 0;
	}
	table = table_new(columns, ARRAY_SIZE(columns));
	if (!table)
		return -ENOMEM;
	for (size_t i = 0; !r && i < list->count && (!opts->limit || i < opts->limit); i++)
		r = add_suspect(table, &list->rows[i]);
	fputs("\n", out);
	return r ? r : table_write(table, out, 0, opts->text.width, opts->text.colour);
}

int advice_write_text(FILE *out, const struct picture *pic, const struct suspects_list *suspects,
		      const struct advice_options *opts)
{
	char bytes[CELLS_MAX];
	size_t shown = 0;
	int r = 0;

	fprintf(out, "pid %d, Python %s, %s of objects\n\n", pic->process.pid,
		pic->process.python_version ? pic->process.python_version : "?",
		cells_size(bytes, pic->memory.python_inuse_bytes));
	for (size_t i = 0; i < pic->advice_count && (!opts->limit || shown < opts->limit); i++) {
		if (!is_shown(&pic->advice[i], opts))
			continue;
		write_one(out, &pic->advice[i], opts);
		shown++;
	}
	if (!shown)
		fputs("nothing to gain worth an edit\n", out);
	if (suspects)
		r = write_suspects(out, suspects, opts);
	errno = 0;
	if (!r && (fflush(out) || ferror(out)))
		r = errno ? -errno : -EIO;
	return r;
}

static json_t *encode_count(int64_t n)
{
	return n == PICTURE_UNKNOWN ? json_null() : json_integer(n);
}

static json_t *encode_real(double x)
{
	return isfinite(x) ? json_real(x) : json_null();
}

static json_t *encode_advice(const struct picture *pic, const struct advice_options *opts)
{
	_cleanup_json_ json_t *list = json_array();

	for (size_t i = 0; i < pic->advice_count; i++) {
		const struct picture_advice *a = &pic->advice[i];

		if (!is_shown(a, opts) || (opts->limit && json_array_size(list) >= opts->limit))
			continue;
		if (json_array_append_new(
			    list, json_pack("{s:s?, s:s?, s:o, s:o, s:s?, s:o}", "kind", a->kind,
					    "type", a->type, "objects", encode_count(a->objects),
					    "saves_bytes", encode_count(a->saves_bytes), "detail",
					    a->detail, "confidence", encode_real(a->confidence))))
			return NULL;
	}
	return TAKE_PTR(list);
}

static json_t *encode_suspects(const struct suspects_list *suspects)
{
	_cleanup_json_ json_t *list = NULL;

	if (!suspects)
		return json_null();
	list = json_array();
	for (size_t i = 0; i < suspects->count; i++) {
		const struct suspects_row *row = &suspects->rows[i];

		if (json_array_append_new(list,
					  json_pack("{s:s, s:f, s:f, s:f, s:I, s:I, s:o}", "type",
						    row->type, "grew_ratio", row->grew_ratio,
						    "bytes_per_second", row->bytes_per_second,
						    "objects_per_second", row->objects_per_second,
						    "grown_bytes", (json_int_t)row->grown_bytes,
						    "grown_objects", (json_int_t)row->grown_objects,
						    "seconds_to_ceiling",
						    encode_real(row->seconds_to_ceiling))))
			return NULL;
	}
	return TAKE_PTR(list);
}

int advice_write_json(FILE *out, const struct picture *pic, const struct suspects_list *suspects,
		      const struct advice_options *opts)
{
	char time[32];
	_cleanup_json_ json_t *json = json_pack(
		"{s:s, s:s, s:i, s:s?, s:o, s:o, s:o, s:o}", "schema", SCHEMA, "taken_at",
		format_timestamp(time, pic->taken_at_unix_ns), "pid", (int)pic->process.pid,
		"python_version", pic->process.python_version, "python_inuse_bytes",
		encode_count(pic->memory.python_inuse_bytes), "intervals",
		suspects ? json_integer((json_int_t)suspects->intervals) : json_null(), "advice",
		encode_advice(pic, opts), "suspects", encode_suspects(suspects));

	if (!json)
		return -ENOMEM;
	errno = 0;
	if (json_dumpf(json, out, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) ||
	    fputs("\n", out) < 0 || fflush(out))
		return errno ? -errno : -EIO;
	return 0;
}
