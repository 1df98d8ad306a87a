/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/terminal.h"

#include <poll.h>
#include <sys/ioctl.h>

bool terminal_size(FILE *stream, size_t *columns, size_t *lines)
{
	struct winsize size;

	if (!isatty(fileno(stream)) || ioctl(fileno(stream), TIOCGWINSZ, &size) || !size.ws_col ||
	    !size.ws_row)
		return false;
	*columns = size.ws_col;
	*lines = size.ws_row;
	return true;
}

void terminal_init(struct terminal *term)
{
	struct termios raw;

	*term = (struct terminal){ 0 };
	/* In the background tcsetattr() would stop us (SIGTTOU). */
	if (tcgetpgrp(STDIN_FILENO) != getpgrp() || tcgetattr(STDIN_FILENO, &term->before))
		return;
	raw = term->before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	term->keys = !tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

char terminal_key(const struct terminal *term)
{
	struct pollfd ready = { .fd = STDIN_FILENO, .events = POLLIN };
	char key = 0;

	if (!term->keys || poll(&ready, 1, 0) != 1 || read(STDIN_FILENO, &key, 1) != 1)
		return 0;
	return key;
}

void terminal_fini(struct terminal *term)
{
	if (term->keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &term->before);
	term->keys = false;
}
