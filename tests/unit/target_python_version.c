/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "target/python_version.h"

static void parses_versions(void **state)
{
	static const struct {
		const char *text;
		uint32_t hex;
		const char *formatted;
	} cases[] = {
		{ "3.11.7", 0x030b07f0, "3.11.7" },
		{ "3.10.13 (main", 0x030a0df0, "3.10.13" },
		{ "3.12.0rc1", 0x030c00c1, "3.12.0rc1" },
		{ "3.15.0a2+", 0x030f00a2, "3.15.0a2" },
		{ "3.14.0b4", 0x030e00b4, "3.14.0b4" },
		{ "3.8.5 | packaged", 0x030805f0, "3.8.5" },
		{ "3.9.2+", 0x030902f0, "3.9.2" },
		{ "3.6.15", 0, NULL },
		{ "2.7.18", 0, NULL },
		{ "4.0.0", 0, NULL },
		{ "3.11", 0, NULL },
		{ "3.11.", 0, NULL },
		{ "3.11.7x", 0, NULL },
		{ "3.11.7a", 0, NULL },
		{ "3.11.7rc16", 0, NULL },
		{ "3.256.0", 0, NULL },
		{ "3.11.99999999999", 0, NULL },
		{ "", 0, NULL },
		{ "+3.11.7", 0, NULL },
		{ "3.-1.7", 0, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char buf[24];

		assert_int_equal(python_version_parse(cases[i].text, strlen(cases[i].text)),
				 cases[i].hex);
		if (!cases[i].formatted)
			continue;
		python_version_format(cases[i].hex, buf);
		assert_string_equal(buf, cases[i].formatted);
	}
}

/* What getversion.c of 3.10 makes at run time, and the literal it is made from, here in this
 * program. */
static char formatted[300];
static const char *volatile literal = "3.10.77";

/* This program, seen as a Python whose _PyRuntime is at @runtime. */
static int read_own(const void *runtime, struct python **ret)
{
	_cleanup_process_ struct process *proc = NULL;
	_cleanup_memory_ struct memory *mem = NULL;
	_cleanup_python_ struct python *py = calloc(1, sizeof(*py));
	const struct mapping *map;
	int r;

	assert_int_equal(process_open(getpid(), &proc, NULL), 0);
	assert_int_equal(memory_live_new(getpid(), &mem), 0);
	assert_int_equal(maps_read(proc, &py->maps), 0);
	map = maps_find(py->maps, (uint64_t)&read_own);
	assert_int_equal(elf_open_mapping(proc, map, &py->image), 0);
	py->bias = elf_bias(py->image, py->maps, map);
	py->runtime = (uint64_t)runtime;
	r = python_version_read(py, mem);
	if (r == 0)
		*ret = TAKE_PTR(py);
	return r;
}

static void set_text(const char *version, const char *rest)
{
	snprintf(formatted, sizeof(formatted), "%s%s", version, rest);
}

static void believes_a_text_that_has_its_literal(void **state)
{
	static const char *const rests[] = {
		" (main, May  9 2026, 07:34:36) [GCC 12.2.0]",
		" (default, Feb 28 2021, 17:03:44) \n[Clang 10.0.0]",
	};
	static const uint64_t runtime[4];

	for (size_t i = 0; i < ARRAY_SIZE(rests); i++) {
		_cleanup_python_ struct python *py = NULL;

		set_text(literal, rests[i]);
		assert_int_equal(read_own(runtime, &py), 0);
		assert_int_equal(py->hex, 0x030a4df0);
		assert_int_equal(py->evidence, PYTHON_EVIDENCE_VERSION_STRING);
		assert_string_equal(py->version, "3.10.77");
		assert_false(py->debug || py->free_threaded);
	}
}

static void believes_no_text_without_proof(void **state)
{
	static const uint64_t runtime[4];
	struct python *py = NULL;
	char other[16];

	/* Nothing there, no compiler, and a version that is no literal of the image. */
	set_text("", "");
	assert_int_equal(read_own(runtime, &py), -ENODATA);
	set_text(literal, " (main, May  9 2026, 07:34:36) GCC");
	assert_int_equal(read_own(runtime, &py), -ENODATA);
	snprintf(other, sizeof(other), "3.%d.%d", 9, 78);
	set_text(other, " (main, May  9 2026, 07:34:36) [GCC 12.2.0]");
	assert_int_equal(read_own(runtime, &py), -ENODATA);
	assert_null(py);
	set_text("", "");
}

static void reads_debug_offsets(void **state)
{
	static struct {
		char cookie[8];
		uint64_t version, free_threaded;
	} runtime = { "xdebugpy", 0x030d05f0, 1 };
	_cleanup_python_ struct python *py = NULL;

	memcpy(runtime.cookie, "xdebugpy", 8);
	assert_int_equal(read_own(&runtime, &py), 0);
	assert_int_equal(py->hex, 0x030d05f0);
	assert_int_equal(py->evidence, PYTHON_EVIDENCE_DEBUG_OFFSETS);
	assert_true(py->free_threaded);
	python_free(TAKE_PTR(py));

	runtime.free_threaded = 2;
	assert_int_equal(read_own(&runtime, &py), -EBADMSG);
	runtime.free_threaded = 0;
	runtime.version = 0x1030d05f0;
	assert_int_equal(read_own(&runtime, &py), -EBADMSG);
	runtime.version = 0x020d05f0;
	assert_int_equal(read_own(&runtime, &py), -EBADMSG);
	assert_int_equal(read_own(NULL, &py), -EFAULT);
	assert_null(py);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_versions),
		cmocka_unit_test(believes_a_text_that_has_its_literal),
		cmocka_unit_test(believes_no_text_without_proof),
		cmocka_unit_test(reads_debug_offsets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
