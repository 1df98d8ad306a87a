/* SPDX-License-Identifier: BSD-2-Clause */
#include "census/malloc_name.h"

#include "base/util.h"

#include <string.h>

/* Beginnings of file names. One that takes malloc's place comes before the C library. */
static const struct {
	const char *file, *name;
} known[] = {
	{ "libjemalloc", "jemalloc" }, { "libtcmalloc", "tcmalloc" }, { "libmimalloc", "mimalloc" },
	{ "ld-musl-", "musl" },	       { "libc.musl-", "musl" },
};

const char *malloc_name_find(const struct maps *maps)
{
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		for (size_t k = 0; k < maps->count; k++) {
			const char *slash = strrchr(maps->list[k].path, '/');

			if (maps->list[k].kind == MAPPING_FILE && slash &&
			    !strncmp(slash + 1, known[i].file, strlen(known[i].file)))
				return known[i].name;
		}
	return NULL;
}
