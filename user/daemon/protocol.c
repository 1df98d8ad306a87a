/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/protocol.h"

#include "base/format.h"
#include "base/util.h"
#include "version.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>

#define SCHEMA "pymemtop.daemon/1"
#define LIMIT_MOST 1000000
#define INTERVAL_MOST_MS 3600000

const char *const protocol_op_names[PROTOCOL_OPS_COUNT] = {
	[PROTOCOL_HELLO] = "hello",
	[PROTOCOL_LIST] = "list",
	[PROTOCOL_SNAPSHOT] = "snapshot",
	[PROTOCOL_SUBSCRIBE] = "subscribe",
	[PROTOCOL_UNSUBSCRIBE] = "unsubscribe",
	[PROTOCOL_METRICS] = "metrics",
};

static inline void cleanup_json(json_t **json)
{
	json_decref(*json);
}
#define _cleanup_json_ cleanup(cleanup_json)

/* ---- requests ----------------------------------------------------------------------------------
 */

#define bad(err, ...) error_set(err, EBADMSG, EXIT_USAGE, __VA_ARGS__)

/* A whole number in @low..@high; @ret is untouched where the member is missing. */
static int get_number(const json_t *json, const char *key, long long low, long long high,
		      long long *ret, struct error *err)
{
	const json_t *value = json_object_get(json, key);

	if (!value)
		return 0;
	if (!json_is_integer(value) || json_integer_value(value) < low ||
	    json_integer_value(value) > high)
		return bad(err, "\"%s\" is not a whole number of %lld to %lld", key, low, high);
	*ret = json_integer_value(value);
	return 0;
}

/* A string; NULL where the member is missing. */
static int get_word(const json_t *json, const char *key, const char **ret, struct error *err)
{
	const json_t *value = json_object_get(json, key);

	if (value && !json_is_string(value))
		return bad(err, "\"%s\" is not a string", key);
	*ret = json_string_value(value);
	return 0;
}

static int get_op(const json_t *json, struct protocol_request *request, struct error *err)
{
	const char *word = NULL;
	int r = get_word(json, "op", &word, err);

	if (r)
		return r;
	for (int i = 0; word && i < PROTOCOL_OPS_COUNT; i++) {
		if (streq(protocol_op_names[i], word)) {
			request->op = (enum protocol_op)i;
			return 0;
		}
	}
	return bad(err, "\"op\" is none of hello, list, snapshot, subscribe, unsubscribe, metrics");
}

static int get_numbers(const json_t *json, struct protocol_request *request, struct error *err)
{
	long long pid = 0, interval = 0, limit = 0;
	int r = get_number(json, "pid", 1, INT_MAX, &pid, err);

	if (!r)
		r = get_number(json, "limit", 0, LIMIT_MOST, &limit, err);
	if (!r)
		r = get_number(json, "interval_ms", PROTOCOL_INTERVAL_LEAST_MS, INTERVAL_MOST_MS,
			       &interval, err);
	if (!r && !pid && (request->op == PROTOCOL_SNAPSHOT || request->op == PROTOCOL_SUBSCRIBE))
		r = bad(err, "\"pid\" is missing");
	request->pid = (pid_t)pid;
	request->limit = (size_t)limit;
	request->interval_ms = (unsigned int)interval;
	return r;
}

static int get_words(const json_t *json, struct protocol_request *request, struct error *err)
{
	const char *sort = NULL, *format = NULL;
	int r = get_word(json, "sort", &sort, err);

	if (!r)
		r = get_word(json, "format", &format, err);
	if (r)
		return r;
	request->sort = sort ? rows_find_key(sort) : NULL;
	if (sort && !request->sort)
		return bad(err, "\"sort\" is none of %s", rows_key_names());
	if (format && !streq(format, "openmetrics") && !streq(format, "prometheus"))
		return bad(err, "\"format\" is neither openmetrics nor prometheus");
	request->format = format && streq(format, "prometheus") ? OPENMETRICS_FORMAT_TEXT
								: OPENMETRICS_FORMAT_OPEN;
	return 0;
}

int protocol_parse(const char *line, size_t len, struct protocol_request *ret, struct error *err)
{
	struct protocol_request request = { 0 };
	_cleanup_json_ json_t *json = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	int r;

	if (!json_is_object(json))
		return bad(err, "a request is one JSON object on a line");
	r = get_op(json, &request, err);
	if (!r)
		r = get_numbers(json, &request, err);
	if (!r)
		r = get_words(json, &request, err);
	if (!r)
		*ret = request;
	return r;
}

/* ---- answers -----------------------------------------------------------------------------------
 */

/* Takes @json over. */
static char *dump_line(json_t *json)
{
	_cleanup_free_ char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	char *line = NULL;

	json_decref(json);
	return text && asprintf(&line, "%s\n", text) >= 0 ? line : NULL;
}

char *protocol_hello(size_t up, size_t down)
{
	return dump_line(json_pack("{s:s, s:s, s:i, s:s, s:I, s:I}", "schema", SCHEMA, "op",
				   "hello", "version", PROTOCOL_VERSION, "pymemtop_version",
				   PYMEMTOP_VERSION, "processes_up", (json_int_t)up,
				   "processes_down", (json_int_t)down));
}

static json_t *encode_number(int64_t value)
{
	return value == PICTURE_UNKNOWN ? json_null() : json_integer(value);
}

static json_t *encode_process(const struct protocol_process *p)
{
	char when[32];

	if (p->taken_at_unix_ns)
		format_timestamp(when, p->taken_at_unix_ns);
	return json_pack(
		"{s:i, s:I, s:s?, s:s?, s:s?, s:s?, s:s?, s:b, s:s?, s:s?, s:o, s:o, s:s?}", "pid",
		p->pid, "uid", (json_int_t)p->uid, "service", p->service, "pod", p->pod,
		"container", p->container, "python_version", p->version, "cmdline", p->cmdline,
		"up", p->up, "error", p->error, "events_error", p->events_error, "rss_bytes",
		encode_number(p->rss_bytes), "python_inuse_bytes", encode_number(p->inuse_bytes),
		"taken_at", p->taken_at_unix_ns ? when : NULL);
}

char *protocol_list(const struct protocol_process *list, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++) {
		if (json_array_append_new(array, encode_process(&list[i]))) {
			json_decref(array);
			return NULL;
		}
	}
	return dump_line(
		json_pack("{s:s, s:s, s:o}", "schema", SCHEMA, "op", "list", "processes", array));
}

char *protocol_metrics(const char *text, enum openmetrics_format format)
{
	return dump_line(json_pack("{s:s, s:s, s:s, s:s}", "schema", SCHEMA, "op", "metrics",
				   "content_type", openmetrics_content_type(format), "text", text));
}

char *protocol_error(enum protocol_op op, const struct error *err)
{
	return dump_line(json_pack("{s:s, s:s?, s:{s:i, s:s}}", "schema", SCHEMA, "op",
				   op < PROTOCOL_OPS_COUNT ? protocol_op_names[op] : NULL, "error",
				   "exit_code", (int)err->exit_code, "text", err->text));
}

char *protocol_done(enum protocol_op op)
{
	return dump_line(json_pack("{s:s, s:s}", "schema", SCHEMA, "op", protocol_op_names[op]));
}
