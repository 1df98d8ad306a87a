/* SPDX-License-Identifier: BSD-2-Clause */
#include "view/changes.h"

#include "base/format.h"
#include "base/util.h"
#include "view/cells.h"
#include "view/table.h"

#include <errno.h>
#include <jansson.h>

#define SCHEMA "pymemtop.diff/1"
#define _cleanup_json_ cleanup(json_decrefp)

struct memory_row {
	const char *group;	  /* member of "memory" in which it stands; NULL: there itself */
	const char *name, *label; /* label NULL: not shown as text */
	size_t offset;
};

#define ROW(group, name, label, field)                                                             \
	{                                                                                          \
		group, name, label, offsetof(struct picture, memory.field)                         \
	}

static const struct memory_row memory_rows[] = {
	ROW(NULL, "rss_bytes", "RSS", rss_bytes),
	ROW(NULL, "python_inuse_bytes", "Python objects", python_inuse_bytes),
	ROW("pymalloc", "arena_bytes", "pymalloc arenas", arena_bytes),
	ROW("pymalloc", "inuse_bytes", NULL, inuse_bytes),
	ROW("pymalloc", "free_block_bytes", "free blocks", free_block_bytes),
	ROW("pymalloc", "free_pool_bytes", "free pools", free_pool_bytes),
	ROW("pymalloc", "overhead_bytes", NULL, overhead_bytes),
	ROW("malloc", "heap_bytes", "malloc", malloc_heap_bytes),
	ROW("malloc", "python_bytes", NULL, malloc_python_bytes),
	ROW("malloc", "other_bytes", "malloc, native", malloc_other_bytes),
	ROW("malloc", "free_bytes", "malloc, free", malloc_free_bytes),
	ROW(NULL, "mapped_file_bytes", NULL, mapped_file_bytes),
	ROW(NULL, "stack_bytes", NULL, stack_bytes),
	ROW(NULL, "other_bytes", NULL, other_bytes),
};

static int64_t memory_delta(const struct diff *diff, const struct memory_row *row)
{
	int64_t a = *(const int64_t *)((const char *)diff->before + row->offset);
	int64_t b = *(const int64_t *)((const char *)diff->after + row->offset);

	return a == PICTURE_UNKNOWN || b == PICTURE_UNKNOWN ? PICTURE_UNKNOWN : b - a;
}

static json_t *encode_side(const struct picture *pic)
{
	char time[32];

	return json_pack("{s:s, s:i, s:s?, s:s?, s:b}", "taken_at",
			 format_timestamp(time, pic->taken_at_unix_ns), "pid",
			 (int)pic->process.pid, "python_version", pic->process.python_version,
			 "cmdline", pic->process.cmdline, "partial",
			 pic->partial_reasons_count > 0);
}

static json_t *encode_memory(const struct diff *diff)
{
	_cleanup_json_ json_t *memory = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(memory_rows); i++) {
		const struct memory_row *row = &memory_rows[i];
		int64_t delta = memory_delta(diff, row);
		json_t *value = delta == PICTURE_UNKNOWN ? json_null() : json_integer(delta);
		json_t *in = memory;

		if (row->group && !json_object_get(memory, row->group) &&
		    json_object_set_new(memory, row->group, json_object()))
			in = NULL;
		if (in && row->group)
			in = json_object_get(memory, row->group);
		if (json_object_set_new(in, row->name, value))
			return NULL;
	}
	return TAKE_PTR(memory);
}

static json_t *encode_type(const struct diff_type *type)
{
	return json_pack("{s:s, s:[I,I], s:[I,I], s:I, s:I, s:b, s:b}", "name", type->name,
			 "inuse_objects", (json_int_t)type->objects[0],
			 (json_int_t)type->objects[1], "inuse_bytes", (json_int_t)type->bytes[0],
			 (json_int_t)type->bytes[1], "delta_objects",
			 (json_int_t)type->delta_objects, "delta_bytes",
			 (json_int_t)type->delta_bytes, "new", type->is_new, "gone", type->is_gone);
}

static bool is_shown(const struct diff_type *type, const struct changes_options *opts)
{
	return !opts->filter || !regexec(opts->filter, type->name, 0, NULL, 0);
}

/* Takes over @json. */
static int put(FILE *out, const char *before, json_t *json, const char *after)
{
	_cleanup_json_ json_t *owned = json;

	if (!owned)
		return -ENOMEM;
	errno = 0;
	if (fputs(before, out) < 0 || json_dumpf(owned, out, JSON_ENCODE_ANY) ||
	    fputs(after, out) < 0)
		return errno ? -errno : -EIO;
	return 0;
}

int changes_write_json(FILE *out, const struct diff *diff, const struct changes_options *opts)
{
	size_t shown = 0;
	int r = put(out, "{\n\"schema\": ", json_string(SCHEMA), ",\n");

	if (!r)
		r = put(out, "\"before\": ", encode_side(diff->before), ",\n");
	if (!r)
		r = put(out, "\"after\": ", encode_side(diff->after), ",\n\"types\": [");
	for (size_t i = 0; !r && i < diff->types_count && (!opts->limit || shown < opts->limit);
	     i++)
		if (is_shown(&diff->types[i], opts))
			r = put(out, shown++ ? ",\n" : "\n", encode_type(&diff->types[i]), "");
	if (!r)
		r = put(out, shown ? "\n],\n\"memory\": " : "],\n\"memory\": ", encode_memory(diff),
			"\n}\n");
	errno = 0;
	if (!r && fflush(out))
		r = errno ? -errno : -EIO;
	return r;
}

static void write_head(FILE *out, const struct diff *diff)
{
	char a[32], b[32], bytes[FORMAT_SIZE_MAX];
	double seconds =
		((double)diff->after->taken_at_unix_ns - (double)diff->before->taken_at_unix_ns) /
		1e9;

	fprintf(out, "before   %s  pid %d  Python %s%s\n",
		format_timestamp(a, diff->before->taken_at_unix_ns), diff->before->process.pid,
		diff->before->process.python_version ?: "?",
		diff->before->partial_reasons_count ? "  PARTIAL" : "");
	fprintf(out, "after    %s  pid %d  Python %s%s\n",
		format_timestamp(b, diff->after->taken_at_unix_ns), diff->after->process.pid,
		diff->after->process.python_version ?: "?",
		diff->after->partial_reasons_count ? "  PARTIAL" : "");
	fprintf(out, "objects  %s in %.1f s\n\n", format_size_delta(bytes, diff->delta_bytes),
		seconds);
}

static int write_memory(FILE *out, const struct diff *diff)
{
	static const struct table_column columns[] = {
		{ .title = "MEMORY" }, { .title = "CHANGE", .align = TABLE_RIGHT }
	};
	_cleanup_table_ struct table *table = table_new(columns, ARRAY_SIZE(columns));
	int r = table ? 0 : -ENOMEM;

	for (size_t i = 0; !r && i < ARRAY_SIZE(memory_rows); i++) {
		char delta[CELLS_MAX];

		if (!memory_rows[i].label || memory_delta(diff, &memory_rows[i]) == PICTURE_UNKNOWN)
			continue;
		r = table_add(table, memory_rows[i].label);
		if (!r)
			r = table_add(table,
				      cells_size_delta(delta, memory_delta(diff, &memory_rows[i])));
	}
	return r ? r : table_write(table, out, 0, 0, false);
}

static int add_type(struct table *table, const struct diff_type *type)
{
	char cells[4][CELLS_MAX];
	int r = table_add(table, type->name);

	cells_count(cells[0], type->objects[1]);
	cells_count_delta(cells[1], type->delta_objects);
	cells_size(cells[2], type->bytes[1]);
	cells_size_delta(cells[3], type->delta_bytes);
	for (size_t i = 0; !r && i < ARRAY_SIZE(cells); i++)
		r = table_add(table, cells[i]);
	return r ? r : table_add(table, type->is_new ? "new" : type->is_gone ? "gone" : "");
}

int changes_write_text(FILE *out, const struct diff *diff, const struct changes_options *opts)
{
	static const struct table_column columns[] = {
		{ .title = "TYPE", .least = 16, .cut_front = true },
		{ .title = "OBJECTS", .align = TABLE_RIGHT, .drop = 2 },
		{ .title = "CHANGE", .align = TABLE_RIGHT },
		{ .title = "BYTES", .align = TABLE_RIGHT, .drop = 1 },
		{ .title = "CHANGE", .align = TABLE_RIGHT },
		{ .title = "" },
	};
	_cleanup_table_ struct table *table = table_new(columns, ARRAY_SIZE(columns));
	size_t shown = 0;
	int r = table ? 0 : -ENOMEM;

	for (size_t i = 0; !r && i < diff->types_count && (!opts->limit || shown < opts->limit);
	     i++) {
		if (!is_shown(&diff->types[i], opts))
			continue;
		shown++;
		r = add_type(table, &diff->types[i]);
	}
	if (r)
		return r;
	write_head(out, diff);
	if (shown)
		r = table_write(table, out, 0, opts->text.width, opts->text.colour);
	else
		fputs("no type changed\n", out);
	fputs("\n", out);
	if (!r)
		r = write_memory(out, diff);
	errno = 0;
	if (!r && (fflush(out) || ferror(out)))
		r = errno ? -errno : -EIO;
	return r;
}
