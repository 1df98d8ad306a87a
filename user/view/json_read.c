/* SPDX-License-Identifier: BSD-2-Clause */
#include "view/json_read.h"

#include "base/util.h"
#include "view/json_fields.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <time.h>

/* jansson's own json_auto_t trips over our macro of the name cleanup. */
#define _cleanup_json_ cleanup(json_decrefp)

/* Where we are in the document, for errors: "types[12].storage.inline". */
struct reader {
	const char *name;
	char path[192];
	struct error *err;
};

typedef int (*decoder)(struct reader *rd, const struct json_field *field, json_t *json, void *base);

static int decode_fields(struct reader *rd, const struct json_field *fields, json_t *json,
			 void *base);

static void *at(void *base, uint32_t offset)
{
	return (char *)base + offset;
}

static int fail(struct reader *rd, const char *what)
{
	return error_set(rd->err, EBADMSG, EXIT_USAGE,
			 "%s is not a snapshot: %s%s%s; see pymemtop snapshot --schema", rd->name,
			 rd->path, *rd->path ? " " : "", what);
}

static int no_memory(struct reader *rd)
{
	return error_set(rd->err, ENOMEM, EXIT_INTERNAL, "out of memory while reading %s",
			 rd->name);
}

/* Adds a step to the path; what it returns is given to leave(). */
static size_t enter(struct reader *rd, const char *key)
{
	size_t len = strlen(rd->path);

	snprintf(rd->path + len, sizeof(rd->path) - len, "%s%s", len ? "." : "", key);
	return len;
}

static size_t enter_index(struct reader *rd, size_t index)
{
	size_t len = strlen(rd->path);

	snprintf(rd->path + len, sizeof(rd->path) - len, "[%zu]", index);
	return len;
}

static void leave(struct reader *rd, size_t len)
{
	rd->path[len] = '\0';
}

static int decode_i64(struct reader *rd, json_t *json, bool any_sign, int64_t *ret)
{
	if (json_is_null(json)) {
		*ret = PICTURE_UNKNOWN;
		return 0;
	}
	if (!json_is_integer(json))
		return fail(rd, "is not an integer or null");
	if (!any_sign && json_integer_value(json) < 0)
		return fail(rd, "is negative");
	*ret = json_integer_value(json);
	return 0;
}

static int decode_count(struct reader *rd, const struct json_field *field, json_t *json, void *base)
{
	return decode_i64(rd, json, false, at(base, field->offset));
}

static int decode_delta(struct reader *rd, const struct json_field *field, json_t *json, void *base)
{
	return decode_i64(rd, json, true, at(base, field->offset));
}

static int decode_bounded(struct reader *rd, json_t *json, int64_t most, int64_t *ret)
{
	if (!json_is_integer(json) || json_integer_value(json) < 0 ||
	    json_integer_value(json) > most)
		return fail(rd, "is not an integer in range");
	*ret = json_integer_value(json);
	return 0;
}

static int decode_u32(struct reader *rd, const struct json_field *field, json_t *json, void *base)
{
	int64_t n = 0;
	int r = decode_bounded(rd, json, UINT32_MAX, &n);

	if (!r)
		*(uint32_t *)at(base, field->offset) = (uint32_t)n;
	return r;
}

static int decode_u64(struct reader *rd, const struct json_field *field, json_t *json, void *base)
{
	int64_t n = 0;
	int r = decode_bounded(rd, json, INT64_MAX, &n);

	if (!r)
		*(uint64_t *)at(base, field->offset) = (uint64_t)n;
	return r;
}

static int decode_pid(struct reader *rd, const struct json_field *field, json_t *json, void *base)
{
	int64_t n = 0;
	int r = decode_bounded(rd, json, INT32_MAX, &n);

	if (!r)
		*(pid_t *)at(base, field->offset) = (pid_t)n;
	return r;
}

static int decode_real(struct reader *rd, const struct json_field *field, json_t *json, void *base)
{
	if (!json_is_null(json) && !json_is_number(json))
		return fail(rd, "is not a number or null");
	*(double *)at(base, field->offset) = json_is_null(json) ? NAN : json_number_value(json);
	return 0;
}

static int decode_bool(struct reader *rd, const struct json_field *field, json_t *json, void *base)
{
	if (!json_is_boolean(json))
		return fail(rd, "is not true or false");
	*(bool *)at(base, field->offset) = json_is_true(json);
	return 0;
}

static int decode_heap(struct reader *rd, const struct json_field *field, json_t *json, void *base)
{
	const char *text = json_string_value(json);

	if (!text || (!streq(text, "heap") && !streq(text, "static")))
		return fail(rd, "is not \"heap\" or \"static\"");
	*(bool *)at(base, field->offset) = streq(text, "heap");
	return 0;
}

/* Into an empty place, which the picture frees. */
static int decode_text(struct reader *rd, json_t *json, char **ret)
{
	if (json_is_null(json))
		return 0;
	if (!json_is_string(json))
		return fail(rd, "is not a string or null");
	*ret = strdup(json_string_value(json));
	return *ret ? 0 : no_memory(rd);
}

static int decode_string(struct reader *rd, const struct json_field *field, json_t *json,
			 void *base)
{
	return decode_text(rd, json, at(base, field->offset));
}

static int decode_word(struct reader *rd, const struct json_field *field, json_t *json, void *base)
{
	const char **ret = at(base, field->offset);

	if (json_is_null(json)) {
		*ret = NULL;
		return 0;
	}
	for (const char *const *word = field->words; json_is_string(json) && *word; word++) {
		if (streq(*word, json_string_value(json))) {
			*ret = *word;
			return 0;
		}
	}
	return fail(rd, "is not one of the words that may stand there");
}

static int decode_address(struct reader *rd, const struct json_field *field, json_t *json,
			  void *base)
{
	const char *text = json_string_value(json);
	unsigned long long value;
	char *end;

	*(uint64_t *)at(base, field->offset) = 0;
	if (json_is_null(json))
		return 0;
	if (!text || strncmp(text, "0x", 2) || !isxdigit((unsigned char)text[2]))
		return fail(rd, "is not an address");
	errno = 0;
	value = strtoull(text + 2, &end, 16);
	if (errno || *end)
		return fail(rd, "is not an address");
	*(uint64_t *)at(base, field->offset) = value;
	return 0;
}

static int decode_time(struct reader *rd, const struct json_field *field, json_t *json, void *base)
{
	const char *text = json_string_value(json);
	struct tm tm = { 0 };
	unsigned int millis;
	int used = -1;
	char *end = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	time_t seconds;

	if (!end || sscanf(end, ".%3uZ%n", &millis, &used) != 1 || used != 5 || end[used])
		return fail(rd, "is not a time like 2026-01-01T00:00:00.000Z");
	seconds = timegm(&tm);
	if (seconds < 0)
		return fail(rd, "is before 1970");
	*(uint64_t *)at(base, field->offset) =
		(uint64_t)seconds * NSEC_PER_SEC + (uint64_t)millis * NSEC_PER_MSEC;
	return 0;
}

/* The list came first and has set the size_t: the two must say the same. */
static int decode_length(struct reader *rd, const struct json_field *field, json_t *json,
			 void *base)
{
	int64_t n = 0;
	int r = decode_bounded(rd, json, INT64_MAX, &n);

	if (!r && (uint64_t)n != *(const size_t *)at(base, field->offset))
		return fail(rd, "is not the length of its list");
	return r;
}

/* Compared with its list in check_partial(), once that is read. */
static int decode_some(struct reader *rd, const struct json_field *field, json_t *json, void *base)
{
	return json_is_boolean(json) ? 0 : fail(rd, "is not true or false");
}

static int decode_strings(struct reader *rd, const struct json_field *field, json_t *json,
			  void *base)
{
	char ***list = at(base, field->offset);
	size_t *count = at(base, field->count_offset);

	if (!json_is_array(json))
		return fail(rd, "is not an array");
	*list = calloc(json_array_size(json) + 1, sizeof(**list));
	if (!*list)
		return no_memory(rd);
	for (size_t i = 0; i < json_array_size(json); i++) {
		size_t len = enter_index(rd, i);
		int r = json_is_string(json_array_get(json, i))
				? decode_text(rd, json_array_get(json, i), &(*list)[i])
				: fail(rd, "is not a string");

		if (r)
			return r;
		*count = i + 1;
		leave(rd, len);
	}
	return 0;
}

static int decode_object(struct reader *rd, const struct json_field *field, json_t *json,
			 void *base)
{
	return decode_fields(rd, field->fields, json, base);
}

static int decode_optional(struct reader *rd, const struct json_field *field, json_t *json,
			   void *base)
{
	if (!json_is_null(json))
		return decode_fields(rd, field->fields, json, base);
	for (const struct json_field *f = field->fields; f->kind != JSON_KIND_END; f++)
		*(int64_t *)at(base, f->offset) = PICTURE_UNKNOWN;
	return 0;
}

static int decode_pointer(struct reader *rd, const struct json_field *field, json_t *json,
			  void *base)
{
	void **target = at(base, field->offset);

	if (json_is_null(json))
		return 0;
	*target = calloc(1, field->size);
	return *target ? decode_fields(rd, field->fields, json, *target) : no_memory(rd);
}

static int decode_named(struct reader *rd, const struct json_field *field, json_t *json, void *base)
{
	if (!json_is_object(json))
		return fail(rd, "is not an object");
	for (uint32_t i = 0; i < field->repeat; i++) {
		json_t *value = json_object_get(json, field->words[i]);
		void *element = at(base, field->offset + i * field->size);
		size_t len = enter(rd, field->words[i]);
		int r;

		if (!value)
			return fail(rd, "is missing");
		r = field->fields ? decode_fields(rd, field->fields, value, element)
				  : decode_i64(rd, value, false, element);
		if (r)
			return r;
		leave(rd, len);
	}
	return 0;
}

static int decode_list(struct reader *rd, const struct json_field *field, json_t *json, void *base)
{
	void **list = at(base, field->offset);
	size_t *count = at(base, field->count_offset);

	if (!json_is_array(json))
		return fail(rd, "is not an array");
	*list = calloc(json_array_size(json) + 1, field->size);
	if (!*list)
		return no_memory(rd);
	for (size_t i = 0; i < json_array_size(json); i++) {
		size_t len = enter_index(rd, i);
		int r;

		*count = i + 1; /* also what is read half is freed */
		r = decode_fields(rd, field->fields, json_array_get(json, i),
				  (char *)*list + i * field->size);
		if (r)
			return r;
		leave(rd, len);
	}
	return 0;
}

static const decoder decoders[] = {
	[JSON_KIND_COUNT] = decode_count,	[JSON_KIND_DELTA] = decode_delta,
	[JSON_KIND_U32] = decode_u32,		[JSON_KIND_U64] = decode_u64,
	[JSON_KIND_PID] = decode_pid,		[JSON_KIND_REAL] = decode_real,
	[JSON_KIND_BOOL] = decode_bool,		[JSON_KIND_HEAP] = decode_heap,
	[JSON_KIND_STRING] = decode_string,	[JSON_KIND_WORD] = decode_word,
	[JSON_KIND_ADDRESS] = decode_address,	[JSON_KIND_TIME] = decode_time,
	[JSON_KIND_LENGTH] = decode_length,	[JSON_KIND_SOME] = decode_some,
	[JSON_KIND_STRINGS] = decode_strings,	[JSON_KIND_OBJECT] = decode_object,
	[JSON_KIND_OPTIONAL] = decode_optional, [JSON_KIND_POINTER] = decode_pointer,
	[JSON_KIND_NAMED] = decode_named,	[JSON_KIND_LIST] = decode_list,
};

static int decode_fields(struct reader *rd, const struct json_field *fields, json_t *json,
			 void *base)
{
	if (!json_is_object(json))
		return fail(rd, "is not an object");
	for (; fields->kind != JSON_KIND_END; fields++) {
		json_t *value = json_object_get(json, fields->name);
		size_t len = enter(rd, fields->name);
		int r;

		if (!value && fields->added) {
			leave(rd, len);
			continue;
		}
		if (!value)
			return fail(rd, "is missing");
		r = decoders[fields->kind](rd, fields, value, base);
		if (r)
			return r;
		leave(rd, len);
	}
	return 0;
}

static int check_schema(struct reader *rd, json_t *json)
{
	const char *schema = json_string_value(json_object_get(json, "schema"));

	if (!schema)
		return fail(rd, "it has no \"schema\"");
	if (!streq(schema, JSON_FIELDS_SCHEMA))
		return error_set(rd->err, EBADMSG, EXIT_USAGE,
				 "%s has schema \"%.60s\", this version reads %s", rd->name, schema,
				 JSON_FIELDS_SCHEMA);
	return 0;
}

/* What other code takes for granted about a picture. */
static int check_picture(struct reader *rd, json_t *json, const struct picture *pic)
{
	if (json_is_true(json_object_get(json, "partial")) != (pic->partial_reasons_count > 0))
		return fail(rd, "partial and partial_reasons contradict each other");
	for (size_t i = 0; i < pic->types_count; i++) {
		if (!pic->types[i].name)
			return fail(rd, "it has a type without a name");
	}
	if (!pic->events.mode)
		return fail(rd, "events.mode is null");
	return 0;
}

/* End of input, or the next byte put back. */
static bool at_end(FILE *in)
{
	int c;

	do
		c = getc(in);
	while (c == ' ' || c == '\t' || c == '\n' || c == '\r');
	if (c == EOF)
		return true;
	ungetc(c, in);
	return false;
}

/* Lines that end before @at, where the parser began to count; 0 where what was read cannot be read
 * again. */
static int lines_before(FILE *in, long at)
{
	int lines = 0;

	if (at <= 0 || fseek(in, 0, SEEK_SET) < 0)
		return 0;
	for (int c; at-- > 0 && (c = getc(in)) != EOF;)
		lines += c == '\n';
	return lines;
}

int json_read_picture(FILE *in, const char *name, struct picture **ret, struct error *err)
{
	struct reader rd = { .name = name, .err = err };
	_cleanup_picture_ struct picture *pic = NULL;
	_cleanup_json_ json_t *json = NULL;
	json_error_t why;
	long start;
	int r;

	if (at_end(in)) {
		if (!ferror(in))
			return -ENODATA;
		return error_set(err, EIO, EXIT_INTERNAL, "cannot read %s: %s", name,
				 strerror(errno));
	}
	start = ftell(in);
	json = json_loadf(in, JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK, &why);
	if (!json)
		return error_set(err, EBADMSG, EXIT_USAGE, "%s is not JSON: line %d: %s", name,
				 lines_before(in, start) + why.line, why.text);
	r = check_schema(&rd, json);
	if (r)
		return r;
	pic = picture_new();
	if (!pic)
		return no_memory(&rd);
	r = decode_fields(&rd, json_fields_snapshot, json, pic);
	if (!r)
		r = check_picture(&rd, json, pic);
	if (!r)
		*ret = TAKE_PTR(pic);
	return r;
}
