/* SPDX-License-Identifier: BSD-2-Clause */
/* Which version of CPython an image is, and what that is known from. */
#pragma once

#include "target/python.h"

/*
 * Fills hex, version, evidence, free_threaded and debug of @py, whose image, bias and runtime are
 * set. -ENODATA: nothing says the version (or it has not started yet); -EBADMSG: sources contradict
 * each other or make no sense; -ESRCH, -EPERM as memory_read().
 */
int python_version_read(struct python *py, struct memory *mem);

/*
 * "3.11.7", "3.12.0rc1", "3.15.0a2+" as PY_VERSION has it, up to a space, NUL or @len:
 * PY_VERSION_HEX, or 0 when it is no version of Python 3.
 */
uint32_t python_version_parse(const char *text, size_t len);

/* The opposite; @buf of 24 bytes. */
void python_version_format(uint32_t hex, char *buf);
