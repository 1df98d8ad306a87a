/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

static enum log_level log_level = LOG_LEVEL_WARNING;

void log_set_level(enum log_level level)
{
	log_level = level;
}

enum log_level log_get_level(void)
{
	return log_level;
}

void log_message(enum log_level level, const char *fmt, ...)
{
	char text[1024], line[1024];
	size_t len;
	va_list args;

	if (level > log_level)
		return;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);

	/* libbpf's messages bring their own newline. */
	len = strlen(text);
	while (len && text[len - 1] == '\n')
		len--;
	utf8_printable(line, sizeof(line), text, len);
	/* One call, so that lines of two threads do not mix. */
	fprintf(stderr, "pymemtop: %s\n", line);
}
