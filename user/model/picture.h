/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What we know about one process at one moment: the state that every view renders and none changes.
 *
 * Unknown numbers are PICTURE_UNKNOWN (integers) or NAN (ratios and rates), unknown strings NULL:
 * views show them as null or "-". All sizes are bytes. Strings are valid UTF-8 and owned by the
 * picture.
 */
#pragma once

#include "base/cleanup.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PICTURE_UNKNOWN INT64_MIN

/* Where the bytes of a type lie; they sum to inuse_bytes. */
enum picture_part {
	PICTURE_PART_OBJECT,
	PICTURE_PART_DICT,
	PICTURE_PART_DICT_KEYS,
	PICTURE_PART_DICT_VALUES,
	PICTURE_PART_BUFFER,
	PICTURE_PARTS_COUNT,
};

/* Where instances keep their attributes; sums to inuse_objects. docs/json.md defines the words. */
enum picture_storage {
	PICTURE_STORAGE_INLINE,
	PICTURE_STORAGE_SPLIT,
	PICTURE_STORAGE_COMBINED,
	PICTURE_STORAGE_GENERAL,
	PICTURE_STORAGE_SLOTS,
	PICTURE_STORAGE_NONE,
	PICTURE_STORAGES_COUNT,
};

enum picture_dict_layout {
	PICTURE_DICT_SPLIT,
	PICTURE_DICT_UNICODE,
	PICTURE_DICT_GENERAL,
	PICTURE_DICT_EMPTY,
	PICTURE_DICT_LAYOUTS_COUNT,
};

enum picture_dict_owner {
	PICTURE_OWNER_INSTANCE,
	PICTURE_OWNER_MODULE,
	PICTURE_OWNER_TYPE,
	PICTURE_OWNER_PLAIN,
	PICTURE_DICT_OWNERS_COUNT,
};

/* The words of the contract, indexed by the enums above. */
extern const char *const picture_part_names[PICTURE_PARTS_COUNT];
extern const char *const picture_storage_names[PICTURE_STORAGES_COUNT];
extern const char *const picture_dict_layout_names[PICTURE_DICT_LAYOUTS_COUNT];
extern const char *const picture_dict_owner_names[PICTURE_DICT_OWNERS_COUNT];

struct picture_shared_keys {
	char **names; /* in insertion order */
	size_t used;  /* names that are taken */
	size_t capacity;
	uint64_t bytes;
};

/* What the rules of advice need to know of a class; not part of a snapshot's JSON. */
struct picture_facts {
	int64_t carriers;	/* instances that can have a __dict__ */
	int64_t attributes;	/* of all of them together */
	int64_t attributes_max; /* of one */
	int64_t weakrefs;	/* of them, those that a weak reference points to */
	int64_t slots_bytes;	/* one instance with __slots__; 0: cannot have them */
	int64_t shared_bytes;	/* one instance that shares its keys; 0: cannot */
	bool dataclass, cached_property;
	bool dict_on_demand; /* 3.11+: a dict object exists only where somebody asked for one */
	bool cached_late;    /* a cached_property is among the late names */
	bool same_names;     /* all own key tables that were looked at hold the same names */
	bool reordered, shared_lost;
	bool room;	 /* in the shared keys */
	int64_t names;	 /* different ones seen */
	int64_t sampled; /* key tables looked at */
	char *bases;	 /* Python classes that bring the __dict__; NULL: none */
	char **late;	 /* names that came late, some of them */
	size_t late_count;
	char *misplaced; /* the first name that stood in another order; NULL: none is known */
};

struct picture_type {
	char *name; /* module-qualified */
	uint64_t address;
	bool heap; /* kind "heap"; false: "static" */
	int64_t inuse_objects, inuse_bytes, sizeof_bytes;
	int64_t parts[PICTURE_PARTS_COUNT];
	int64_t storage[PICTURE_STORAGES_COUNT];
	struct picture_shared_keys *shared_keys; /* NULL: null */
	struct picture_facts *facts;		 /* NULL: not looked into */
	int64_t spare_bytes; /* buffers' bytes that copies would not take; 0 where read back */
	int64_t capacity_used, capacity_owned; /* PICTURE_UNKNOWN both: null */
	int64_t delta_objects, delta_bytes;    /* since the baseline; PICTURE_UNKNOWN: none */
	double alloc_objects_per_second, alloc_bytes_per_second, free_objects_per_second,
		free_bytes_per_second; /* NAN: unknown */
	double rate_error;
};

struct picture_size_class {
	uint32_t size_bytes;
	int64_t pools_count, inuse_blocks, free_blocks;
};

/* Pools that pymalloc opened since the picture before. */
struct picture_growth {
	uint32_t size_bytes; /* of their blocks */
	int64_t pools_opened;
};

/* A class whose instances stopped sharing its keys while we watched. */
struct picture_layout_change {
	char *type;
	uint64_t address;
	uint64_t after_unix_ns, seen_unix_ns; /* between these two censuses */
	int64_t objects;		      /* that own their keys by now */
	char **keys; /* names that are not in the shared keys, or not of every instance; some of
			them */
	size_t keys_count;
};

struct picture_dicts {
	int64_t count, bytes, used, owned;
};

struct picture_site {
	char *symbol;
	uint64_t offset;
	char *instruction;
	bool emulated;
	int64_t hits;
	char *rejected; /* why it is not probed; NULL when it is */
};

struct picture_advice {
	const char *kind; /* "slots", "unshared_keys", ... */
	char *type;
	int64_t objects, saves_bytes;
	char *detail;
	double confidence;
};

/* What is known of how long ago an instance was made. */
enum picture_age {
	PICTURE_AGE_UNKNOWN,
	PICTURE_AGE_IS,
	PICTURE_AGE_LEAST, /* before we watched */
	PICTURE_AGE_MOST,  /* its block; the type may use one again without any allocation */
};

/* One instance of a type, to look at. */
struct picture_sample {
	uint64_t address;
	int64_t refcount; /* PICTURE_UNKNOWN: immortal */
	int64_t bytes;	  /* of its block */
	int64_t items;	  /* of a list, dict, str ...; PICTURE_UNKNOWN: it has none */
	enum picture_age age;
	uint64_t age_ns;   /* 0 where unknown */
	char **attributes; /* names */
	size_t attributes_count;
	char *holds; /* types of its first items; NULL: it has none */
	char *value; /* NULL unless values were asked for */
};

/* One process of those that a picture is the sum of. */
struct picture_member {
	pid_t pid;
	char *cmdline;
	bool ended;
	int64_t rss_bytes,
		share_bytes; /* share: with what others map too divided by their number */
	int64_t python_bytes, free_bytes, objects; /* bytes: of the share */
};

/* One of the strs with most copies. */
struct picture_value {
	char *text;
	int64_t copies, bytes;
};

struct picture {
	uint64_t taken_at_unix_ns;
	char **partial_reasons;
	size_t partial_reasons_count; /* partial: more than none */

	struct {
		pid_t pid;
		uint64_t start_time_ticks;
		char *exe, *cmdline;
		char *python_version;
		bool gil, debug, stripped, is_static;
		char *libpython, *build_id;
		const char *allocator; /* "pymalloc", "mimalloc", "malloc", "debug", or NULL */
	} process;

	struct {
		int64_t rss_bytes, python_inuse_bytes;
		int64_t whole_rss_bytes; /* not part of the JSON: the RSS where rss_bytes and what
					    is resident are shares of it */
		int64_t arena_bytes, inuse_bytes, free_block_bytes, free_pool_bytes, overhead_bytes,
			arenas_count;
		int64_t freelist_bytes,
			freelist_blocks; /* dead objects on free lists: part of free_block_bytes */
		struct picture_size_class *size_classes;
		size_t size_classes_count;
		/* free-threaded builds: instead of pymalloc's; segment_bytes is the sum of the four
		 * that follow it */
		int64_t mimalloc_segments_count, mimalloc_segment_bytes, mimalloc_inuse_bytes,
			mimalloc_free_block_bytes, mimalloc_free_page_bytes,
			mimalloc_overhead_bytes, mimalloc_freelist_bytes, mimalloc_freelist_blocks;
		int64_t malloc_heap_bytes, malloc_python_bytes, malloc_other_bytes,
			malloc_free_bytes;
		char *malloc_name; /* "glibc", "musl", "jemalloc", ...; NULL: unknown */
		/* The RSS in parts: the four that follow, mapped files, stacks and other add up to
		 * it. */
		int64_t resident_python_live_bytes, resident_python_free_bytes,
			resident_native_live_bytes, resident_malloc_free_bytes;
		int64_t mapped_file_bytes, stack_bytes, other_bytes;
		int64_t private_bytes,
			swap_bytes; /* private: of the RSS, shared with no other process */
		char *verdict_kind; /* "live", "fragmentation", "native", "held", "mappings"; NULL:
				       unknown */
		char *verdict;	    /* one sentence */
	} memory;

	struct picture_type *types; /* by inuse_bytes, largest first; ties by name */
	size_t types_count;

	struct picture_dicts dicts_by_layout[PICTURE_DICT_LAYOUTS_COUNT];
	struct picture_dicts dicts_by_owner[PICTURE_DICT_OWNERS_COUNT];
	int64_t unattributed_blocks, unattributed_bytes;

	struct {
		double duration_ms;
		int64_t bytes_read, blocks, torn_pools;
		double attributed_ratio; /* of bytes in use */
		bool unchanged;	    /* the process has not run since an earlier census, which still
				       holds */
		double age_ms;	    /* of what was read, when the picture was given out */
		double cpu_ms;	    /* of our own CPU time that the picture took */
		double interval_ms; /* to the next one; NAN: none comes */
	} census;

	struct {
		const char *mode;	      /* "off", "budget", "exact" */
		double duration_ms, coverage; /* coverage: share of the wall time that was traced */
		int64_t records, lost;
		int64_t drift_objects, drift_bytes;	   /* exact mode, after a second census */
		double overhead_limit, overhead_estimated; /* ratios */
		double cost_ns_per_hit;
		struct picture_site *sites;
		size_t sites_count;
		double growth_coverage;
		struct picture_growth *growth;
		size_t growth_count;
		struct picture_layout_change *layout_changes;
		size_t layout_changes_count;
	} events;

	bool has_facts; /* types[].facts and duplicates are filled where they could be: not in one
			   read back */
	struct picture_advice *advice;
	size_t advice_count;

	/* Instances of the type that was asked for; not part of the JSON. */
	struct {
		uint64_t type; /* its address; 0: none was asked for */
		struct picture_sample *list;
		size_t count;
	} samples;

	struct picture_member *members; /* of a service; not part of the JSON */
	size_t members_count;

	/* strs with equal contents; not part of the JSON, the advice says it. Unknown unless asked
	 * for. */
	struct {
		int64_t copies, bytes; /* beyond the first of each */
		int64_t unseen_bytes;  /* of strs that could not be read */
		int64_t sampling;      /* 1: all were counted, else one in so many */
		struct picture_value *values;
		size_t values_count;
	} duplicates;
};

/* An empty picture with every number unknown. NULL when out of memory. */
struct picture *picture_new(void);
void picture_free(struct picture *pic);
DEFINE_CLEANUP(struct picture, picture_free)
#define _cleanup_picture_ cleanup(picture_freep)

void picture_layout_change_fini(struct picture_layout_change *change);

/* Adds a reason for which the result is partial (printf). Repeats are kept once. 0 or -ENOMEM. */
int picture_add_partial(struct picture *pic, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Puts types in their order. */
void picture_sort_types(struct picture *pic);

/* Fills delta_objects and delta_bytes of @pic from @baseline, by name and address, then by name. */
void picture_set_baseline(struct picture *pic, const struct picture *baseline);

/* Appends a copy of @advice. 0 or -ENOMEM. */
int picture_add_advice(struct picture *pic, const struct picture_advice *advice);

/* Row by name, or NULL. */
const struct picture_type *picture_find_type(const struct picture *pic, const char *name);
