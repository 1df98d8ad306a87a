/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a block was that is freed: a part of events.bpf.c, which has the constants that this asks.
 */
#pragma once

/* No reference is left, or one: realloc has copied the object, and frees what it was. */
static __always_inline __u8 dead_flag(__u64 refcount, __u8 flag)
{
	return (__u32)refcount > 1 || ((__u32)(refcount >> 32) & refcount_mask_high) ? 0 : flag;
}

/* Does a prefix of so many bytes end with @word? Its last byte is its size, before that is how many
 * values are set, and before that which was the first (Objects/dictobject.c, new_values). */
static __always_inline bool ends_prefix(__u64 word, __u64 size)
{
	return word >> 56 == size && (word >> 48 & 0xff) <= size - 2 && (word >> 40 & 0xff) < size;
}

/* Most of a prefix is never written: where it is long, it may begin with count and type of what was
 * in the block before. */
static __always_inline bool is_values(const __u64 *words)
{
	return values_prefix && (ends_prefix(words[2], 24) || ends_prefix(words[3], 32));
}

static __always_inline __u8 what_died(struct event *e, const __u64 *words, struct site_cookie c)
{
	bool unknown = c.flags & SITE_LINKED || is_values(words);

	e->types[0] = words[1];
	e->types[1] = words[3];
	e->types[2] = words[5];
	return (unknown ? 0 : dead_flag(words[0], EVENT_FREE_DEAD_0)) |
	       dead_flag(words[2], EVENT_FREE_DEAD_16) | dead_flag(words[4], EVENT_FREE_DEAD_32);
}

/* The owner's count is the upper half of a word; the others' lies above two flags of the next. */
static __always_inline __u8 dead_flag_split(const __u64 *local, __u8 flag)
{
	return local[0] >> 32 > 1 || local[1] >> 2 ? 0 : flag;
}

static __always_inline __u8 what_died_split(struct event *e, const __u64 *words)
{
	e->types[0] = words[3];
	e->types[1] = words[5];
	e->types[2] = 0;
	return dead_flag_split(words + 1, EVENT_FREE_DEAD_0) |
	       dead_flag_split(words + 3, EVENT_FREE_DEAD_16);
}
