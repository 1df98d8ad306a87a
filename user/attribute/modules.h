/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The types of extension modules, the standard library's and numpy's, whose instances we know from
 * the inside. Rows of the same table as those of the interpreter's own types. Private to
 * attribute/.
 */
#pragma once

#include "attribute/builtins.h"

/* The row for a type of that name and size, or NULL. */
const struct builtin *modules_find(const struct layout *layout, const char *name,
				   const struct type *type);
