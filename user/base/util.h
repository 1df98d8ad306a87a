/* SPDX-License-Identifier: BSD-2-Clause */
/* The few things that every file wants. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define MIN(a, b)                                                                                  \
	({                                                                                         \
		typeof(a) _min_a = (a);                                                            \
		typeof(b) _min_b = (b);                                                            \
		_min_a < _min_b ? _min_a : _min_b;                                                 \
	})

#define MAX(a, b)                                                                                  \
	({                                                                                         \
		typeof(a) _max_a = (a);                                                            \
		typeof(b) _max_b = (b);                                                            \
		_max_a > _max_b ? _max_a : _max_b;                                                 \
	})

#define streq(a, b) (strcmp((a), (b)) == 0)

#define KiB ((uint64_t)1 << 10)
#define MiB ((uint64_t)1 << 20)
#define GiB ((uint64_t)1 << 30)

#define NSEC_PER_SEC 1000000000ull
#define NSEC_PER_MSEC 1000000ull

static inline uint64_t round_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

/* Unaligned little-endian loads from bytes that came from another process (x86-64 only). */
static inline uint64_t load_u64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t load_u32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint16_t load_u16(const void *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline int64_t load_i64(const void *p)
{
	return (int64_t)load_u64(p);
}
