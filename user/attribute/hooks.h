/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What debug hooks put around each block: 16 bytes in front (size, the domain's letter, a guard)
 * and a guard of 8 behind. A large block has that twice where pymalloc passes it on to the raw
 * domain, which has hooks too (Objects/obmalloc.c, _PyMem_DebugRawAlloc, pymalloc's fall-back to
 * PyMem_RawMalloc; 3.8 to 3.15).
 */
#pragma once

#include "base/util.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define HOOKS_FRONT 16u
#define HOOKS_EXTRA 24u /* PYMEM_DEBUG_EXTRA_BYTES */

/* All 0 without hooks. */
struct hooks {
	uint32_t front,
		extra; /* in a pymalloc block: in front of the first usable byte, and in all */
	uint32_t large_extra; /* in a malloc chunk that stands for such a block */
};

static inline struct hooks hooks_of(bool debug, bool pymalloc)
{
	if (!debug)
		return (struct hooks){};
	return (struct hooks){ HOOKS_FRONT, HOOKS_EXTRA, pymalloc ? 2 * HOOKS_EXTRA : HOOKS_EXTRA };
}

/* Is there such a header at @data? (PYMEM_FORBIDDENBYTE) */
static inline bool hooks_are_at(const uint8_t *data)
{
	static const uint8_t guard[] = { 0xfd, 0xfd, 0xfd, 0xfd, 0xfd, 0xfd, 0xfd };

	return (data[8] == 'r' || data[8] == 'm' || data[8] == 'o') &&
	       !memcmp(data + 9, guard, sizeof(guard));
}

/* How many headers, one behind the other, are at the start of the @len bytes at @data: 0, 1 or 2.
 */
static inline uint32_t hooks_count(const uint8_t *data, uint32_t len)
{
	if (len < HOOKS_EXTRA || !hooks_are_at(data))
		return 0;
	return len >= 2 * HOOKS_EXTRA && hooks_are_at(data + HOOKS_FRONT) ? 2 : 1;
}
