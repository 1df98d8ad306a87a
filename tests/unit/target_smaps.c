/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/util.h"
#include "target/smaps.h"

#include <errno.h>

static const char sample[] =
	"55d0c2a00000-55d0c2a80000 r-xp 00001000 fe:01 1234  /usr/bin/python3.11\n"
	"Size:                512 kB\n"
	"Rss:                 400 kB\n"
	"Private_Clean:         8 kB\n"
	"Private_Dirty:         4 kB\n"
	"VmFlags: rd ex mr mw me\n"
	"7f0000000000-7f0000100000 rw-p 00000000 00:00 0 \n"
	"Rss:                1024 kB\n"
	"Pss:                1008 kB\n"
	"Pss_Dirty:          1004 kB\n"
	"Anonymous:          1024 kB\n"
	"Private_Dirty:      1000 kB\n"
	"Swap:                 24 kB\n";

static void sums_the_fields_of_each_mapping(void **state)
{
	cleanup(smaps_freep) struct smaps *smaps = NULL;

	assert_int_equal(smaps_parse(sample, strlen(sample), &smaps), 0);
	assert_int_equal(smaps->count, 2);
	assert_int_equal(smaps->list[0].start, 0x55d0c2a00000);
	assert_int_equal(smaps->list[0].end, 0x55d0c2a80000);
	assert_int_equal(smaps->list[0].rss_bytes, 400 * KiB);
	assert_int_equal(smaps->list[0].private_bytes, 12 * KiB);
	assert_int_equal(smaps->list[1].private_bytes, 1000 * KiB);
	assert_int_equal(smaps->list[1].swap_bytes, 24 * KiB);
	assert_int_equal(smaps->rss_bytes, 1424 * KiB);
	assert_int_equal(smaps->list[1].pss_bytes, 1008 * KiB);
	assert_int_equal(smaps->pss_bytes, 1008 * KiB);
	assert_int_equal(smaps->forked_bytes, 24 * KiB);
}

static void fields_without_a_mapping_are_passed_over(void **state)
{
	static const char text[] = "Rss: 400 kB\nnonsense\n\n";
	cleanup(smaps_freep) struct smaps *smaps = NULL;

	assert_int_equal(smaps_parse(text, strlen(text), &smaps), 0);
	assert_int_equal(smaps->count, 0);
	assert_int_equal(smaps_parse("", 0, &smaps), -EINVAL);
}

static void reads_its_own_process(void **state)
{
	cleanup(process_freep) struct process *self = NULL;
	cleanup(smaps_freep) struct smaps *smaps = NULL;
	struct error err = {};

	assert_int_equal(process_open(getpid(), &self, &err), 0);
	assert_int_equal(smaps_read(self, &smaps), 0);
	assert_true(smaps->count > 5);
	assert_true(smaps->rss_bytes > 256 * KiB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_the_fields_of_each_mapping),
		cmocka_unit_test(fields_without_a_mapping_are_passed_over),
		cmocka_unit_test(reads_its_own_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
