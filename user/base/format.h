/* SPDX-License-Identifier: BSD-2-Clause */
/* Sizes, times and counts as people write and read them. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define FORMAT_SIZE_MAX 32

/* "1.5 MiB", "312 B": one decimal from KiB up. @buf of FORMAT_SIZE_MAX bytes here and below;
 * returns @buf. */
char *format_size(char *buf, uint64_t bytes);

/* The same with a sign, for differences: "+1.5 MiB", "-312 B", "0 B". */
char *format_size_delta(char *buf, int64_t bytes);

/* "12s", "2m05s", "1h02m", "3d04h". */
char *format_elapsed(char *buf, uint64_t seconds);

/* "1,234,567". */
char *format_count(char *buf, uint64_t n);

/* "250ms", "10s", "2m", "1h", plain seconds "2" or "0.5"; *ret in nanoseconds. 0 or -EINVAL. */
int format_parse_duration(const char *text, uint64_t *ret);

/* "10MiB", "512K", "1GB" (powers of 1024 for KiB and K, of 1000 for KB), plain bytes. 0 or -EINVAL.
 */
int format_parse_size(const char *text, uint64_t *ret);

/* "2%" or "0.02" as a ratio 0..1; 0 or -EINVAL. */
int format_parse_ratio(const char *text, double *ret);

/* UTC with milliseconds, "2026-01-01T00:00:00.000Z"; @buf of 32 bytes; returns @buf. */
char *format_timestamp(char *buf, uint64_t unix_ns);
