/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

/* What log_message() writes to stderr for @text at @level. */
static void capture(char *buf, size_t cap, enum log_level level, const char *text)
{
	_cleanup_close_ int file = memfd_create("stderr", 0);
	_cleanup_close_ int saved = dup(STDERR_FILENO);
	ssize_t len;

	assert_true(file >= 0 && saved >= 0);
	dup2(file, STDERR_FILENO);
	log_message(level, "%s", text);
	dup2(saved, STDERR_FILENO);
	len = pread(file, buf, cap - 1, 0);
	assert_true(len >= 0);
	buf[len] = '\0';
}

static void prints_one_prefixed_line(void **state)
{
	char out[256];

	capture(out, sizeof(out), LOG_LEVEL_ERROR, "broken");
	assert_string_equal(out, "pymemtop: broken\n");
}

static void drops_the_callers_newlines(void **state)
{
	char out[256];

	capture(out, sizeof(out), LOG_LEVEL_ERROR, "libbpf: prog 'x'\n\n");
	assert_string_equal(out, "pymemtop: libbpf: prog 'x'\n");
}

static void hides_what_is_above_the_level(void **state)
{
	char out[256];

	assert_int_equal(log_get_level(), LOG_LEVEL_WARNING);
	capture(out, sizeof(out), LOG_LEVEL_INFO, "detail");
	assert_string_equal(out, "");
	log_set_level(LOG_LEVEL_INFO);
	capture(out, sizeof(out), LOG_LEVEL_INFO, "detail");
	log_set_level(LOG_LEVEL_WARNING);
	assert_string_equal(out, "pymemtop: detail\n");
}

static void makes_control_bytes_harmless(void **state)
{
	char out[256];

	capture(out, sizeof(out), LOG_LEVEL_ERROR, "a\033[31mb\nc");
	assert_string_equal(out, "pymemtop: a?[31mb?c\n");
}

static void bounds_a_long_message(void **state)
{
	char text[4096], out[4096];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	capture(out, sizeof(out), LOG_LEVEL_ERROR, text);
	assert_true(strlen(out) > 1000 && strlen(out) < 1100);
	assert_int_equal(out[strlen(out) - 1], '\n');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prints_one_prefixed_line),
		cmocka_unit_test(drops_the_callers_newlines),
		cmocka_unit_test(hides_what_is_above_the_level),
		cmocka_unit_test(makes_control_bytes_harmless),
		cmocka_unit_test(bounds_a_long_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
