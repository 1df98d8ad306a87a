/* SPDX-License-Identifier: BSD-2-Clause */
/* An address space made by hand: segments of zeros that a test fills in. */
#pragma once

#include "unit.h"

#include "base/util.h"
#include "layout/layout.h"
#include "target/maps.h"
#include "target/memory.h"

#include <stdlib.h>
#include <string.h>

#define FAKE_SEGMENTS_MAX 16

struct fake_segment {
	uint64_t base;
	uint8_t *data;
	size_t len;
};

struct fake {
	struct memory *mem; /* NULL before the first fake_map() */
	struct fake_segment segments[FAKE_SEGMENTS_MAX];
	size_t count;
};

/* What is written later is seen: the memory borrows the bytes. */
static inline void fake_map(struct fake *fake, uint64_t base, size_t len)
{
	struct fake_segment *seg = &fake->segments[fake->count];

	assert_true(fake->count < FAKE_SEGMENTS_MAX);
	*seg = (struct fake_segment){ base, calloc(1, len), len };
	assert_non_null(seg->data);
	if (fake->mem)
		assert_int_equal(memory_buffer_add(fake->mem, base, seg->data, len), 0);
	else
		assert_int_equal(memory_buffer_new(base, seg->data, len, &fake->mem), 0);
	fake->count++;
}

static inline void fake_fini(struct fake *fake)
{
	memory_freep(&fake->mem);
	for (size_t i = 0; i < fake->count; i++)
		free(fake->segments[i].data);
	*fake = (struct fake){};
}
#define _cleanup_fake_ cleanup(fake_fini)

static inline uint8_t *fake_at(struct fake *fake, uint64_t addr, size_t len)
{
	for (size_t i = 0; i < fake->count; i++) {
		struct fake_segment *seg = &fake->segments[i];

		if (addr >= seg->base && addr - seg->base + len <= seg->len)
			return seg->data + (addr - seg->base);
	}
	fail_msg("%#lx is not mapped", (unsigned long)addr);
	return NULL;
}

static inline void fake_bytes(struct fake *fake, uint64_t addr, const void *data, size_t len)
{
	memcpy(fake_at(fake, addr, len), data, len);
}

static inline void fake_u64(struct fake *fake, uint64_t addr, uint64_t value)
{
	fake_bytes(fake, addr, &value, 8);
}

static inline void fake_u32(struct fake *fake, uint64_t addr, uint32_t value)
{
	fake_bytes(fake, addr, &value, 4);
}

static inline void fake_u8(struct fake *fake, uint64_t addr, uint8_t value)
{
	fake_bytes(fake, addr, &value, 1);
}

static inline void fake_text(struct fake *fake, uint64_t addr, const char *text)
{
	fake_bytes(fake, addr, text, strlen(text) + 1);
}

static inline struct maps *fake_maps(const char *text)
{
	struct maps *maps = NULL;

	assert_int_equal(maps_parse(text, strlen(text), &maps), 0);
	return maps;
}

static inline const struct layout *fake_layout(const char *name)
{
	size_t count;
	const struct layout *const *all = layout_all(&count);

	for (size_t i = 0; i < count; i++)
		if (streq(all[i]->name, name))
			return all[i];
	fail_msg("no layout %s", name);
	return NULL;
}

/*
 * A pymalloc pool of @class with all its @carved blocks in use; the arena's @index stands in it.
 * With fake_pool_free() blocks go back.
 */
static inline void fake_pool(struct fake *fake, const struct layout *l, uint64_t addr,
			     uint32_t class, uint32_t index, uint32_t carved)
{
	uint32_t size = (class + 1) * l->alignment;

	fake_u32(fake, addr + l->pool_count, carved);
	fake_u64(fake, addr + l->pool_freeblock, 0);
	fake_u32(fake, addr + l->pool_arena_index, index);
	fake_u32(fake, addr + l->pool_size_index, class);
	fake_u32(fake, addr + l->pool_next_offset, l->pool_overhead + carved * size);
	fake_u32(fake, addr + l->pool_max_next_offset, l->pool_size - size);
}

static inline uint64_t fake_block(const struct layout *l, uint64_t pool, uint32_t class, uint32_t i)
{
	return pool + l->pool_overhead + (uint64_t)i * (class + 1) * l->alignment;
}

static inline void fake_pool_free(struct fake *fake, const struct layout *l, uint64_t pool,
				  uint32_t i)
{
	uint32_t class = load_u32(fake_at(fake, pool + l->pool_size_index, 4));
	uint32_t count = load_u32(fake_at(fake, pool + l->pool_count, 4));
	uint64_t block = fake_block(l, pool, class, i);

	fake_u64(fake, block, load_u64(fake_at(fake, pool + l->pool_freeblock, 8)));
	fake_u64(fake, pool + l->pool_freeblock, block);
	fake_u32(fake, pool + l->pool_count, count - 1);
}

/* Arena object @index of the array at @array: an arena at @addr of which @carved pools are in use.
 */
static inline void fake_arena(struct fake *fake, const struct layout *l, uint64_t array,
			      uint32_t index, uint64_t addr, uint32_t carved)
{
	uint64_t at = array + (uint64_t)index * l->sizeof_arena;
	uint32_t total = l->arena_size / l->pool_size;

	fake_u64(fake, at + l->arena_address, addr);
	fake_u64(fake, at + l->arena_pool_address,
		 round_up(addr, l->pool_size) + (uint64_t)carved * l->pool_size);
	fake_u32(fake, at + l->arena_free_pools_count, total - carved);
	fake_u32(fake, at + l->arena_total_pools, total);
}

/* usedpools with all rings empty. */
static inline void fake_usedpools(struct fake *fake, const struct layout *l, uint64_t usedpools)
{
	for (uint32_t class = 0; class < 32; class ++) {
		uint64_t self = usedpools + 16 * class - l->pool_next;

		fake_u64(fake, usedpools + 16 * class, self);
		fake_u64(fake, usedpools + 16 * class + 8, self);
	}
}

/* Puts the pool at the front of its class's ring. */
static inline void fake_link_pool(struct fake *fake, const struct layout *l, uint64_t usedpools,
				  uint64_t pool)
{
	uint32_t class = load_u32(fake_at(fake, pool + l->pool_size_index, 4));
	uint64_t head = usedpools + 16 * class, self = head - l->pool_next;
	uint64_t next = load_u64(fake_at(fake, head, 8));

	fake_u64(fake, pool + l->pool_next, next);
	fake_u64(fake, pool + l->pool_prev, self);
	fake_u64(fake, head, pool);
	fake_u64(fake, next + l->pool_prev, pool);
}
