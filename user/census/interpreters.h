/* SPDX-License-Identifier: BSD-2-Clause */
/* The interpreters of a process: _PyRuntime.interpreters.head and the list behind it. */
#pragma once

#include "layout/layout.h"
#include "target/memory.h"
#include "target/python.h"

#include <stddef.h>
#include <stdint.h>

#define INTERPRETERS_MAX 256

/*
 * Addresses of all PyInterpreterState, main first where it can be told. Returns how many (at most
 * INTERPRETERS_MAX), or negative errno; -EAGAIN where there is none yet (Python is starting).
 */
int interpreters_list(const struct python *py, const struct layout *layout, struct memory *mem,
		      uint64_t ret[INTERPRETERS_MAX]);
