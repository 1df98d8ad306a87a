/* SPDX-License-Identifier: BSD-2-Clause */
#include "tui/display.h"

#include "base/util.h"
#include "tui/keys.h"

#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <term.h>
#include <termios.h>

/* A lone Esc is told from the start of a sequence after so many milliseconds. */
#define ESCAPE_DELAY 25
#define ENTER_CODE 13
#define REDRAW_CODE 12 /* Ctrl-L */

struct display {
	SCREEN *screen;
	bool utf8, left;
	attr_t attrs[CANVAS_STYLES_COUNT];
	short pairs[CANVAS_STYLES_COUNT];
};

struct look {
	short colour; /* -1: the terminal's own */
	attr_t attrs; /* with colours */
	attr_t plain; /* without */
};

static const struct look looks[CANVAS_STYLES_COUNT] = {
	[CANVAS_PLAIN] = { -1, A_NORMAL, A_NORMAL },
	[CANVAS_DIM] = { -1, A_DIM, A_DIM },
	[CANVAS_BOLD] = { -1, A_BOLD, A_BOLD },
	[CANVAS_TITLE] = { COLOR_CYAN, A_BOLD, A_BOLD | A_UNDERLINE },
	[CANVAS_CURSOR] = { -1, A_REVERSE, A_REVERSE },
	[CANVAS_GROWTH] = { COLOR_RED, A_BOLD, A_BOLD },
	[CANVAS_SHRINK] = { COLOR_GREEN, A_NORMAL, A_NORMAL },
	[CANVAS_WARNING] = { COLOR_YELLOW, A_BOLD, A_BOLD },
	[CANVAS_KEY] = { -1, A_NORMAL, A_NORMAL },
	[CANVAS_LIVE] = { COLOR_GREEN, A_NORMAL, A_NORMAL },
	[CANVAS_FREE] = { COLOR_CYAN, A_NORMAL, A_NORMAL },
	[CANVAS_NATIVE] = { COLOR_MAGENTA, A_NORMAL, A_NORMAL },
	[CANVAS_OTHER] = { COLOR_BLUE, A_NORMAL, A_NORMAL },
};

/* ---- a crash -------------------------------------------------------------------------------- */

static const int crashes[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };

/* All that a signal handler needs to put the terminal back with write() and tcsetattr(). */
static struct {
	struct sigaction before[ARRAY_SIZE(crashes)];
	struct termios modes;
	char sequences[256];
	size_t len;
} rescue;

void display_rescue(void)
{
	ssize_t r;

	if (!rescue.len)
		return;
	r = write(STDOUT_FILENO, rescue.sequences, rescue.len);
	(void)r;
	tcsetattr(STDIN_FILENO, TCSANOW, &rescue.modes);
}

static void on_crash(int number)
{
	display_rescue();
	for (size_t i = 0; i < ARRAY_SIZE(crashes); i++)
		sigaction(crashes[i], &rescue.before[i], NULL);
	raise(number); /* blocked until this returns; then as if we had never been here */
}

static void rescue_add(const char *capability)
{
	const char *s = tigetstr(capability);
	size_t len;

	if (!s || s == (const char *)-1)
		return;
	len = strlen(s);
	if (rescue.len + len > sizeof(rescue.sequences))
		return;
	memcpy(rescue.sequences + rescue.len, s, len);
	rescue.len += len;
}

static void rescue_begin(void)
{
	struct sigaction action = { .sa_handler = on_crash };

	rescue.len = 0;
	rescue_add("sgr0");
	rescue_add("rmkx");
	rescue_add("cnorm");
	rescue_add("rmcup");
	for (size_t i = 0; i < ARRAY_SIZE(crashes); i++)
		sigaction(crashes[i], &action, &rescue.before[i]);
}

static void rescue_end(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(crashes); i++)
		sigaction(crashes[i], &rescue.before[i], NULL);
}

/* ---- open and close ------------------------------------------------------------------------- */

/* A locale that this machine does not have still says that the terminal speaks UTF-8. */
static bool find_utf8(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
	const char *wanted = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(names) && (!wanted || !*wanted); i++)
		wanted = getenv(names[i]);
	if (!setlocale(LC_CTYPE, "") && wanted &&
	    (strcasestr(wanted, "utf-8") || strcasestr(wanted, "utf8")))
		setlocale(LC_CTYPE, "C.UTF-8");
	return streq(nl_langinfo(CODESET), "UTF-8");
}

static void choose_looks(struct display *display, bool colour)
{
	colour = colour && has_colors() && start_color() == OK && COLORS >= 8;
	if (colour)
		use_default_colors();
	for (int i = 0; i < CANVAS_STYLES_COUNT; i++) {
		const struct look *look = &looks[i];

		display->attrs[i] = colour ? look->attrs : look->plain;
		if (colour && look->colour >= 0) {
			init_pair((short)(i + 1), look->colour, -1);
			display->pairs[i] = (short)(i + 1);
		}
	}
}

/* Asked before newterm(), which ends the program where it cannot go on. */
static bool can_place_text(void)
{
	const char *move, *clear;
	bool can;

	if (setupterm(NULL, STDOUT_FILENO, &(int){ 0 }) != OK)
		return false;
	move = tigetstr("cup");
	clear = tigetstr("clear");
	can = move && move != (char *)-1 && clear && clear != (char *)-1;
	del_curterm(cur_term);
	return can;
}

int display_open(bool colour, struct display **ret)
{
	struct display *display;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) ||
	    tcgetattr(STDIN_FILENO, &rescue.modes))
		return -ENOTSUP;
	display = calloc(1, sizeof(*display));
	if (!display)
		return -ENOMEM;
	display->utf8 = find_utf8();
	if (!can_place_text()) {
		free(display);
		return -ENOTSUP;
	}
	set_escdelay(ESCAPE_DELAY);
	display->screen = newterm(NULL, stdout, stdin);
	if (!display->screen) {
		free(display);
		return -ENOTSUP;
	}
	rescue_begin();
	choose_looks(display, colour);
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	/* What arrows send where the terminal did not follow into application mode. */
	define_key("\033[A", KEY_UP);
	define_key("\033[B", KEY_DOWN);
	nodelay(stdscr, TRUE);
	leaveok(stdscr, TRUE);
	curs_set(0);
	*ret = display;
	return 0;
}

void display_leave(struct display *display)
{
	if (!display->left)
		endwin();
	display->left = true;
	rescue.len = 0;
}

void display_close(struct display *display)
{
	display_leave(display);
	rescue_end();
	delscreen(display->screen);
	free(display);
}

/* ---- use ------------------------------------------------------------------------------------ */

int display_canvas(const struct display *display, struct canvas *ret)
{
	int height, width;

	getmaxyx(stdscr, height, width);
	return canvas_init(ret, (size_t)MAX(width, 1), (size_t)MAX(height, 1), display->utf8);
}

static const struct {
	int curses, key;
} special[] = {
	{ KEY_UP, KEYS_UP },
	{ KEY_DOWN, KEYS_DOWN },
	{ KEY_PPAGE, KEYS_PAGE_UP },
	{ KEY_NPAGE, KEYS_PAGE_DOWN },
	{ KEY_HOME, KEYS_HOME },
	{ KEY_END, KEYS_END },
	{ KEY_F(1), KEYS_F1 },
	{ KEY_F(5), KEYS_F5 },
	{ KEY_F(6), KEYS_F6 },
	{ KEY_ENTER, KEYS_ENTER },
	{ KEY_BACKSPACE, KEYS_BACKSPACE },
	{ KEY_RESIZE, KEYS_RESIZE },
};

int display_key(struct display *display)
{
	wint_t code;
	int kind = wget_wch(stdscr, &code);

	if (kind == ERR)
		return KEYS_NONE;
	if (kind == KEY_CODE_YES) {
		for (size_t i = 0; i < ARRAY_SIZE(special); i++) {
			if (special[i].curses == (int)code)
				return special[i].key;
		}
		return KEYS_RESIZE; /* means nothing, and is not the end of what was typed */
	}
	if (code == REDRAW_CODE) {
		clearok(curscr, TRUE);
		return KEYS_RESIZE;
	}
	if (code == ENTER_CODE)
		return KEYS_ENTER;
	return code == 8 ? KEYS_BACKSPACE : (int)code;
}

/* A character is shown only if the C library gives it the width that we do: it steers curses. */
static void show_cell(const struct display *display, int y, int x, const struct canvas_cell *cell)
{
	wchar_t text[CANVAS_CELL_MAX + 1];
	size_t len = mbstowcs(text, cell->text, CANVAS_CELL_MAX);
	short pair = display->pairs[cell->style];
	cchar_t out;

	if (len == (size_t)-1 || !len || wcwidth(text[0]) != cell->width) {
		text[0] = '?';
		len = 1;
	}
	/* Marks that this C library gives a width are left out. */
	for (size_t i = 1; i < len; i++) {
		if (wcwidth(text[i]) != 0)
			len = i;
	}
	text[MIN(len, (size_t)CCHARW_MAX)] = L'\0';
	if (setcchar(&out, text, display->attrs[cell->style], pair, NULL) == OK)
		mvadd_wch(y, x, &out);
}

void display_show(struct display *display, const struct canvas *canvas)
{
	erase();
	for (size_t y = 0; y < canvas->height; y++) {
		for (size_t x = 0; x < canvas->width; x++) {
			const struct canvas_cell *cell = canvas_cell(canvas, x, y);

			if (cell->width && (*cell->text != ' ' || cell->style != CANVAS_PLAIN))
				show_cell(display, (int)y, (int)x, cell);
		}
	}
	refresh();
}

int display_wait(struct display *display, int fd, int timeout_ms)
{
	struct pollfd ready[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = fd, .events = POLLIN },
	};
	int n = poll(ready, ARRAY_SIZE(ready), timeout_ms);

	if (n > 0 && (ready[0].revents & (POLLHUP | POLLERR | POLLNVAL)))
		return -EIO;
	return 0;
}
