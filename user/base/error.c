/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

int error_set(struct error *err, int errnum, enum exit_code code, const char *fmt, ...)
{
	va_list args;

	if (!err || error_is_set(err))
		return -errnum;

	err->exit_code = code;
	va_start(args, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);
	return -errnum;
}

bool error_is_set(const struct error *err)
{
	return err->exit_code != EXIT_OK;
}
