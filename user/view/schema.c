/* SPDX-License-Identifier: BSD-2-Clause */
#include "view/schema.h"

#include <errno.h>

/* The document itself, so that what the binary prints and what the tree documents is one text. */
__asm__(".pushsection .rodata\n"
	"schema_text:\n"
	".incbin \"docs/snapshot.schema.json\"\n"
	".byte 0\n"
	".popsection\n");

extern const char schema_text[] __attribute__((visibility("hidden")));

int schema_write(FILE *out)
{
	errno = 0;
	if (fputs(schema_text, out) < 0 || fflush(out))
		return errno ? -errno : -EIO;
	return 0;
}
