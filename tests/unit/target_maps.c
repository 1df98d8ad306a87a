/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "target/maps.h"

static const char sample[] =
	"00400000-00452000 r-xp 00001000 08:02 173521                             /usr/bin/py "
	"thon\n"
	"00e03000-00e24000 rw-p 00000000 00:00 0                                  [heap]\n"
	"7f0000000000-7f0000001000 rw-s 00000000 00:01 4711                       /dev/zero "
	"(deleted)\n"
	"7f0000001000-7f0000002000 rw-p 00000000 00:00 0 \n"
	"7f0000002000-7f0000003000 ---p 00000000 00:00 0                          [anon:glibc: "
	"malloc arena]\n"
	"7f0000003000-7f0000004000 r--p 00002000 fe:100000 18446744073709551615   "
	"/tmp/new\\012line\\101 (deleted)\n"
	"7ffffffde000-7ffffffff000 rw-p 00000000 00:00 0                          [stack]\n"
	"7ffffffff000-800000000000 r-xp 00000000 00:00 0                          [vdso]";

static void reads_the_kernels_format(void **state)
{
	_cleanup_maps_ struct maps *maps = NULL;
	static const struct {
		enum mapping_kind kind;
		const char *path;
	} wanted[] = {
		{ MAPPING_FILE, "/usr/bin/py thon" },
		{ MAPPING_HEAP, "[heap]" },
		{ MAPPING_FILE, "/dev/zero" },
		{ MAPPING_ANON, "" },
		{ MAPPING_ANON, "[anon:glibc: malloc arena]" },
		{ MAPPING_FILE, "/tmp/new\nline\\101" },
		{ MAPPING_STACK, "[stack]" },
		{ MAPPING_SPECIAL, "[vdso]" },
	};

	assert_int_equal(maps_parse(sample, sizeof(sample) - 1, &maps), 0);
	assert_int_equal(maps->count, ARRAY_SIZE(wanted));
	for (size_t i = 0; i < maps->count; i++) {
		assert_int_equal(maps->list[i].kind, wanted[i].kind);
		assert_string_equal(maps->list[i].path, wanted[i].path);
	}
	assert_int_equal(maps->list[0].start, 0x400000);
	assert_int_equal(maps->list[0].end, 0x452000);
	assert_int_equal(maps->list[0].offset, 0x1000);
	assert_int_equal(maps->list[0].inode, 173521);
	assert_int_equal(maps->list[0].dev_major, 8);
	assert_int_equal(maps->list[0].dev_minor, 2);
	assert_true(maps->list[0].read && maps->list[0].exec && !maps->list[0].write &&
		    !maps->list[0].shared);
	assert_true(maps->list[2].shared && maps->list[2].deleted && maps->list[2].write);
	assert_false(maps->list[4].read || maps->list[4].write || maps->list[4].exec ||
		     maps->list[4].deleted);
	assert_true(maps->list[5].deleted);
	assert_int_equal(maps->list[5].dev_minor, 0x100000);
	assert_true(maps->list[5].inode == UINT64_MAX);
}

static void finds_by_address(void **state)
{
	_cleanup_maps_ struct maps *maps = NULL;

	assert_int_equal(maps_parse(sample, sizeof(sample) - 1, &maps), 0);
	assert_ptr_equal(maps_find(maps, 0x400000), &maps->list[0]);
	assert_ptr_equal(maps_find(maps, 0x451fff), &maps->list[0]);
	assert_null(maps_find(maps, 0x452000));
	assert_null(maps_find(maps, 0x3fffff));
	assert_ptr_equal(maps_find(maps, 0x7f0000001000), &maps->list[3]);
	assert_ptr_equal(maps_find(maps, 0x7fffffffffff), &maps->list[7]);
	assert_null(maps_find(maps, UINT64_MAX));
}

static void refuses_what_is_malformed(void **state)
{
	static const char *const lines[] = {
		"\n",
		"x",
		"00400000-00452000",
		"00400000-00452000 r-xp",
		"00400000-00452000 r-xp 0 8:2",
		"00400000 00452000 r-xp 0 8:2 1 /x",
		"00400000-00400000 r-xp 0 8:2 1 /x", /* empty */
		"00452000-00400000 r-xp 0 8:2 1 /x", /* backwards */
		"00400000-00452000 rwap 0 8:2 1 /x",
		"00400000-00452000 r-xq 0 8:2 1 /x",
		"00400000-00452000 r-xp g 8:2 1 /x",
		"00400000-00452000 r-xp 0 8:2 a /x",
		"00400000-00452000 r-xp 0 8:2 -1 /x",
		"00400000-10000000000000000 r-xp 0 8:2 1 /x", /* 65 bits */
		"00400000-00452000 r-xp 0 8:2 18446744073709551616 /x",
		"00400000-00452000 r-xp 0 100000000:2 1 /x",
		"1000-3000 r-xp 0 8:2 1 /x\n2000-4000 r-xp 0 8:2 1 /x\n", /* overlap */
		"3000-4000 r-xp 0 8:2 1 /x\n1000-2000 r-xp 0 8:2 1 /x\n", /* order */
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct maps *maps = NULL;

		assert_int_equal(maps_parse(lines[i], strlen(lines[i]), &maps), -EINVAL);
		assert_null(maps);
	}
}

static void empty_text_is_no_mapping(void **state)
{
	_cleanup_maps_ struct maps *maps = NULL;

	assert_int_equal(maps_parse("", 0, &maps), 0);
	assert_int_equal(maps->count, 0);
	assert_null(maps_find(maps, 0));
}

static void cut_anywhere_is_survived(void **state)
{
	for (size_t len = 0; len < sizeof(sample); len++) {
		_cleanup_free_ char *text = malloc(len ? len : 1);
		_cleanup_maps_ struct maps *maps = NULL;

		memcpy(text, sample, len);
		if (maps_parse(text, len, &maps) == 0)
			assert_true(maps->count <= 8);
		else
			assert_null(maps);
	}
}

static void formats_what_it_parses(void **state)
{
	_cleanup_maps_ struct maps *maps = NULL, *again = NULL;
	_cleanup_free_ char *text = NULL;
	size_t len;

	assert_int_equal(maps_parse(sample, sizeof(sample) - 1, &maps), 0);
	text = maps_format(maps, &len);
	assert_non_null(text);
	assert_int_equal(maps_parse(text, len, &again), 0);
	assert_int_equal(again->count, maps->count);
	for (size_t i = 0; i < maps->count; i++) {
		struct mapping a = maps->list[i], b = again->list[i];

		assert_string_equal(a.path, b.path);
		a.path = b.path = NULL;
		assert_memory_equal(&a, &b, sizeof(a));
	}
}

static void reads_our_own(void **state)
{
	_cleanup_process_ struct process *proc = NULL;
	_cleanup_maps_ struct maps *maps = NULL;
	const struct mapping *code, *stack;
	int local = 0;

	assert_int_equal(process_open(getpid(), &proc, NULL), 0);
	assert_int_equal(maps_read(proc, &maps), 0);
	code = maps_find(maps, (uint64_t)&reads_our_own);
	stack = maps_find(maps, (uint64_t)&local);
	assert_non_null(code);
	assert_non_null(stack);
	assert_int_equal(code->kind, MAPPING_FILE);
	assert_string_equal(code->path, proc->exe);
	assert_true(code->exec && !code->write);
	assert_int_equal(stack->kind, MAPPING_STACK);
}

static void runs_are_likes_without_a_gap(void **state)
{
	static const char text[] = "1000-2000 rw-p 00000000 00:00 0 \n"
				   "2000-4000 rw-p 00000000 00:00 0 \n"
				   "4000-5000 ---p 00000000 00:00 0 \n"
				   "6000-7000 rw-p 00000000 00:00 0 \n"
				   "8000-9000 rw-p 00000000 00:00 0 \n";
	_cleanup_maps_ struct maps *maps = NULL;

	assert_int_equal(maps_parse(text, sizeof(text) - 1, &maps), 0);
	assert_int_equal(maps_run_end(&maps->list[0]), 0x4000);
	assert_int_equal(maps_run_end(&maps->list[1]), 0x4000);
	assert_int_equal(maps_run_end(&maps->list[3]), 0x7000);
	assert_int_equal(maps_run_end(&maps->list[4]), 0x9000);
	assert_true(maps_begins_run(maps, &maps->list[0]));
	assert_false(maps_begins_run(maps, &maps->list[1]));
	assert_true(maps_begins_run(maps, &maps->list[2]));
	assert_true(maps_begins_run(maps, &maps->list[4]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_kernels_format),
		cmocka_unit_test(finds_by_address),
		cmocka_unit_test(refuses_what_is_malformed),
		cmocka_unit_test(empty_text_is_no_mapping),
		cmocka_unit_test(cut_anywhere_is_survived),
		cmocka_unit_test(formats_what_it_parses),
		cmocka_unit_test(reads_our_own),
		cmocka_unit_test(runs_are_likes_without_a_gap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
