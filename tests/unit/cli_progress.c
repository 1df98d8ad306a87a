/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <string.h>

#include "base/clock.h"
#include "base/util.h"
#include "capture.h"
#include "cli/progress.h"
#include "terminal_child.h"

static char text[512];

static void work(uint64_t ns)
{
	uint64_t end = clock_monotonic() + ns;

	while (clock_monotonic() < end)
		continue;
}

static int show(void)
{
	progress_show("one");
	progress_show("two");
	progress_end();
	return 0;
}

static void a_line_replaces_the_last_and_goes(void **state)
{
	assert_int_equal(terminal_child_run(show, "", text, sizeof(text)), 0);
	assert_string_equal(text, "\r\033[Kone\r\033[Ktwo\r\033[K");
}

static int short_work(void)
{
	progress_begin("busy");
	work(50 * NSEC_PER_MSEC);
	progress_end();
	return 0;
}

static int long_work(void)
{
	progress_begin("busy");
	work(1200 * NSEC_PER_MSEC);
	progress_end();
	return 0;
}

static void only_what_takes_a_second_is_shown(void **state)
{
	assert_int_equal(terminal_child_run(short_work, "", text, sizeof(text)), 0);
	assert_string_equal(text, "");
	assert_int_equal(terminal_child_run(long_work, "", text, sizeof(text)), 0);
	assert_string_equal(text, "\r\033[Kbusy\r\033[K");
}

static void silent_without_a_terminal(void **state)
{
	static struct capture caught;

	capture_begin(&caught);
	show();
	capture_end(&caught);
	assert_string_equal(caught.text[1], "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_replaces_the_last_and_goes),
		cmocka_unit_test(only_what_takes_a_second_is_shown),
		cmocka_unit_test(silent_without_a_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
