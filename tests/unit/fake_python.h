/* SPDX-License-Identifier: BSD-2-Clause */
/* A heap made by hand with a worker that attributes it: types in static data, one arena, a malloc
 * heap. */
#pragma once

#include "attribute/worker.h"
#include "fake.h"

#define WORLD_STATIC 0x10000000ull
#define WORLD_HEAP 0x20000000ull /* malloc's */
#define WORLD_ARENA 0x7f0030000000ull
#define WORLD_TYPE (WORLD_STATIC + 0x1000)   /* PyType_Type */
#define WORLD_OBJECT (WORLD_STATIC + 0x2000) /* PyBaseObject_Type */
#define WORLD_DICT (WORLD_STATIC + 0x3000)   /* PyDict_Type */
#define WORLD_STR (WORLD_STATIC + 0xd000)    /* PyUnicode_Type, as far as a str needs one */
#define WORLD_TEXTS (WORLD_STATIC + 0xe000)

struct world {
	struct fake fake;
	const struct layout *layout;
	struct maps *maps;
	struct census census;
	struct census_visitor visitor;
	struct attribution shared;
	struct worker worker;
	uint64_t text; /* where the next name goes */
	struct type *type, *object, *dict;
};

static const char world_maps[] = "10000000-10040000 rw-p 00000000 08:01 42 /usr/bin/python3\n"
				 "20000000-20040000 rw-p 00000000 00:00 0 [heap]\n"
				 "7f0030000000-7f0030100000 rw-p 00000000 00:00 0 \n";

static inline uint64_t world_text(struct world *w, const char *text)
{
	uint64_t at = w->text;

	fake_text(&w->fake, at, text);
	w->text += round_up(strlen(text) + 1, 16);
	return at;
}

/* A static type object at @addr, ready and sane; what differs is set by the test. */
static inline void world_put_type(struct world *w, uint64_t addr, const char *name, uint64_t flags,
				  int64_t basicsize)
{
	const struct layout *l = w->layout;

	fake_u64(&w->fake, addr + l->ob_refcnt, 1);
	fake_u64(&w->fake, addr + l->ob_type, WORLD_TYPE);
	fake_u64(&w->fake, addr + l->tp_name, world_text(w, name));
	fake_u64(&w->fake, addr + l->tp_flags, flags | TPFLAGS_READY);
	fake_u64(&w->fake, addr + l->tp_basicsize, (uint64_t)basicsize);
	fake_u64(&w->fake, addr + l->tp_base, addr == WORLD_OBJECT ? 0 : WORLD_OBJECT);
}

static inline struct type *world_type(struct world *w, uint64_t addr)
{
	return types_get(w->worker.types, addr);
}

/* What was counted of @type. */
static inline struct tally *world_tally(struct world *w, struct type *type)
{
	return worker_tally(&w->worker, type);
}

/* Pool @i of the arena, full of blocks of @class, which are known to be there. Returns the first
 * block. */
static inline uint64_t world_pool(struct world *w, uint32_t i, uint32_t class)
{
	const struct layout *l = w->layout;
	uint64_t pool = WORLD_ARENA + (uint64_t)i * l->pool_size;

	fake_pool(&w->fake, l, pool, class, 0,
		  (l->pool_size - l->pool_overhead) / ((class + 1) * 16));
	poolmap_set(&w->census.pools, pool, (int)class);
	return fake_block(l, pool, class, 0);
}

/* A malloc chunk of @size at @offset in the heap; returns what malloc() would. */
static inline uint64_t world_chunk(struct world *w, uint64_t offset, uint64_t size)
{
	fake_u64(&w->fake, WORLD_HEAP + offset + 8, size | 1);
	return WORLD_HEAP + offset + 16;
}

/* A compact ASCII str. */
static inline void world_put_str(struct world *w, uint64_t addr, const char *text)
{
	const struct layout *l = w->layout;
	uint32_t state = (1u << l->str_kind_shift) | l->str_compact_mask | l->str_ascii_mask;

	fake_u64(&w->fake, WORLD_STR + l->tp_flags, TPFLAGS_UNICODE_SUBCLASS | TPFLAGS_READY);
	fake_u64(&w->fake, addr + l->ob_refcnt, 1);
	fake_u64(&w->fake, addr + l->ob_type, WORLD_STR);
	fake_u64(&w->fake, addr + l->str_length, strlen(text));
	fake_u32(&w->fake, addr + l->str_state, state);
	fake_text(&w->fake, addr + l->sizeof_ascii, text);
}

/* A keys table of 2^@log2 slots: unicode where the version has that. */
static inline void world_put_keys(struct world *w, uint64_t addr, unsigned int log2, uint8_t kind,
				  int64_t used)
{
	const struct layout *l = w->layout;
	int64_t slots = (int64_t)((1ull << log2) * 2 / 3);

	fake_u64(&w->fake, addr + l->dk_refcnt, 1);
	if (l->keys == LAYOUT_KEYS_SIZE) {
		fake_u64(&w->fake, addr + l->dk_size, 1ull << log2);
	} else {
		fake_u8(&w->fake, addr + l->dk_log2_size, (uint8_t)log2);
		fake_u8(&w->fake, addr + l->dk_log2_index_bytes,
			(uint8_t)(log2 + (log2 > 15  ? 2
					  : log2 > 7 ? 1
						     : 0)));
		fake_u8(&w->fake, addr + l->dk_kind, kind);
	}
	fake_u64(&w->fake, addr + l->dk_usable, (uint64_t)(slots - used));
	fake_u64(&w->fake, addr + l->dk_nentries, (uint64_t)used);
}

/* The dict object (behind its GC head) at @addr. */
static inline void world_put_dict(struct world *w, uint64_t addr, uint64_t used, uint64_t keys,
				  uint64_t values)
{
	const struct layout *l = w->layout;

	fake_u64(&w->fake, addr + l->ob_refcnt, 1);
	fake_u64(&w->fake, addr + l->ob_type, WORLD_DICT);
	fake_u64(&w->fake, addr + l->ma_used, used);
	fake_u64(&w->fake, addr + l->ma_keys, keys);
	fake_u64(&w->fake, addr + l->ma_values, values);
}

static inline void world_init(struct world *w, const char *version)
{
	*w = (struct world){ .layout = fake_layout(version), .text = WORLD_TEXTS };
	fake_map(&w->fake, WORLD_STATIC, 0x40000);
	fake_map(&w->fake, WORLD_HEAP, 0x40000);
	fake_map(&w->fake, WORLD_ARENA, 1 << 20);
	w->maps = fake_maps(world_maps);
	world_put_type(w, WORLD_TYPE, "type", TPFLAGS_TYPE_SUBCLASS | TPFLAGS_HAVE_GC,
		       w->layout->sizeof_heap_type);
	world_put_type(w, WORLD_OBJECT, "object", 0, w->layout->sizeof_object);
	world_put_type(w, WORLD_DICT, "dict", TPFLAGS_DICT_SUBCLASS | TPFLAGS_HAVE_GC,
		       w->layout->sizeof_dict);
	assert_int_equal(poolmap_init(&w->census.pools, WORLD_ARENA, WORLD_ARENA + (1 << 20),
				      w->layout->pool_size ? w->layout->pool_size : 16384),
			 0);
	w->census.layout = w->layout;
	w->census.glibc.present = true;
	w->shared = (struct attribution){
		.census = &w->census,
		.layout = w->layout,
		.maps = w->maps,
		.static_lo = WORLD_STATIC,
		.static_hi = WORLD_STATIC + 0x40000,
		.dict_type = WORLD_DICT,
		.claimed = addrset_new(1000),
		.found = addrcache_new(),
		.whatif = { .layout = w->layout, .pymalloc = true, .glibc = true },
	};
	assert_int_equal(worker_types_new(&w->shared, w->fake.mem), 0);
	assert_int_equal(worker_init(&w->worker, &w->shared, &w->visitor, w->fake.mem), 0);
	w->visitor.ctx = &w->worker;
	w->dict = world_type(w, WORLD_DICT);
	w->type = world_type(w, WORLD_TYPE);
	w->object = world_type(w, WORLD_OBJECT);
	assert_true(w->dict && w->type && w->object);
}

static inline void world_fini(struct world *w)
{
	worker_fini(&w->worker);
	types_freep(&w->shared.types);
	addrset_freep(&w->shared.claimed);
	addrcache_freep(&w->shared.found);
	poolmap_fini(&w->census.pools);
	maps_freep(&w->maps);
	fake_fini(&w->fake);
}
#define _cleanup_world_ cleanup(world_fini)

/* The object at @addr in a block of @size that begins @front bytes before it. */
static inline struct object world_object(struct world *w, uint64_t addr, uint32_t front,
					 uint32_t size)
{
	return (struct object){
		.addr = addr,
		.data = fake_at(&w->fake, addr, size - front),
		.len = size - front,
		.block_addr = addr - front,
		.block_size = size,
	};
}
