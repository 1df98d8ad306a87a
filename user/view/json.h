/* SPDX-License-Identifier: BSD-2-Clause */
/* A picture as JSON, schema pymemtop.snapshot/1 (docs/json.md). Reads back with view/json_read.h.
 */
#pragma once

#include "model/picture.h"
#include "view/rows.h"

#include <stdio.h>

enum json_style {
	JSON_STYLE_LINE, /* all on one line, for recordings */
	JSON_STYLE_ROWS, /* one line for each part and each type: to read, to grep, to diff */
};

/*
 * Writes @pic and a newline, row by row: memory use does not grow with the number of types. @rows
 * (may be NULL: all) chooses and orders the types; totals are those of the whole picture. Strings
 * that are not valid UTF-8 are repaired. 0, or negative errno of the stream (-ENOSPC, -EPIPE ...)
 * or -ENOMEM; what was written by then stays written.
 */
int json_write_picture(FILE *out, const struct picture *pic, const struct rows *rows,
		       enum json_style style);
