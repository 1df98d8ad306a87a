/* SPDX-License-Identifier: BSD-2-Clause */
/* A file, or a daemon's answer, that says it is a snapshot: what is read is written, and read again the same. */
#include "view/json.h"
#include "view/json_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct picture *read_text(const void *text, size_t len)
{
	FILE *in = len ? fmemopen((void *)(uintptr_t)text, len, "r") : NULL;
	struct picture *pic = NULL;

	if (in && json_read_picture(in, "input", &pic, NULL))
		pic = NULL;
	if (in)
		fclose(in);
	return pic;
}

static char *write_text(const struct picture *pic, size_t *len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, len);

	if (json_write_picture(out, pic, NULL, JSON_STYLE_LINE))
		abort();
	fclose(out);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct picture *pic = read_text(data, size), *again;
	size_t len, len_again;
	char *text, *text_again;

	if (!pic)
		return 0;
	text = write_text(pic, &len);
	again = read_text(text, len);
	if (!again)
		abort();
	text_again = write_text(again, &len_again);
	if (len != len_again || memcmp(text, text_again, len) != 0)
		abort();
	free(text);
	free(text_again);
	picture_free(pic);
	picture_free(again);
	return 0;
}
