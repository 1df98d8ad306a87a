/* SPDX-License-Identifier: BSD-2-Clause */
/* A small picture with something in every part, for the tests of views. */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "model/picture.h"

static inline void sample_type(struct picture_type *type, const char *name, int64_t objects,
			       int64_t bytes)
{
	*type = (struct picture_type){
		.name = strdup(name),
		.inuse_objects = objects,
		.inuse_bytes = bytes,
		.sizeof_bytes = bytes / 2,
		.parts = { [PICTURE_PART_OBJECT] = bytes },
		.storage = { [PICTURE_STORAGE_NONE] = objects },
		.capacity_used = PICTURE_UNKNOWN,
		.capacity_owned = PICTURE_UNKNOWN,
		.delta_objects = PICTURE_UNKNOWN,
		.delta_bytes = PICTURE_UNKNOWN,
		.alloc_objects_per_second = NAN,
		.alloc_bytes_per_second = NAN,
		.free_objects_per_second = NAN,
		.free_bytes_per_second = NAN,
		.rate_error = NAN,
	};
}

/* Two classes: an app.Foo with shared keys, and dict with rates. */
static inline void sample_types(struct picture *pic)
{
	struct picture_type *foo, *dict;

	pic->types = calloc(2, sizeof(*pic->types));
	pic->types_count = 2;
	foo = &pic->types[0];
	dict = &pic->types[1];

	sample_type(foo, "app.Foo", 100, 11200);
	foo->address = 0x7f0000001000;
	foo->heap = true;
	foo->parts[PICTURE_PART_OBJECT] = 6400;
	foo->parts[PICTURE_PART_DICT_VALUES] = 4800;
	foo->storage[PICTURE_STORAGE_NONE] = 0;
	foo->storage[PICTURE_STORAGE_INLINE] = 100;
	foo->shared_keys = calloc(1, sizeof(*foo->shared_keys));
	foo->shared_keys->names = calloc(2, sizeof(char *));
	foo->shared_keys->names[0] = strdup("a");
	foo->shared_keys->names[1] = strdup("b");
	foo->shared_keys->used = 2;
	foo->shared_keys->capacity = 5;
	foo->shared_keys->bytes = 144;

	sample_type(dict, "dict", 7, 1024);
	dict->address = 0x555500000040;
	dict->capacity_used = 20;
	dict->capacity_owned = 35;
	dict->delta_objects = -3;
	dict->delta_bytes = -400;
	dict->alloc_objects_per_second = 1234.5;
	dict->alloc_bytes_per_second = 78000;
	dict->free_objects_per_second = 0.25;
	dict->free_bytes_per_second = 16;
	dict->rate_error = 0.125;
}

static inline void sample_events(struct picture *pic)
{
	pic->events.mode = "budget";
	pic->events.duration_ms = 10000;
	pic->events.coverage = 0.032;
	pic->events.records = 12345;
	pic->events.lost = 0;
	pic->events.overhead_limit = 0.02;
	pic->events.overhead_estimated = 0.004;
	pic->events.cost_ns_per_hit = 650;
	pic->events.sites = calloc(2, sizeof(*pic->events.sites));
	pic->events.sites_count = 2;
	pic->events.sites[0] = (struct picture_site){
		.symbol = strdup("_PyObject_Malloc"),
		.offset = 0,
		.instruction = strdup("push rbp"),
		.emulated = true,
		.hits = 6000,
	};
	pic->events.sites[1] = (struct picture_site){
		.symbol = strdup("_PyObject_Free"),
		.offset = 4,
		.instruction = strdup("mov rax, rdi"),
		.hits = 0,
		.rejected = strdup("single-stepped"),
	};
}

static inline void sample_dicts(struct picture_dicts *dicts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		dicts[i] = (struct picture_dicts){
			.count = 10, .bytes = 640, .used = 30, .owned = 50
		};
}

static inline struct picture *sample_picture(void)
{
	struct picture *pic = picture_new();

	pic->taken_at_unix_ns = 1767225600250000000ull;
	pic->process.pid = 4242;
	pic->process.start_time_ticks = 987654;
	pic->process.exe = strdup("/usr/bin/python3.11");
	pic->process.cmdline = strdup("python3 app.py");
	pic->process.python_version = strdup("3.11.7");
	pic->process.gil = true;
	pic->process.libpython = strdup("/usr/lib/libpython3.11.so.1.0");
	pic->process.allocator = "pymalloc";

	pic->memory.rss_bytes = 50 << 20;
	pic->memory.python_inuse_bytes = 12224;
	pic->memory.arena_bytes = 1 << 20;
	pic->memory.inuse_bytes = 12224;
	pic->memory.free_block_bytes = 4000;
	pic->memory.free_pool_bytes = 1015808;
	pic->memory.overhead_bytes = 16544;
	pic->memory.arenas_count = 1;
	pic->memory.freelist_bytes = 480;
	pic->memory.freelist_blocks = 8;
	pic->memory.size_classes = calloc(1, sizeof(*pic->memory.size_classes));
	pic->memory.size_classes_count = 1;
	pic->memory.size_classes[0] = (struct picture_size_class){
		.size_bytes = 64, .pools_count = 1, .inuse_blocks = 100, .free_blocks = 154
	};
	pic->memory.malloc_heap_bytes = 3 << 20;
	pic->memory.malloc_name = strdup("glibc");
	pic->memory.resident_python_live_bytes = 12288;
	pic->memory.resident_python_free_bytes = 1 << 20;
	pic->memory.mapped_file_bytes = 9 << 20;
	pic->memory.stack_bytes = 132 << 10;

	sample_types(pic);
	sample_dicts(pic->dicts_by_layout, PICTURE_DICT_LAYOUTS_COUNT);
	sample_dicts(pic->dicts_by_owner, PICTURE_DICT_OWNERS_COUNT);
	pic->unattributed_blocks = 1;
	pic->unattributed_bytes = 48;
	pic->census.duration_ms = 12.5;
	pic->census.bytes_read = 1 << 20;
	pic->census.blocks = 108;
	pic->census.torn_pools = 0;
	pic->census.attributed_ratio = 0.996;
	pic->census.age_ms = 12.5;
	pic->census.cpu_ms = 9.5;
	pic->census.interval_ms = 2000;
	sample_events(pic);

	pic->advice = calloc(1, sizeof(*pic->advice));
	pic->advice_count = 1;
	pic->advice[0] = (struct picture_advice){
		.kind = "slots",
		.type = strdup("app.Foo"),
		.objects = 100,
		.saves_bytes = 4800,
		.detail = strdup("add __slots__ = ('a', 'b')"),
		.confidence = 0.9,
	};
	return pic;
}
