/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/protocol.h"

static int parse(const char *line, struct protocol_request *ret)
{
	struct error err = { 0 };
	int r = protocol_parse(line, strlen(line), ret, &err);

	assert_int_equal(error_is_set(&err), r != 0);
	return r;
}

static void requests(void **state)
{
	struct protocol_request r;

	assert_int_equal(parse("{\"op\":\"hello\",\"unknown\":[1]}", &r), 0);
	assert_int_equal(r.op, PROTOCOL_HELLO);
	assert_int_equal(
		parse("{\"op\":\"snapshot\",\"pid\":12,\"limit\":3,\"sort\":\"objects\"}", &r), 0);
	assert_int_equal(r.pid, 12);
	assert_int_equal(r.limit, 3);
	assert_ptr_equal(r.sort, rows_find_key("objects"));
	assert_int_equal(parse("{\"op\":\"subscribe\",\"pid\":12,\"interval_ms\":250}", &r), 0);
	assert_int_equal(r.interval_ms, 250);
	assert_int_equal(parse("{\"op\":\"metrics\",\"format\":\"prometheus\"}", &r), 0);
	assert_int_equal(r.format, OPENMETRICS_FORMAT_TEXT);
	assert_int_equal(parse("{\"op\":\"metrics\"}", &r), 0);
	assert_int_equal(r.format, OPENMETRICS_FORMAT_OPEN);
}

static void refused(void **state)
{
	static const char *const lines[] = {
		"",
		"1",
		"{}",
		"{\"op\":null}",
		"{\"op\":\"HELLO\"}",
		"{\"op\":\"snapshot\"}",
		"{\"op\":\"snapshot\",\"pid\":0}",
		"{\"op\":\"snapshot\",\"pid\":2147483648}",
		"{\"op\":\"snapshot\",\"pid\":1.5}",
		"{\"op\":\"subscribe\",\"pid\":1,\"interval_ms\":249}",
		"{\"op\":\"snapshot\",\"pid\":1,\"limit\":-1}",
		"{\"op\":\"snapshot\",\"pid\":1,\"sort\":\"colour\"}",
		"{\"op\":\"metrics\",\"format\":\"xml\"}",
		"{\"op\":\"hello\"} {\"op\":\"hello\"}",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct protocol_request r = { .pid = 77 };

		assert_int_equal(parse(lines[i], &r), -EBADMSG);
		assert_int_equal(r.pid, 77);
	}
}

static json_t *decode(char *line)
{
	json_t *json;

	assert_non_null(line);
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	json = json_loads(line, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(json, "schema")),
			    "pymemtop.daemon/1");
	free(line);
	return json;
}

static void answers(void **state)
{
	const struct protocol_process process = {
		.pid = 5,
		.uid = 4294967294u,
		.service = "s",
		.up = true,
		.rss_bytes = PICTURE_UNKNOWN,
		.inuse_bytes = 7,
	};
	struct error err = { .exit_code = EXIT_NO_PROCESS, .text = "gone" };
	json_t *json = decode(protocol_list(&process, 1)), *row;

	row = json_array_get(json_object_get(json, "processes"), 0);
	assert_int_equal(json_integer_value(json_object_get(row, "uid")), 4294967294u);
	assert_true(json_is_null(json_object_get(row, "rss_bytes")));
	assert_true(json_is_null(json_object_get(row, "taken_at")));
	assert_int_equal(json_integer_value(json_object_get(row, "python_inuse_bytes")), 7);
	json_decref(json);

	json = decode(protocol_error(PROTOCOL_OPS_COUNT, &err));
	assert_true(json_is_null(json_object_get(json, "op")));
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(json, "error"), "exit_code")),
		3);
	json_decref(json);

	json = decode(protocol_hello(1, 2));
	assert_int_equal(json_integer_value(json_object_get(json, "version")), PROTOCOL_VERSION);
	json_decref(json);
	json = decode(protocol_metrics("a\nb\n", OPENMETRICS_FORMAT_OPEN));
	assert_string_equal(json_string_value(json_object_get(json, "text")), "a\nb\n");
	json_decref(json);
	json_decref(decode(protocol_done(PROTOCOL_UNSUBSCRIBE)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests),
		cmocka_unit_test(refused),
		cmocka_unit_test(answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
