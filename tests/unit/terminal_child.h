/* SPDX-License-Identifier: BSD-2-Clause */
/* A function in a child process on a terminal of its own, and what it wrote there. */
#pragma once

#include <pty.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs @fn on a terminal of 80x24 with @typed as input; fills @buf. Its exit status, -1 for
 * anything else. */
static inline int terminal_child_run(int (*fn)(void), const char *typed, char *buf, size_t cap)
{
	struct winsize size = { .ws_col = 80, .ws_row = 24 };
	size_t len = 0;
	int master = -1, status = -1;
	pid_t child = forkpty(&master, NULL, NULL, &size);

	if (child == 0)
		_exit(fn());
	if (child < 0 || write(master, typed, strlen(typed)) < 0)
		return -1;
	for (;;) {
		/* EIO is how a terminal ends. */
		ssize_t n = read(master, buf + len, cap - 1 - len);

		if (n <= 0)
			break;
		len += (size_t)n;
	}
	buf[len] = '\0';
	close(master);
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}
