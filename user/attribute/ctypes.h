/* SPDX-License-Identifier: BSD-2-Clause */
/* ctypes: its objects, its classes, and what it keeps of a class. Rows like those of modules.c.
 * Private to attribute/. */
#pragma once

#include "attribute/builtins.h"

extern const struct builtin ctypes_rows[];
extern const size_t ctypes_rows_count;
