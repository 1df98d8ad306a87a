/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a picture and its JSON correspond: one table that the writer (json.c) and the reader
 * (json_read.c) both walk, so that the two cannot differ. Names, nesting and order are those of
 * schema pymemtop.snapshot/1; docs/snapshot.schema.json says the same to others, and a test
 * compares them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_FIELDS_SCHEMA "pymemtop.snapshot/1"

enum json_kind {
	JSON_KIND_END,	    /* end of a table */
	JSON_KIND_COUNT,    /* int64_t, never negative; PICTURE_UNKNOWN is null */
	JSON_KIND_DELTA,    /* int64_t of either sign; PICTURE_UNKNOWN is null */
	JSON_KIND_U32,	    /* uint32_t */
	JSON_KIND_U64,	    /* uint64_t that fits in an int64_t, or size_t */
	JSON_KIND_PID,	    /* pid_t */
	JSON_KIND_REAL,	    /* double; NAN is null */
	JSON_KIND_BOOL,	    /* bool */
	JSON_KIND_HEAP,	    /* bool: "heap" or "static" */
	JSON_KIND_STRING,   /* char *, owned; NULL is null */
	JSON_KIND_WORD,	    /* const char * out of `words`; NULL is null */
	JSON_KIND_ADDRESS,  /* uint64_t as "0x..."; 0: null */
	JSON_KIND_TIME,	    /* uint64_t, nanoseconds since 1970, as UTC text with milliseconds */
	JSON_KIND_LENGTH,   /* size_t that the list before it has set; must agree with it */
	JSON_KIND_SOME,	    /* true where the size_t at offset is not 0 */
	JSON_KIND_STRINGS,  /* char ** at offset, size_t at count_offset */
	JSON_KIND_OBJECT,   /* fields of the same struct, nested */
	JSON_KIND_OPTIONAL, /* the same; null where every field is unknown */
	JSON_KIND_POINTER,  /* pointer to a struct of `size` bytes; NULL is null */
	JSON_KIND_NAMED,    /* `repeat` elements of `size` bytes: an object keyed by `words` */
	JSON_KIND_LIST,	    /* pointer to elements of `size` bytes, size_t at count_offset */
};

struct json_field {
	const char *name;
	enum json_kind kind;
	uint32_t offset, count_offset, size, repeat;
	bool added; /* to the schema after its first version: files from before lack it, and it is
		       unknown */
	const struct json_field
		*fields; /* OBJECT, OPTIONAL, POINTER, LIST; NAMED: NULL means int64 counts */
	const char *const *words; /* WORD: ends in NULL; NAMED: `repeat` of them */
};

/* The members of a snapshot that stand after "schema" and "pymemtop_version", in order. */
extern const struct json_field json_fields_snapshot[];

/* The members of one row of "types". */
extern const struct json_field json_fields_type[];
