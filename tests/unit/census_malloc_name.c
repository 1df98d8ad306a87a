/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "census/malloc_name.h"
#include <string.h>

#define LIBC                                                                                       \
	"7f0000000000-7f0000001000 r-xp 00000000 08:01 11 /usr/lib/x86_64-linux-gnu/libc.so.6\n"
#define MUSL "7f1000000000-7f1000001000 r-xp 00000000 08:01 12 /lib/ld-musl-x86_64.so.1\n"
#define JEMALLOC "7f2000000000-7f2000001000 r-xp 00000000 08:01 13 /opt/x/libjemalloc.so.2\n"
#define NAMED "7f3000000000-7f3000001000 rw-p 00000000 00:00 0 [anon:/libjemalloc]\n"
#define ELSEWHERE "7f4000000000-7f4000001000 r--p 00000000 08:01 14 /srv/libjemalloc/readme.txt\n"

static const char *name(const char *text)
{
	_cleanup_maps_ struct maps *maps = NULL;

	assert_int_equal(maps_parse(text, strlen(text), &maps), 0);
	return malloc_name_find(maps);
}

static void files_tell(void **state)
{
	assert_null(name(LIBC));
	assert_string_equal(name(LIBC MUSL), "musl");
	assert_string_equal(name(MUSL JEMALLOC), "jemalloc");
	assert_null(name(LIBC NAMED ELSEWHERE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_tell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
