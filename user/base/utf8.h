/* SPDX-License-Identifier: BSD-2-Clause */
/* Text that another process chose: made valid UTF-8 and harmless on a terminal. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Copies @len bytes of @src into @dst (capacity @cap, always terminated), with every byte that is
 * not part of valid UTF-8 replaced by U+FFFD; truncates at a character border. Returns bytes
 * written.
 */
size_t utf8_sanitize(char *dst, size_t cap, const void *src, size_t len);

/* The same for a terminal or a log: control characters (C0, C1, DEL) and bidi overrides become '?'.
 */
size_t utf8_printable(char *dst, size_t cap, const void *src, size_t len);

/* Columns that a valid UTF-8 string takes on a terminal (wcwidth rules; combining marks are 0). */
size_t utf8_width(const char *s);

/* Encodes code point @cp (surrogates and values past U+10FFFF become U+FFFD) at @dst (4 bytes);
 * bytes used. */
size_t utf8_put(char *dst, unsigned int cp);
