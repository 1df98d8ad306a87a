/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <jansson.h>
#include <string.h>

#include "capture.h"
#include "cli/ps.h"

static const struct options_usage usage = {
	.command = OPTIONS_PS,
	.name = "pymemtop ps",
	.args = "",
	.summary = "",
};
static struct capture caught;

static int run(enum options_format format)
{
	const struct options opts = { .format = format };
	struct error err = { 0 };
	int r;

	capture_begin(&caught);
	r = ps_run(&usage, &opts, &err);
	capture_end(&caught);
	return r;
}

static void text_has_a_title(void **state)
{
	assert_int_equal(run(OPTIONS_FORMAT_TEXT), 0);
	assert_non_null(strstr(caught.text[0], "VERSION"));
	assert_non_null(strstr(caught.text[0], "SUPPORTED"));
}

/* This very process is no Python; what is listed says whether it is supported or why not. */
static void json_lists_only_pythons(void **state)
{
	json_error_t why;
	json_t *json, *entry;
	size_t i;

	assert_int_equal(run(OPTIONS_FORMAT_JSON), 0);
	json = json_loads(caught.text[0], 0, &why);
	if (!json)
		fail_msg("%s", why.text);
	assert_string_equal(json_string_value(json_object_get(json, "schema")), "pymemtop.ps/1");
	json_array_foreach (json_object_get(json, "processes"), i, entry) {
		json_t *supported = json_object_get(entry, "supported");

		assert_int_not_equal(json_integer_value(json_object_get(entry, "pid")), getpid());
		assert_true(json_is_boolean(supported));
		assert_int_equal(json_is_true(supported),
				 json_is_null(json_object_get(entry, "reason")));
	}
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_has_a_title),
		cmocka_unit_test(json_lists_only_pythons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
