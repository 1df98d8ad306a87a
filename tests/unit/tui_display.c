/* SPDX-License-Identifier: BSD-2-Clause */
/* On a terminal of its own; how it looks there is for tests/tui. */
#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "terminal_child.h"
#include "tui/display.h"
#include "tui/keys.h"

/* What puts an xterm back: modes off, cursor on, first screen. */
#define RESTORED "\033[?1049l"

static char output[65536];

static int show_and_read(void)
{
	struct display *display;
	struct canvas canvas;
	int key = KEYS_NONE;

	setenv("TERM", "xterm", 1);
	setenv("LC_ALL", "C", 1);
	if (display_open(false, &display) || display_canvas(display, &canvas))
		return 100;
	canvas_put(&canvas, (struct canvas_place){ 0, 0, 80, CANVAS_PLAIN }, "hello ▲");
	display_show(display, &canvas);
	for (int i = 0; i < 50 && key == KEYS_NONE; i++) {
		display_wait(display, -1, 100);
		key = display_key(display);
	}
	if (canvas.width != 80 || canvas.height != 24 || canvas.utf8)
		key = 101;
	canvas_fini(&canvas);
	display_close(display);
	return key == KEYS_PAGE_DOWN ? 0 : 102;
}

static void shows_and_reads(void **unused)
{
	assert_int_equal(terminal_child_run(show_and_read, "\033[6~", output, sizeof(output)), 0);
	assert_non_null(strstr(output, "hello ?"));
	assert_non_null(strstr(output, RESTORED));
}

static int on_dumb(void)
{
	struct display *display;

	setenv("TERM", "dumb", 1);
	if (display_open(true, &display) != -ENOTSUP)
		return 1;
	setenv("TERM", "no-such-terminal", 1);
	if (display_open(true, &display) != -ENOTSUP)
		return 2;
	unsetenv("TERM");
	return display_open(true, &display) == -ENOTSUP ? 0 : 3;
}

static void refuses_dumb_terminals(void **unused)
{
	assert_int_equal(terminal_child_run(on_dumb, "", output, sizeof(output)), 0);
	assert_null(strchr(output, '\033'));
}

static int crash(void)
{
	struct display *display;
	pid_t child = fork();
	int status;

	if (child) {
		waitpid(child, &status, 0);
		return WIFSIGNALED(status) ? WTERMSIG(status) : 255;
	}
	setenv("TERM", "xterm", 1);
	signal(SIGABRT, SIG_DFL);
	if (!display_open(false, &display))
		raise(SIGABRT);
	_exit(0);
}

static void a_crash_restores_the_terminal(void **unused)
{
	assert_int_equal(terminal_child_run(crash, "", output, sizeof(output)), SIGABRT);
	assert_non_null(strstr(output, RESTORED));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shows_and_reads),
		cmocka_unit_test(refuses_dumb_terminals),
		cmocka_unit_test(a_crash_restores_the_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
