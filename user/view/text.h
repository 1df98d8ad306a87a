/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A picture as text for people: columns by display width, sizes right-aligned, and nothing that the
 * target chose reaches the terminal unless it is printable.
 */
#pragma once

#include "model/picture.h"
#include "view/rows.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct text_options {
	size_t width; /* columns of the terminal; 0: no limit */
	bool colour;
};

/* Everything: header, memory, types, dicts, events, advice. 0 or negative errno of the stream. */
int text_write_picture(FILE *out, const struct picture *pic, const struct rows *rows,
		       const struct text_options *opts);

/*
 * What `top` shows: some lines of header, the processes of a service, the types, and a line for
 * the rest. Needs TEXT_SCREEN_LINES lines besides one for each row and one for each partial reason,
 * and one for each process and two more where there are several; where the cursor ends and one
 * below are counted.
 */
#define TEXT_SCREEN_LINES 10
int text_write_screen(FILE *out, const struct picture *pic, const struct rows *rows,
		      const struct text_options *opts);
