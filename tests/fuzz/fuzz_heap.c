/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A heap that a target made up: must never crash, hang or leak.
 *
 * Starts from a small heap in which all is well and every kind of object is there, in the layout
 * that the input's first byte chooses; the rest of the input are strokes that overwrite words of
 * it: with numbers, with pointers into the heap, with numbers that overflow.
 */
#include "attribute/heap.h"
#include "base/cleanup.h"
#include "base/util.h"
#include "census/arenas.h"
#include "layout/layout.h"
#include "target/maps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATIC 0x10000000ull
#define HEAP 0x20000000ull
#define ARENA 0x7f0030000000ull
#define MMAPPED 0x7f1000000000ull
#define TYPES (STATIC + 0x10000)
#define TYPE_STEP 0x400ull
#define RUNTIME STATIC
#define USEDPOOLS (STATIC + 0x4000)
#define ARENAS (STATIC + 0x4200)
#define ARRAY (STATIC + 0x5000)
#define INTERP (STATIC + 0x40000)
#define CLASSES 16
#define SMALL_POOL 4096
#define SMALL_ARENA (24 * SMALL_POOL)
#define STROKES_MAX 400
#define LAYOUTS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char maps_text[] = "10000000-10100000 rw-p 00000000 08:01 42 /usr/bin/python3\n"
				"20000000-20020000 rw-p 00000000 00:00 0 [heap]\n"
				"7f0030000000-7f0030100000 rw-p 00000000 00:00 0 \n"
				"7f1000000000-7f1000010000 rw-p 00000000 00:00 0 \n";

struct segment {
	uint64_t base;
	size_t len;
	size_t hot; /* strokes go here: the rest is never read, or all zeros */
	uint8_t *data;
};

struct heap_base {
	const struct layout *layout;
	struct segment segments[4];
	struct memory *mem;
};

/* In the sizes of the version, and with small pools and arenas: several times as fast. */
static struct heap_base bases[2][LAYOUTS_MAX];
static struct layout small[LAYOUTS_MAX];
static struct maps *maps;

static uint8_t *at(struct heap_base *b, uint64_t addr, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(b->segments); i++) {
		struct segment *s = &b->segments[i];

		if (addr >= s->base && addr - s->base + len <= s->len)
			return s->data + (addr - s->base);
	}
	abort();
}

static void put(struct heap_base *b, uint64_t addr, uint64_t value)
{
	memcpy(at(b, addr, 8), &value, 8);
}

static void put32(struct heap_base *b, uint64_t addr, uint32_t value)
{
	memcpy(at(b, addr, 4), &value, 4);
}

/* Types, in this order at TYPES; those with a flag are subclasses of what it says. */
static const struct {
	const char *name;
	uint64_t flags;
	size_t basicsize; /* offset in struct layout; 0: 48 */
	int64_t itemsize;
} types[] = {
	{ "type", TPFLAGS_TYPE_SUBCLASS | TPFLAGS_HAVE_GC,
	  offsetof(struct layout, sizeof_heap_type), 40 },
	{ "object", 0, offsetof(struct layout, sizeof_object), 0 },
	{ "dict", TPFLAGS_DICT_SUBCLASS | TPFLAGS_HAVE_GC, offsetof(struct layout, sizeof_dict),
	  0 },
	{ "list", TPFLAGS_LIST_SUBCLASS | TPFLAGS_HAVE_GC, offsetof(struct layout, sizeof_list),
	  0 },
	{ "tuple", TPFLAGS_TUPLE_SUBCLASS | TPFLAGS_HAVE_GC, offsetof(struct layout, sizeof_tuple),
	  8 },
	{ "str", TPFLAGS_UNICODE_SUBCLASS, offsetof(struct layout, sizeof_unicode), 0 },
	{ "bytes", TPFLAGS_BYTES_SUBCLASS, offsetof(struct layout, sizeof_bytes), 1 },
	{ "int", TPFLAGS_LONG_SUBCLASS, offsetof(struct layout, sizeof_int), 4 },
	{ "set", TPFLAGS_HAVE_GC, offsetof(struct layout, sizeof_set), 0 },
	{ "bytearray", 0, offsetof(struct layout, sizeof_bytearray), 0 },
	{ "collections.deque", TPFLAGS_HAVE_GC, offsetof(struct layout, sizeof_deque), 0 },
	{ "collections.OrderedDict", TPFLAGS_HAVE_GC | TPFLAGS_DICT_SUBCLASS,
	  offsetof(struct layout, sizeof_odict), 0 },
	{ "array.array", 0, offsetof(struct layout, sizeof_array), 0 },
	{ "module", TPFLAGS_HAVE_GC, offsetof(struct layout, sizeof_module), 0 },
	{ "generator", TPFLAGS_HAVE_GC, 0, 8 },
	{ "method_descriptor", TPFLAGS_HAVE_GC, 0, 0 },
	{ "numpy.ndarray", 0, 0, 0 },
	{ "lib.Unknown", TPFLAGS_HAVE_GC, 0, 0 },
	{ "lib.AtOffset", TPFLAGS_HAVE_GC, 0, 0 },
	{ "lib.AtEnd", TPFLAGS_HAVE_GC, 0, 8 },
	{ "Managed", TPFLAGS_HAVE_GC | TPFLAGS_HEAPTYPE, 0, 0 },
	{ "Inline", TPFLAGS_HAVE_GC | TPFLAGS_HEAPTYPE, offsetof(struct layout, sizeof_object), 0 },
};

static uint64_t type_addr(size_t i)
{
	return TYPES + i * TYPE_STEP;
}

static uint64_t pool_addr(const struct heap_base *b, uint32_t class)
{
	return ARENA + (uint64_t) class * b->layout->pool_size;
}

/* Some block of the pool of @class. */
static uint64_t block_addr(const struct heap_base *b, uint32_t class, uint32_t i)
{
	return pool_addr(b, class) + b->layout->pool_overhead +
	       (uint64_t)(i % 8) * (class + 1) * 16;
}

static void make_types(struct heap_base *b)
{
	const struct layout *l = b->layout;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		uint64_t type = type_addr(i), flags = types[i].flags | TPFLAGS_READY,
			 name = type + 0x3c0;
		uint32_t basicsize =
			types[i].basicsize ? load_u32((const char *)l + types[i].basicsize) : 48;

		strcpy((char *)at(b, name, 32), types[i].name);
		if (i + 2 >= ARRAY_SIZE(types))
			flags |= l->flag_managed_dict | l->flag_inline_values;
		if (l->refcount != LAYOUT_REFCOUNT_SPLIT)
			put(b, type + l->ob_refcnt, 5);
		put(b, type + l->ob_type, type_addr(0));
		put(b, type + l->tp_name, name);
		put(b, type + l->tp_flags, flags);
		put(b, type + l->tp_basicsize, basicsize);
		put(b, type + l->tp_itemsize, (uint64_t)types[i].itemsize);
		put(b, type + l->tp_base, i == 1 ? 0 : type_addr(1));
		put(b, type + l->tp_dict, block_addr(b, 3, 1) + l->gc_head_size);
		if (!strcmp(types[i].name, "lib.AtOffset"))
			put(b, type + l->tp_dictoffset, 40);
		if (!strcmp(types[i].name, "lib.AtEnd"))
			put(b, type + l->tp_dictoffset, (uint64_t)-8);
		if (types[i].flags & TPFLAGS_HEAPTYPE) {
			put(b, type + l->ht_name, block_addr(b, 4, 2));
			put(b, type + l->ht_qualname, block_addr(b, 4, 2));
			put(b, type + l->ht_cached_keys, HEAP + 0x1000 + 16);
			put(b, type + l->tp_name, block_addr(b, 4, 2) + l->sizeof_ascii);
		}
	}
}

/* A header in front, the type, and words that may be counts, pointers to blocks or to chunks. */
static void make_object(struct heap_base *b, uint64_t block, uint32_t size, uint32_t seed)
{
	const struct layout *l = b->layout;
	size_t kind = seed % ARRAY_SIZE(types);
	uint32_t pre = types[kind].flags & TPFLAGS_HAVE_GC ? l->gc_head_size : 0;

	if (kind + 2 >= ARRAY_SIZE(types))
		pre += l->preheader_size;
	for (uint32_t word = 0; word + 8 <= size; word += 8) {
		uint32_t pick = (seed * 7 + word / 8) % 5;

		put(b, block + word,
		    pick == 0	? block_addr(b, seed % CLASSES, word / 8)
		    : pick == 1 ? HEAP + 0x1000 + 16 + (seed % 16) * 0x200
		    : pick == 2 ? 8
		    : pick == 3 ? 0
				: 3);
	}
	if (pre + l->sizeof_object > size)
		return;
	if (l->refcount == LAYOUT_REFCOUNT_SPLIT)
		put32(b, block + pre + l->ob_ref_local, 1);
	else
		put(b, block + pre + l->ob_refcnt, 1);
	put(b, block + pre + l->ob_type, type_addr(kind));
}

static void make_pools(struct heap_base *b)
{
	const struct layout *l = b->layout;

	for (uint32_t class = 0; class < CLASSES; class ++) {
		uint64_t pool = pool_addr(b, class), head = USEDPOOLS + 16 * class;
		uint32_t size = (class + 1) * 16, blocks = (l->pool_size - l->pool_overhead) / size;

		blocks = blocks > 24 ? 24 : blocks;
		put32(b, pool + l->pool_count, blocks);
		put32(b, pool + l->pool_size_index, class);
		put32(b, pool + l->pool_next_offset, l->pool_overhead + blocks * size);
		put32(b, pool + l->pool_max_next_offset, l->pool_size - size);
		put(b, pool + l->pool_next, head - l->pool_next);
		put(b, pool + l->pool_prev, head - l->pool_next);
		for (uint32_t i = 0; i < blocks; i++)
			make_object(b, pool + l->pool_overhead + (uint64_t)i * size, size,
				    class * 5 + i);
	}
}

/* The allocator's variables, where arenas_locate() finds them: static, or in an interpreter. */
static void make_state(struct heap_base *b)
{
	const struct layout *l = b->layout;
	uint64_t used = USEDPOOLS, arenas = ARENAS, max = ARENAS + 8;

	if (l->obmalloc == LAYOUT_OBMALLOC_INTERP || l->obmalloc == LAYOUT_OBMALLOC_POINTER) {
		uint64_t state = INTERP + l->obmalloc_offset;

		if (l->obmalloc == LAYOUT_OBMALLOC_POINTER) {
			put(b, state, STATIC + 0x6000);
			state = STATIC + 0x6000;
		}
		used = state + l->obmalloc_usedpools;
		arenas = state + l->obmalloc_arenas;
		max = state + l->obmalloc_maxarenas;
	}
	put(b, RUNTIME + l->runtime_interpreters_main, INTERP);
	put(b, RUNTIME + l->runtime_interpreters_head, INTERP);
	put(b, arenas, ARRAY);
	put32(b, max, 16);
	for (uint32_t class = 0; class < 32; class ++) {
		uint64_t next = class < CLASSES ? pool_addr(b, class)
						: used + 16 * class - l->pool_next;

		put(b, used + 16 * class, next);
		put(b, used + 16 * class + 8, next);
		if (class < CLASSES) {
			put(b, next + l->pool_next, used + 16 * class - l->pool_next);
			put(b, next + l->pool_prev, used + 16 * class - l->pool_next);
		}
	}
	put(b, ARRAY + l->arena_address, ARENA);
	put(b, ARRAY + l->arena_pool_address, ARENA + CLASSES * (uint64_t)l->pool_size);
	put32(b, ARRAY + l->arena_total_pools, l->arena_size / l->pool_size);
	put32(b, ARRAY + l->arena_free_pools_count, l->arena_size / l->pool_size - CLASSES);
}

static void make_malloc(struct heap_base *b)
{
	uint64_t chunk = HEAP;

	put(b, HEAP + 8, 0x291);
	put(b, HEAP + 0x290 + 8, 0xd71);
	for (chunk = HEAP + 0x1000; chunk < HEAP + 0x3000; chunk += 0x200) {
		put(b, chunk + 8, 0x201);
		make_object(b, chunk + 16, 0x1e0, (uint32_t)(chunk >> 9));
	}
	put(b, chunk + 8, (0x20000 - 0x3000) | 1);
	put(b, MMAPPED + 8, 0x10000 | 2);
	make_object(b, MMAPPED + 16, 512, 20);
}

static void make_base(struct heap_base *b, const struct layout *layout)
{
	*b = (struct heap_base){
		.layout = layout,
		.segments = { { STATIC, 0x100000, 0x20000 },
			      { HEAP, 0x20000, 0x4000 },
			      { ARENA, 0x100000, CLASSES * (size_t)layout->pool_size },
			      { MMAPPED, 0x10000, 0x1000 } },
	};
	for (size_t i = 0; i < ARRAY_SIZE(b->segments); i++) {
		struct segment *s = &b->segments[i];

		s->data = calloc(1, s->len);
		if (!s->data || (b->mem ? memory_buffer_add(b->mem, s->base, s->data, s->len)
					: memory_buffer_new(s->base, s->data, s->len, &b->mem)))
			abort();
	}
	make_types(b);
	if (layout->obmalloc != LAYOUT_OBMALLOC_MIMALLOC) {
		make_pools(b);
		make_state(b);
	}
	make_malloc(b);
}

struct stroke {
	uint8_t *where;
	uint64_t before;
};

/* One stroke takes 12 bytes of input. */
static struct stroke stroke(struct heap_base *b, const uint8_t *in)
{
	static const uint64_t numbers[] = {
		0,	    1,		UINT64_MAX, INT64_MAX,	(uint64_t)INT64_MIN,
		1ull << 32, 1ull << 40, 1ull << 46, 1ull << 62, 0x7fffffff
	};
	const struct segment *s = &b->segments[in[0] % 4], *to = &b->segments[in[4] % 4];
	uint8_t *where = s->data + (load_u32(in) >> 8) * 8ull % s->hot;
	struct stroke done = { where, load_u64(where) };
	uint64_t value = load_u64(in + 4);

	switch (in[0] / 4 % 4) {
	case 0: /* any number */
		break;
	case 1:
		value = to->base + (load_u32(in + 5) * 8ull) % to->hot;
		break;
	case 2:
		value = numbers[in[4] % ARRAY_SIZE(numbers)] + (uint64_t)(int8_t)in[5];
		break;
	case 3: /* one byte of it */
		value = (done.before & ~(0xffull << in[4] % 8 * 8)) | (uint64_t)in[5]
									      << in[4] % 8 * 8;
		break;
	}
	memcpy(where, &value, 8);
	return done;
}

static void take(struct heap_base *b, unsigned int threads, bool hooks)
{
	struct python_symbol symbols[] = { { (char[]){ "usedpools" }, USEDPOOLS },
					   { (char[]){ "arenas" }, ARENAS },
					   { (char[]){ "maxarenas" }, ARENAS + 8 },
					   { (char[]){ "PyDict_Type" }, type_addr(2) } };
	struct python py = {
		.runtime = RUNTIME,
		.map = &maps->list[0],
		.maps = maps,
		.symbols = symbols,
		.symbols_count = ARRAY_SIZE(symbols),
	};
	struct arenas_root root;
	struct heap_request request = {
		.py = &py,
		.layout = b->layout,
		.maps = maps,
		.mem = b->mem,
		.pagemap_fd = -1,
		.threads = threads,
		.debug_hooks = hooks,
	};
	struct heap *heap;

	if (!arenas_locate(&py, b->layout, b->mem, &root, NULL))
		request.root = &root;
	if (!heap_take(&request, &heap))
		heap_free(heap);
}

static const struct layout *make_small(struct layout *to, const struct layout *from)
{
	*to = *from;
	if (to->arena_size > SMALL_ARENA) {
		to->pool_size = SMALL_POOL;
		to->arena_size = SMALL_ARENA;
	}
	return to;
}

static struct heap_base *base_of(size_t i, bool is_small)
{
	size_t count;
	const struct layout *layout = layout_all(&count)[i];
	struct heap_base *b = &bases[is_small][i];

	if (!b->layout)
		make_base(b, is_small ? make_small(&small[i], layout) : layout);
	return b;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct stroke strokes[STROKES_MAX];
	size_t layouts, count = 0;
	struct heap_base *b;

	layout_all(&layouts);
	if (size < 2)
		return 0;
	if (!maps && maps_parse(maps_text, strlen(maps_text), &maps) < 0)
		abort();
	b = base_of(data[0] % layouts, data[1] / 8 % 16);
	for (size_t i = 2; i + 12 <= size && count < STROKES_MAX; i += 12)
		strokes[count++] = stroke(b, data + i);
	take(b, data[1] % 8 ? 1 : 2, data[1] & 0x80);
	while (count--)
		memcpy(strokes[count].where, &strokes[count].before, 8);
	return 0;
}
