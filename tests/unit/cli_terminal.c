/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <string.h>
#include <time.h>

#include "cli/terminal.h"
#include "terminal_child.h"

static char text[256];

static int report_size(void)
{
	size_t columns, lines;

	return terminal_size(stdout, &columns, &lines) && columns == 80 && lines == 24 ? 0 : 1;
}

static void size_of_a_terminal(void **state)
{
	assert_int_equal(terminal_child_run(report_size, "", text, sizeof(text)), 0);
}

static void no_terminal_no_size(void **state)
{
	_cleanup_fclose_ FILE *file = fopen("/dev/null", "w");
	size_t columns, lines;

	assert_false(terminal_size(file, &columns, &lines));
}

/* A key comes without Enter, and afterwards the terminal is as it was. */
static int read_key(void)
{
	struct termios before, after;
	struct terminal term;
	char key = 0;

	tcgetattr(STDIN_FILENO, &before);
	terminal_init(&term);
	for (int i = 0; !key && i < 500; i++) {
		const struct timespec nap = { .tv_nsec = 10000000 };

		key = terminal_key(&term);
		nanosleep(&nap, NULL);
	}
	terminal_fini(&term);
	tcgetattr(STDIN_FILENO, &after);
	if (before.c_lflag != after.c_lflag)
		return 2;
	return key == 'q' ? 0 : 1;
}

static void single_keys(void **state)
{
	assert_int_equal(terminal_child_run(read_key, "q", text, sizeof(text)), 0);
}

static int read_no_key(void)
{
	struct terminal term = { 0 };

	return terminal_key(&term);
}

static void no_keys_without_a_terminal(void **state)
{
	assert_int_equal(read_no_key(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(size_of_a_terminal),
		cmocka_unit_test(no_terminal_no_size),
		cmocka_unit_test(single_keys),
		cmocka_unit_test(no_keys_without_a_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
