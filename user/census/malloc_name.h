/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose malloc it is, where it is not one that we can walk: told by the file that holds it. */
#pragma once

#include "target/maps.h"

/* "jemalloc", "tcmalloc", "mimalloc" or "musl"; NULL: none of those has a file of its own here.
 * Static. */
const char *malloc_name_find(const struct maps *maps);
