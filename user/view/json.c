/* SPDX-License-Identifier: BSD-2-Clause */
#include "view/json.h"

#include "base/format.h"
#include "base/utf8.h"
#include "base/util.h"
#include "version.h"
#include "view/json_fields.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>

/* jansson's own json_auto_t trips over our macro of the name cleanup. */
#define _cleanup_json_ cleanup(json_decrefp)

/* %.9g: more digits than anything here is measured with, and 0.1 stays 0.1. */
#define REAL_DIGITS 9

typedef json_t *(*encoder)(const struct json_field *field, const void *base);

static json_t *encode(const struct json_field *field, const void *base);

static const void *at(const void *base, uint32_t offset)
{
	return (const char *)base + offset;
}

static json_t *encode_text(const char *text)
{
	_cleanup_free_ char *clean = NULL;
	size_t len;
	json_t *json;

	if (!text)
		return json_null();
	json = json_string(text);
	if (json)
		return json;

	/* Not valid UTF-8 after all: each bad byte becomes three. */
	len = strlen(text);
	clean = malloc(3 * len + 1);
	if (!clean)
		return NULL;
	utf8_sanitize(clean, 3 * len + 1, text, len);
	return json_string(clean);
}

static json_t *encode_i64(int64_t n)
{
	return n == PICTURE_UNKNOWN ? json_null() : json_integer(n);
}

static json_t *encode_integer(const struct json_field *field, const void *base)
{
	return encode_i64(*(const int64_t *)at(base, field->offset));
}

static json_t *encode_u32(const struct json_field *field, const void *base)
{
	return json_integer(*(const uint32_t *)at(base, field->offset));
}

static json_t *encode_u64(const struct json_field *field, const void *base)
{
	uint64_t n = *(const uint64_t *)at(base, field->offset);

	return n > INT64_MAX ? json_null() : json_integer((json_int_t)n);
}

static json_t *encode_pid(const struct json_field *field, const void *base)
{
	return json_integer(*(const pid_t *)at(base, field->offset));
}

static json_t *encode_real(const struct json_field *field, const void *base)
{
	double value = *(const double *)at(base, field->offset);

	return isfinite(value) ? json_real(value) : json_null();
}

static json_t *encode_bool(const struct json_field *field, const void *base)
{
	return json_boolean(*(const bool *)at(base, field->offset));
}

static json_t *encode_heap(const struct json_field *field, const void *base)
{
	return json_string(*(const bool *)at(base, field->offset) ? "heap" : "static");
}

static json_t *encode_string(const struct json_field *field, const void *base)
{
	return encode_text(*(char *const *)at(base, field->offset));
}

static json_t *encode_address(const struct json_field *field, const void *base)
{
	uint64_t address = *(const uint64_t *)at(base, field->offset);
	char text[32];

	snprintf(text, sizeof(text), "0x%" PRIx64, address);
	return address ? json_string(text) : json_null();
}

static json_t *encode_time(const struct json_field *field, const void *base)
{
	char text[32];

	return json_string(format_timestamp(text, *(const uint64_t *)at(base, field->offset)));
}

static json_t *encode_some(const struct json_field *field, const void *base)
{
	return json_boolean(*(const size_t *)at(base, field->offset) != 0);
}

static json_t *encode_strings(const struct json_field *field, const void *base)
{
	char *const *list = *(char **const *)at(base, field->offset);
	size_t count = *(const size_t *)at(base, field->count_offset);
	_cleanup_json_ json_t *json = json_array();

	for (size_t i = 0; i < count; i++) {
		if (json_array_append_new(json, encode_text(list[i])))
			return NULL;
	}
	return TAKE_PTR(json);
}

static json_t *encode_fields(const struct json_field *fields, const void *base)
{
	_cleanup_json_ json_t *json = json_object();

	for (; fields->kind != JSON_KIND_END; fields++) {
		if (json_object_set_new_nocheck(json, fields->name, encode(fields, base)))
			return NULL;
	}
	return TAKE_PTR(json);
}

static json_t *encode_object(const struct json_field *field, const void *base)
{
	return encode_fields(field->fields, base);
}

static json_t *encode_optional(const struct json_field *field, const void *base)
{
	for (const struct json_field *f = field->fields; f->kind != JSON_KIND_END; f++) {
		if (*(const int64_t *)at(base, f->offset) != PICTURE_UNKNOWN)
			return encode_fields(field->fields, base);
	}
	return json_null();
}

static json_t *encode_pointer(const struct json_field *field, const void *base)
{
	const void *target = *(void *const *)at(base, field->offset);

	return target ? encode_fields(field->fields, target) : json_null();
}

static json_t *encode_named(const struct json_field *field, const void *base)
{
	_cleanup_json_ json_t *json = json_object();

	for (uint32_t i = 0; i < field->repeat; i++) {
		const void *element = at(base, field->offset + i * field->size);
		json_t *value = field->fields ? encode_fields(field->fields, element)
					      : encode_i64(*(const int64_t *)element);

		if (json_object_set_new_nocheck(json, field->words[i], value))
			return NULL;
	}
	return TAKE_PTR(json);
}

static json_t *encode_list(const struct json_field *field, const void *base)
{
	const char *list = *(char *const *)at(base, field->offset);
	size_t count = *(const size_t *)at(base, field->count_offset);
	_cleanup_json_ json_t *json = json_array();

	for (size_t i = 0; i < count; i++) {
		if (json_array_append_new(json,
					  encode_fields(field->fields, list + i * field->size)))
			return NULL;
	}
	return TAKE_PTR(json);
}

static const encoder encoders[] = {
	[JSON_KIND_COUNT] = encode_integer,	[JSON_KIND_DELTA] = encode_integer,
	[JSON_KIND_U32] = encode_u32,		[JSON_KIND_U64] = encode_u64,
	[JSON_KIND_PID] = encode_pid,		[JSON_KIND_REAL] = encode_real,
	[JSON_KIND_BOOL] = encode_bool,		[JSON_KIND_HEAP] = encode_heap,
	[JSON_KIND_STRING] = encode_string,	[JSON_KIND_WORD] = encode_string,
	[JSON_KIND_ADDRESS] = encode_address,	[JSON_KIND_TIME] = encode_time,
	[JSON_KIND_LENGTH] = encode_u64,	[JSON_KIND_SOME] = encode_some,
	[JSON_KIND_STRINGS] = encode_strings,	[JSON_KIND_OBJECT] = encode_object,
	[JSON_KIND_OPTIONAL] = encode_optional, [JSON_KIND_POINTER] = encode_pointer,
	[JSON_KIND_NAMED] = encode_named,	[JSON_KIND_LIST] = encode_list,
};

static json_t *encode(const struct json_field *field, const void *base)
{
	return encoders[field->kind](field, base);
}

/* One document under way. */
struct writer {
	FILE *out;
	enum json_style style;
	const struct rows *rows;
};

static int stream_error(void)
{
	return errno ? -errno : -EIO;
}

static int put(const struct writer *w, const char *text)
{
	errno = 0;
	return fputs(text, w->out) < 0 ? stream_error() : 0;
}

/* Takes over @json; NULL means that memory ran out while it was made. */
static int put_json(const struct writer *w, json_t *json)
{
	size_t flags = JSON_ENCODE_ANY | JSON_REAL_PRECISION(REAL_DIGITS) |
		       (w->style == JSON_STYLE_LINE ? JSON_COMPACT : 0);
	_cleanup_json_ json_t *owned = json;

	if (!owned)
		return -ENOMEM;
	errno = 0;
	return json_dumpf(owned, w->out, flags) ? stream_error() : 0;
}

static int put_key(const struct writer *w, const char *key, bool first)
{
	const char *line = w->style == JSON_STYLE_LINE ? "" : "\n";

	errno = 0;
	if (fprintf(w->out, "%s%s\"%s\":%s", first ? "" : ",", line, key, *line ? " " : "") < 0)
		return stream_error();
	return 0;
}

static int put_types(const struct writer *w, const struct picture *pic)
{
	const char *line = w->style == JSON_STYLE_LINE ? "" : "\n";
	size_t count = w->rows ? w->rows->count : pic->types_count;
	int r = put(w, "[");

	for (size_t i = 0; !r && i < count; i++) {
		const struct picture_type *type = w->rows ? w->rows->list[i] : &pic->types[i];

		r = put(w, i ? "," : "");
		if (!r)
			r = put(w, line);
		if (!r)
			r = put_json(w, encode_fields(json_fields_type, type));
	}
	if (!r && count)
		r = put(w, line);
	return r ? r : put(w, "]");
}

static int put_head(const struct writer *w)
{
	int r = put(w, "{");

	if (!r)
		r = put_key(w, "schema", true);
	if (!r)
		r = put_json(w, json_string(JSON_FIELDS_SCHEMA));
	if (!r)
		r = put_key(w, "pymemtop_version", false);
	return r ? r : put_json(w, json_string(PYMEMTOP_VERSION));
}

int json_write_picture(FILE *out, const struct picture *pic, const struct rows *rows,
		       enum json_style style)
{
	const struct writer w = { .out = out, .style = style, .rows = rows };
	int r = put_head(&w);

	for (const struct json_field *f = json_fields_snapshot; !r && f->kind != JSON_KIND_END;
	     f++) {
		r = put_key(&w, f->name, false);
		if (r)
			break;
		r = f->fields == json_fields_type ? put_types(&w, pic)
						  : put_json(&w, encode(f, pic));
	}
	if (!r)
		r = put(&w, style == JSON_STYLE_LINE ? "}\n" : "\n}\n");
	errno = 0;
	if (!r && fflush(out))
		r = stream_error();
	return r;
}
