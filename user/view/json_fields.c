/* SPDX-License-Identifier: BSD-2-Clause */
#include "view/json_fields.h"

#include "model/picture.h"

#define FIELD(key, what, type, member)                                                             \
	{                                                                                          \
		.name = (key), .kind = JSON_KIND_##what, .offset = offsetof(type, member)          \
	}
#define ADDED(key, what, type, member)                                                             \
	{                                                                                          \
		.name = (key), .kind = JSON_KIND_##what, .offset = offsetof(type, member),         \
		.added = true                                                                      \
	}
#define WORD(key, type, member, list)                                                              \
	{                                                                                          \
		.name = (key), .kind = JSON_KIND_WORD, .offset = offsetof(type, member),           \
		.words = (list)                                                                    \
	}
#define OBJECT(key, table)                                                                         \
	{                                                                                          \
		.name = (key), .kind = JSON_KIND_OBJECT, .fields = (table)                         \
	}
#define NAMED_COUNTS(key, type, member, names, number)                                             \
	{                                                                                          \
		.name = (key), .kind = JSON_KIND_NAMED, .offset = offsetof(type, member),          \
		.size = sizeof(int64_t), .repeat = (number), .words = (names)                      \
	}
#define LIST(key, type, member, table)                                                             \
	{                                                                                          \
		.name = (key), .kind = JSON_KIND_LIST, .offset = offsetof(type, member),           \
		.count_offset = offsetof(type, member##_count),                                    \
		.size = sizeof(*((type *)0)->member), .fields = (table)                            \
	}
#define END                                                                                        \
	{                                                                                          \
		.kind = JSON_KIND_END                                                              \
	}

static const char *const allocator_words[] = { "pymalloc", "mimalloc", "malloc", "debug", NULL };
static const char *const mode_words[] = { "off", "budget", "exact", NULL };
static const char *const advice_words[] = { "slots",	     "unshared_keys",
					    "overcapacity",  "duplicate_strings",
					    "fragmentation", NULL };

static const struct json_field build_fields[] = {
	FIELD("gil", BOOL, struct picture, process.gil),
	FIELD("debug", BOOL, struct picture, process.debug),
	FIELD("stripped", BOOL, struct picture, process.stripped),
	FIELD("static", BOOL, struct picture, process.is_static),
	FIELD("libpython", STRING, struct picture, process.libpython),
	FIELD("build_id", STRING, struct picture, process.build_id),
	WORD("allocator", struct picture, process.allocator, allocator_words),
	END,
};

static const struct json_field process_fields[] = {
	FIELD("pid", PID, struct picture, process.pid),
	FIELD("start_time_ticks", U64, struct picture, process.start_time_ticks),
	FIELD("exe", STRING, struct picture, process.exe),
	FIELD("cmdline", STRING, struct picture, process.cmdline),
	FIELD("python_version", STRING, struct picture, process.python_version),
	OBJECT("build", build_fields),
	END,
};

static const struct json_field size_class_fields[] = {
	FIELD("size_bytes", U32, struct picture_size_class, size_bytes),
	FIELD("pools_count", COUNT, struct picture_size_class, pools_count),
	FIELD("inuse_blocks", COUNT, struct picture_size_class, inuse_blocks),
	FIELD("free_blocks", COUNT, struct picture_size_class, free_blocks),
	END,
};

static const struct json_field pymalloc_fields[] = {
	FIELD("arena_bytes", COUNT, struct picture, memory.arena_bytes),
	FIELD("inuse_bytes", COUNT, struct picture, memory.inuse_bytes),
	FIELD("free_block_bytes", COUNT, struct picture, memory.free_block_bytes),
	FIELD("free_pool_bytes", COUNT, struct picture, memory.free_pool_bytes),
	FIELD("overhead_bytes", COUNT, struct picture, memory.overhead_bytes),
	ADDED("freelist_bytes", COUNT, struct picture, memory.freelist_bytes),
	ADDED("freelist_blocks", COUNT, struct picture, memory.freelist_blocks),
	FIELD("arenas_count", COUNT, struct picture, memory.arenas_count),
	LIST("size_classes", struct picture, memory.size_classes, size_class_fields),
	END,
};

static const struct json_field mimalloc_fields[] = {
	FIELD("segment_bytes", COUNT, struct picture, memory.mimalloc_segment_bytes),
	FIELD("inuse_bytes", COUNT, struct picture, memory.mimalloc_inuse_bytes),
	FIELD("free_block_bytes", COUNT, struct picture, memory.mimalloc_free_block_bytes),
	FIELD("free_page_bytes", COUNT, struct picture, memory.mimalloc_free_page_bytes),
	FIELD("overhead_bytes", COUNT, struct picture, memory.mimalloc_overhead_bytes),
	FIELD("freelist_bytes", COUNT, struct picture, memory.mimalloc_freelist_bytes),
	FIELD("freelist_blocks", COUNT, struct picture, memory.mimalloc_freelist_blocks),
	FIELD("segments_count", COUNT, struct picture, memory.mimalloc_segments_count),
	END,
};

static const struct json_field malloc_fields[] = {
	ADDED("name", STRING, struct picture, memory.malloc_name),
	FIELD("heap_bytes", COUNT, struct picture, memory.malloc_heap_bytes),
	FIELD("python_bytes", COUNT, struct picture, memory.malloc_python_bytes),
	FIELD("other_bytes", COUNT, struct picture, memory.malloc_other_bytes),
	FIELD("free_bytes", COUNT, struct picture, memory.malloc_free_bytes),
	END,
};

static const struct json_field resident_fields[] = {
	FIELD("python_live_bytes", COUNT, struct picture, memory.resident_python_live_bytes),
	FIELD("python_free_bytes", COUNT, struct picture, memory.resident_python_free_bytes),
	FIELD("native_live_bytes", COUNT, struct picture, memory.resident_native_live_bytes),
	FIELD("malloc_free_bytes", COUNT, struct picture, memory.resident_malloc_free_bytes),
	END,
};

static const struct json_field verdict_fields[] = {
	FIELD("kind", STRING, struct picture, memory.verdict_kind),
	FIELD("text", STRING, struct picture, memory.verdict),
	END,
};

static const struct json_field memory_fields[] = {
	FIELD("rss_bytes", COUNT, struct picture, memory.rss_bytes),
	FIELD("python_inuse_bytes", COUNT, struct picture, memory.python_inuse_bytes),
	OBJECT("pymalloc", pymalloc_fields),
	{ .name = "mimalloc",
	  .kind = JSON_KIND_OPTIONAL,
	  .fields = mimalloc_fields,
	  .added = true },
	OBJECT("malloc", malloc_fields),
	{ .name = "resident", .kind = JSON_KIND_OBJECT, .fields = resident_fields, .added = true },
	FIELD("mapped_file_bytes", COUNT, struct picture, memory.mapped_file_bytes),
	FIELD("stack_bytes", COUNT, struct picture, memory.stack_bytes),
	FIELD("other_bytes", COUNT, struct picture, memory.other_bytes),
	ADDED("private_bytes", COUNT, struct picture, memory.private_bytes),
	ADDED("swap_bytes", COUNT, struct picture, memory.swap_bytes),
	{ .name = "verdict", .kind = JSON_KIND_OBJECT, .fields = verdict_fields, .added = true },
	END,
};

static const struct json_field shared_keys_fields[] = {
	{
		.name = "names",
		.kind = JSON_KIND_STRINGS,
		.offset = offsetof(struct picture_shared_keys, names),
		.count_offset = offsetof(struct picture_shared_keys, used),
	},
	FIELD("used", LENGTH, struct picture_shared_keys, used),
	FIELD("capacity", U64, struct picture_shared_keys, capacity),
	FIELD("bytes", U64, struct picture_shared_keys, bytes),
	END,
};

static const struct json_field capacity_fields[] = {
	FIELD("used", COUNT, struct picture_type, capacity_used),
	FIELD("owned", COUNT, struct picture_type, capacity_owned),
	END,
};

const struct json_field json_fields_type[] = {
	FIELD("name", STRING, struct picture_type, name),
	FIELD("address", ADDRESS, struct picture_type, address),
	FIELD("kind", HEAP, struct picture_type, heap),
	FIELD("inuse_objects", COUNT, struct picture_type, inuse_objects),
	FIELD("inuse_bytes", COUNT, struct picture_type, inuse_bytes),
	FIELD("sizeof_bytes", COUNT, struct picture_type, sizeof_bytes),
	NAMED_COUNTS("bytes", struct picture_type, parts, picture_part_names, PICTURE_PARTS_COUNT),
	NAMED_COUNTS("storage", struct picture_type, storage, picture_storage_names,
		     PICTURE_STORAGES_COUNT),
	{
		.name = "shared_keys",
		.kind = JSON_KIND_POINTER,
		.offset = offsetof(struct picture_type, shared_keys),
		.size = sizeof(struct picture_shared_keys),
		.fields = shared_keys_fields,
	},
	{ .name = "capacity", .kind = JSON_KIND_OPTIONAL, .fields = capacity_fields },
	FIELD("delta_objects", DELTA, struct picture_type, delta_objects),
	FIELD("delta_bytes", DELTA, struct picture_type, delta_bytes),
	FIELD("alloc_objects_per_second", REAL, struct picture_type, alloc_objects_per_second),
	FIELD("alloc_bytes_per_second", REAL, struct picture_type, alloc_bytes_per_second),
	FIELD("free_objects_per_second", REAL, struct picture_type, free_objects_per_second),
	FIELD("free_bytes_per_second", REAL, struct picture_type, free_bytes_per_second),
	FIELD("rate_error", REAL, struct picture_type, rate_error),
	END,
};

static const struct json_field dict_row_fields[] = {
	FIELD("count", COUNT, struct picture_dicts, count),
	FIELD("bytes", COUNT, struct picture_dicts, bytes),
	FIELD("used", COUNT, struct picture_dicts, used),
	FIELD("owned", COUNT, struct picture_dicts, owned),
	END,
};

static const struct json_field dicts_fields[] = {
	{
		.name = "by_layout",
		.kind = JSON_KIND_NAMED,
		.offset = offsetof(struct picture, dicts_by_layout),
		.size = sizeof(struct picture_dicts),
		.repeat = PICTURE_DICT_LAYOUTS_COUNT,
		.fields = dict_row_fields,
		.words = picture_dict_layout_names,
	},
	{
		.name = "by_owner",
		.kind = JSON_KIND_NAMED,
		.offset = offsetof(struct picture, dicts_by_owner),
		.size = sizeof(struct picture_dicts),
		.repeat = PICTURE_DICT_OWNERS_COUNT,
		.fields = dict_row_fields,
		.words = picture_dict_owner_names,
	},
	END,
};

static const struct json_field unattributed_fields[] = {
	FIELD("blocks", COUNT, struct picture, unattributed_blocks),
	FIELD("bytes", COUNT, struct picture, unattributed_bytes),
	END,
};

static const struct json_field census_fields[] = {
	FIELD("duration_ms", REAL, struct picture, census.duration_ms),
	FIELD("bytes_read", COUNT, struct picture, census.bytes_read),
	FIELD("blocks", COUNT, struct picture, census.blocks),
	FIELD("torn_pools", COUNT, struct picture, census.torn_pools),
	FIELD("attributed_ratio", REAL, struct picture, census.attributed_ratio),
	ADDED("unchanged", BOOL, struct picture, census.unchanged),
	ADDED("age_ms", REAL, struct picture, census.age_ms),
	ADDED("cpu_ms", REAL, struct picture, census.cpu_ms),
	ADDED("interval_ms", REAL, struct picture, census.interval_ms),
	END,
};

static const struct json_field overhead_fields[] = {
	FIELD("limit", REAL, struct picture, events.overhead_limit),
	FIELD("estimated", REAL, struct picture, events.overhead_estimated),
	END,
};

static const struct json_field site_fields[] = {
	FIELD("symbol", STRING, struct picture_site, symbol),
	FIELD("offset", U64, struct picture_site, offset),
	FIELD("instruction", STRING, struct picture_site, instruction),
	FIELD("emulated", BOOL, struct picture_site, emulated),
	FIELD("hits", COUNT, struct picture_site, hits),
	ADDED("rejected", STRING, struct picture_site, rejected),
	END,
};

static const struct json_field growth_fields[] = {
	FIELD("size_bytes", U32, struct picture_growth, size_bytes),
	FIELD("pools_opened", COUNT, struct picture_growth, pools_opened),
	END,
};

static const struct json_field layout_change_fields[] = {
	FIELD("type", STRING, struct picture_layout_change, type),
	FIELD("address", ADDRESS, struct picture_layout_change, address),
	FIELD("after", TIME, struct picture_layout_change, after_unix_ns),
	FIELD("seen", TIME, struct picture_layout_change, seen_unix_ns),
	FIELD("objects", COUNT, struct picture_layout_change, objects),
	{
		.name = "keys",
		.kind = JSON_KIND_STRINGS,
		.offset = offsetof(struct picture_layout_change, keys),
		.count_offset = offsetof(struct picture_layout_change, keys_count),
	},
	END,
};

static const struct json_field events_fields[] = {
	WORD("mode", struct picture, events.mode, mode_words),
	FIELD("duration_ms", REAL, struct picture, events.duration_ms),
	FIELD("coverage", REAL, struct picture, events.coverage),
	FIELD("records", COUNT, struct picture, events.records),
	FIELD("lost", COUNT, struct picture, events.lost),
	FIELD("drift_objects", DELTA, struct picture, events.drift_objects),
	FIELD("drift_bytes", DELTA, struct picture, events.drift_bytes),
	OBJECT("overhead", overhead_fields),
	FIELD("cost_ns_per_hit", REAL, struct picture, events.cost_ns_per_hit),
	ADDED("growth_coverage", REAL, struct picture, events.growth_coverage),
	LIST("growth", struct picture, events.growth, growth_fields),
	LIST("layout_changes", struct picture, events.layout_changes, layout_change_fields),
	LIST("sites", struct picture, events.sites, site_fields),
	END,
};

static const struct json_field advice_fields[] = {
	WORD("kind", struct picture_advice, kind, advice_words),
	FIELD("type", STRING, struct picture_advice, type),
	FIELD("objects", COUNT, struct picture_advice, objects),
	FIELD("saves_bytes", COUNT, struct picture_advice, saves_bytes),
	FIELD("detail", STRING, struct picture_advice, detail),
	FIELD("confidence", REAL, struct picture_advice, confidence),
	END,
};

const struct json_field json_fields_snapshot[] = {
	FIELD("taken_at", TIME, struct picture, taken_at_unix_ns),
	FIELD("partial", SOME, struct picture, partial_reasons_count),
	{
		.name = "partial_reasons",
		.kind = JSON_KIND_STRINGS,
		.offset = offsetof(struct picture, partial_reasons),
		.count_offset = offsetof(struct picture, partial_reasons_count),
	},
	OBJECT("process", process_fields),
	OBJECT("memory", memory_fields),
	LIST("types", struct picture, types, json_fields_type),
	OBJECT("dicts", dicts_fields),
	OBJECT("unattributed", unattributed_fields),
	OBJECT("census", census_fields),
	OBJECT("events", events_fields),
	LIST("advice", struct picture, advice, advice_fields),
	END,
};
