/* SPDX-License-Identifier: BSD-2-Clause */
/* What cannot be watched; how it looks and what keys do is for tests/tui. */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "terminal_child.h"
#include "tui/tui.h"

static char output[65536];

static int fail_to_take(struct feed *feed, const volatile bool *stop, struct picture **ret,
			struct error *err)
{
	return error_set(err, EPERM, EXIT_NO_PERMISSION, "may not read it");
}

static bool is_alive(struct feed *feed)
{
	return true;
}

static void close_nothing(struct feed *feed)
{
}

static int watch_in_vain(void)
{
	const volatile bool stop = false;
	const struct feed_ops ops = { .take = fail_to_take,
				      .is_alive = is_alive,
				      .close = close_nothing };
	struct feed feed = { .ops = &ops };
	const struct tui_options opts = { .watcher = { .interval_ns = 1000000000 }, .stop = &stop };
	struct display *display;
	struct error err = { 0 };
	int r;

	setenv("TERM", "xterm", 1);
	if (display_open(false, &display))
		return 100;
	r = tui_run(display, &feed, &opts, &err);
	display_close(display);
	return r < 0 && err.exit_code == EXIT_NO_PERMISSION ? 0 : 101;
}

static void no_permission(void **state)
{
	assert_int_equal(terminal_child_run(watch_in_vain, "", output, sizeof(output)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_permission),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
