/* SPDX-License-Identifier: BSD-2-Clause */
/* What the reference count of an object says, by layout->refcount. Private to attribute/. */
#pragma once

#include "base/util.h"
#include "layout/layout.h"

#include <stdbool.h>
#include <stdint.h>

/* More references than any object has, less than any pointer into a heap. */
#define REFCOUNT_MAX (1ull << 32)
#define REFCOUNT_FLAGS_MAX 0xffffull

enum refcount_state {
	REFCOUNT_NONSENSE, /* no object has such a count */
	REFCOUNT_DEAD,	   /* an object on a free list, or in its deallocator */
	REFCOUNT_LIVE,
};

/* The word with the count; 0 where there is none (free-threaded: split in two, and ob_refcnt is no
 * field). */
static inline uint64_t refcount_word(const struct layout *layout, const uint8_t *obj)
{
	return layout->refcount == LAYOUT_REFCOUNT_SPLIT ? 0 : load_u64(obj + layout->ob_refcnt);
}

/*
 * The state of the object whose first bytes are at @obj. 3.14's free lists write their link over
 * the count: bits 32 to 47 are 0 in a live object and never in a link, for arenas lie above 4 GiB
 * (Include/internal/pycore_freelist.h).
 */
static inline enum refcount_state refcount_state(const struct layout *layout, const uint8_t *obj)
{
	uint64_t word = refcount_word(layout, obj);

	switch (layout->refcount) {
	case LAYOUT_REFCOUNT_PLAIN:
	case LAYOUT_REFCOUNT_32:
		return !word		     ? REFCOUNT_DEAD
		       : word < REFCOUNT_MAX ? REFCOUNT_LIVE
					     : REFCOUNT_NONSENSE;
	case LAYOUT_REFCOUNT_FLAGS:
		if ((word >> 32) & REFCOUNT_FLAGS_MAX)
			return word >> 47 ? REFCOUNT_NONSENSE : REFCOUNT_DEAD;
		return (uint32_t)word ? REFCOUNT_LIVE : REFCOUNT_DEAD;
	case LAYOUT_REFCOUNT_SPLIT:
		return load_u32(obj + layout->ob_ref_local) ||
				       load_u64(obj + layout->ob_ref_shared) >> 2
			       ? REFCOUNT_LIVE
			       : REFCOUNT_DEAD;
	}
	return REFCOUNT_NONSENSE;
}

/*
 * An object is live when its count's lower half is not 0 and none of these bits is set; 0: it takes
 * refcount_state() to tell.
 */
static inline uint64_t refcount_dead_mask(const struct layout *layout)
{
	switch (layout->refcount) {
	case LAYOUT_REFCOUNT_PLAIN:
	case LAYOUT_REFCOUNT_32:
		return ~(REFCOUNT_MAX - 1);
	case LAYOUT_REFCOUNT_FLAGS:
		return REFCOUNT_FLAGS_MAX << 32;
	case LAYOUT_REFCOUNT_SPLIT:
		break;
	}
	return 0;
}

/* Exactly one reference: nobody but the one that led here has it. */
static inline bool refcount_is_one(const struct layout *layout, const uint8_t *obj)
{
	if (layout->refcount == LAYOUT_REFCOUNT_SPLIT)
		return load_u32(obj + layout->ob_ref_local) == 1 &&
		       !(load_u64(obj + layout->ob_ref_shared) >> 2);
	return (uint32_t)load_u64(obj + layout->ob_refcnt) == 1;
}
