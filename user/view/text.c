/* SPDX-License-Identifier: BSD-2-Clause */
#include "view/text.h"

#include "base/format.h"
#include "base/utf8.h"
#include "base/util.h"
#include "view/cells.h"
#include "view/table.h"

#include <errno.h>

/* PGO builds have hundreds. */
#define SITES_SHOWN 12

#define BOLD "\033[1m"
#define YELLOW "\033[33m"
#define PLAIN "\033[0m"

struct page {
	FILE *out;
	const struct picture *pic;
	const struct text_options *opts;
};

static const char *style(const struct page *page, const char *code)
{
	return page->opts->colour ? code : "";
}

static void heading(const struct page *page, const char *text)
{
	fprintf(page->out, "\n%s%s%s\n", style(page, BOLD), text, style(page, PLAIN));
}

/* One line of text after a label, cut to the width of the terminal. */
static int labelled(const struct page *page, const char *label, const char *text)
{
	char printable[512];
	const struct table_column columns[] = {
		{ .title = label },
		{ .title = printable, .least = 8 },
	};
	_cleanup_table_ struct table *table = table_new(columns, ARRAY_SIZE(columns));

	if (!table)
		return -ENOMEM;
	utf8_printable(printable, sizeof(printable), text, strlen(text));
	return table_write(table, page->out, 0, page->opts->width, false);
}

static void describe_python(const struct picture *pic, char *buf, size_t cap)
{
	const char *version = pic->process.python_version;

	snprintf(buf, cap, "Python %s, %s, %s%s%s%s%s", version ? version : "?",
		 pic->process.is_static ? "static" : "shared libpython",
		 pic->process.stripped ? "stripped" : "with symbols",
		 pic->process.debug ? ", debug" : "", pic->process.gil ? "" : ", free-threaded",
		 pic->process.allocator ? ", " : "",
		 pic->process.allocator ? pic->process.allocator : "");
}

static void describe_census(const struct picture *pic, char *buf, size_t cap)
{
	char time[32], took[CELLS_MAX], blocks[CELLS_MAX], attributed[CELLS_MAX], every[CELLS_MAX];
	bool more = isfinite(pic->census.interval_ms);

	snprintf(buf, cap, "%s, census %s%s%s, %s blocks, %s attributed",
		 format_timestamp(time, pic->taken_at_unix_ns),
		 pic->census.unchanged ? "unchanged"
				       : cells_duration(took, pic->census.duration_ms),
		 more ? " every " : "", more ? cells_duration(every, pic->census.interval_ms) : "",
		 cells_count(blocks, pic->census.blocks),
		 cells_ratio(attributed, pic->census.attributed_ratio));
}

static void describe_events(const struct picture *pic, char *buf, size_t cap)
{
	char took[CELLS_MAX], coverage[CELLS_MAX], records[CELLS_MAX], lost[CELLS_MAX],
		limit[CELLS_MAX], overhead[CELLS_MAX];

	if (streq(pic->events.mode, "off")) {
		snprintf(buf, cap, "off");
		return;
	}
	snprintf(buf, cap, "%s, %s of %s traced, %s records, %s lost, overhead %s",
		 pic->events.mode, cells_ratio(coverage, pic->events.coverage),
		 cells_duration(took, pic->events.duration_ms),
		 cells_count(records, pic->events.records), cells_count(lost, pic->events.lost),
		 cells_ratio(overhead, pic->events.overhead_estimated));
	if (isfinite(pic->events.overhead_limit)) {
		size_t len = strlen(buf);

		snprintf(buf + len, cap - len, " of %s allowed",
			 cells_ratio(limit, pic->events.overhead_limit));
	}
}

/* "9 of 48 B, 3 of 64 B": pools opened, by the size of their blocks. */
static int write_growth(const struct page *page)
{
	const struct picture *pic = page->pic;
	char text[512] = "", count[CELLS_MAX];
	size_t len = 0;

	for (size_t i = 0; i < pic->events.growth_count && len < sizeof(text) - 64; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s of %u B",
					len ? ", " : "pools opened: ",
					cells_count(count, pic->events.growth[i].pools_opened),
					pic->events.growth[i].size_bytes);
	return len ? labelled(page, "Growth", text) : 0;
}

/* One line for each class whose instances stopped sharing its keys while we watched. */
static int write_changes(const struct page *page)
{
	const struct picture *pic = page->pic;
	int r = 0;

	for (size_t i = 0; !r && i < pic->events.layout_changes_count; i++) {
		char text[CELLS_CHANGE_MAX];

		cells_layout_change(text, &pic->events.layout_changes[i]);
		r = labelled(page, "Layout", text);
	}
	return r;
}

/* Each printable line that says why the result is partial. */
static int write_partial(const struct page *page)
{
	const struct picture *pic = page->pic;

	for (size_t i = 0; i < pic->partial_reasons_count; i++) {
		char text[512];

		utf8_printable(text, sizeof(text), pic->partial_reasons[i],
			       strlen(pic->partial_reasons[i]));
		fprintf(page->out, "%sPARTIAL: %s%s\n", style(page, YELLOW), text,
			style(page, PLAIN));
	}
	return 0;
}

static int write_header(const struct page *page)
{
	const struct picture *pic = page->pic;
	char text[512];
	int r;

	snprintf(text, sizeof(text), "%d  %s", pic->process.pid,
		 pic->process.cmdline ? pic->process.cmdline : "");
	r = labelled(page, "PID   ", text);
	describe_python(pic, text, sizeof(text));
	if (!r)
		r = labelled(page, "Python", text + strlen("Python "));
	describe_census(pic, text, sizeof(text));
	if (!r)
		r = labelled(page, "Taken ", text);
	describe_events(pic, text, sizeof(text));
	if (!r)
		r = labelled(page, "Events", text);
	if (!r)
		r = write_growth(page);
	if (!r)
		r = write_changes(page);
	return r ? r : write_partial(page);
}

#define VERDICT_MAX 1024

/* Where malloc is not one that we can read, all that it holds is here. */
static const char *other_note(const struct picture *pic)
{
	return pic->memory.malloc_heap_bytes != PICTURE_UNKNOWN
		       ? ""
		       : "with what malloc holds: it is not glibc's";
}

static int write_memory(const struct page *page)
{
	static const struct table_column columns[] = {
		{ .title = "MEMORY" },
		{ .title = "BYTES", .align = TABLE_RIGHT },
		{ .title = "", .drop = 1 },
	};
	const struct picture *pic = page->pic;
	char arenas[CELLS_MAX], freelists[CELLS_MAX], note[2][2 * CELLS_MAX];
	const struct {
		const char *label;
		int64_t bytes;
		const char *note;
	} lines[] = {
		{ "resident", pic->memory.rss_bytes, "the sum of the seven that follow" },
		{ "  Python live", pic->memory.resident_python_live_bytes, "" },
		{ "  Python free", pic->memory.resident_python_free_bytes, "in pymalloc's arenas" },
		{ "  native live", pic->memory.resident_native_live_bytes,
		  "in malloc, not Python's" },
		{ "  malloc free", pic->memory.resident_malloc_free_bytes, "held, not in use" },
		{ "  mapped files", pic->memory.mapped_file_bytes, "" },
		{ "  stacks", pic->memory.stack_bytes, "" },
		{ "  other", pic->memory.other_bytes, other_note(pic) },
		{ "Python objects", pic->memory.python_inuse_bytes, "sum of the types below" },
		{ "pymalloc arenas", pic->memory.arena_bytes, note[0] },
		{ "  in use", pic->memory.inuse_bytes, "" },
		{ "  free blocks", pic->memory.free_block_bytes, note[1] },
		{ "  free pools", pic->memory.free_pool_bytes, "" },
		{ "  overhead", pic->memory.overhead_bytes, "" },
		{ "malloc", pic->memory.malloc_heap_bytes,
		  pic->memory.malloc_name ? pic->memory.malloc_name : "" },
		{ "  Python", pic->memory.malloc_python_bytes, "" },
		{ "  other", pic->memory.malloc_other_bytes, "" },
		{ "  free", pic->memory.malloc_free_bytes, "" },
		{ "unattributed", pic->unattributed_bytes, "in use, nature not known" },
	};
	_cleanup_table_ struct table *table = table_new(columns, ARRAY_SIZE(columns));

	snprintf(note[0], sizeof(note[0]), "arenas: %s",
		 cells_count(arenas, pic->memory.arenas_count));
	snprintf(note[1], sizeof(note[1]), "of them on free lists: %s",
		 cells_size(freelists, pic->memory.freelist_bytes));
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		char size[CELLS_MAX];

		if (!table || table_add(table, lines[i].label) ||
		    table_add(table, cells_size(size, lines[i].bytes)) ||
		    table_add(table, lines[i].note))
			return -ENOMEM;
	}
	if (pic->memory.verdict) {
		char verdict[VERDICT_MAX];

		utf8_printable(verdict, sizeof(verdict), pic->memory.verdict,
			       strlen(pic->memory.verdict));
		fprintf(page->out, "Verdict %s\n", verdict);
	}
	fputs("\n", page->out);
	return table_write(table, page->out, 0, page->opts->width, page->opts->colour);
}

enum {
	COLUMN_TYPE,
	COLUMN_OBJECTS,
	COLUMN_BYTES,
	COLUMN_SIZEOF,
	COLUMN_DELTA,
	COLUMN_STORAGE,
	COLUMN_ALLOC,
	COLUMN_FREE,
	COLUMNS_COUNT,
};

/* The table of types: those columns of which anything is known. */
struct types_table {
	struct table_column columns[COLUMNS_COUNT];
	bool shown[COLUMNS_COUNT];
	size_t count;
};

static void choose_columns(struct types_table *types, const struct rows *rows)
{
	static const struct table_column all[COLUMNS_COUNT] = {
		[COLUMN_TYPE] = { .title = "TYPE", .least = 16, .cut_front = true },
		[COLUMN_OBJECTS] = { .title = "OBJECTS", .align = TABLE_RIGHT },
		[COLUMN_BYTES] = { .title = "BYTES", .align = TABLE_RIGHT },
		[COLUMN_SIZEOF] = { .title = "SIZEOF", .align = TABLE_RIGHT, .drop = 5 },
		[COLUMN_DELTA] = { .title = "DELTA", .align = TABLE_RIGHT, .drop = 2 },
		[COLUMN_STORAGE] = { .title = "STORAGE", .drop = 1 },
		[COLUMN_ALLOC] = { .title = "ALLOC/S", .align = TABLE_RIGHT, .drop = 3 },
		[COLUMN_FREE] = { .title = "FREE/S", .align = TABLE_RIGHT, .drop = 4 },
	};

	memset(types->shown, true, sizeof(types->shown));
	types->shown[COLUMN_DELTA] = types->shown[COLUMN_ALLOC] = types->shown[COLUMN_FREE] = false;
	for (size_t i = 0; i < rows->count; i++) {
		const struct picture_type *type = rows->list[i];

		types->shown[COLUMN_DELTA] |= type->delta_bytes != PICTURE_UNKNOWN;
		types->shown[COLUMN_ALLOC] |= isfinite(type->alloc_objects_per_second);
		types->shown[COLUMN_FREE] |= isfinite(type->free_objects_per_second);
	}
	types->count = 0;
	for (size_t i = 0; i < COLUMNS_COUNT; i++) {
		if (types->shown[i])
			types->columns[types->count++] = all[i];
	}
}

static int add_type(struct table *table, const bool *shown, const struct picture_type *type)
{
	char objects[CELLS_MAX], bytes[CELLS_MAX], size[CELLS_MAX], delta[CELLS_MAX],
		storage[CELLS_MAX], alloc[CELLS_MAX], freed[CELLS_MAX];
	const char *const cells[COLUMNS_COUNT] = {
		[COLUMN_TYPE] = type->name ? type->name : "?",
		[COLUMN_OBJECTS] = cells_count(objects, type->inuse_objects),
		[COLUMN_BYTES] = cells_size(bytes, type->inuse_bytes),
		[COLUMN_SIZEOF] = cells_size(size, type->sizeof_bytes),
		[COLUMN_DELTA] = cells_size_delta(delta, type->delta_bytes),
		[COLUMN_STORAGE] = cells_storage(storage, type),
		[COLUMN_ALLOC] = cells_rate(alloc, type->alloc_objects_per_second),
		[COLUMN_FREE] = cells_rate(freed, type->free_objects_per_second),
	};

	for (size_t i = 0; i < COLUMNS_COUNT; i++) {
		if (shown[i] && table_add(table, cells[i]))
			return -ENOMEM;
	}
	return 0;
}

static int write_types(const struct page *page, const struct rows *rows)
{
	struct types_table types;
	_cleanup_table_ struct table *table = NULL;
	char count[CELLS_MAX], objects[CELLS_MAX], bytes[CELLS_MAX];
	int r;

	choose_columns(&types, rows);
	table = table_new(types.columns, types.count);
	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < rows->count; i++) {
		r = add_type(table, types.shown, rows->list[i]);
		if (r)
			return r;
	}
	fputs("\n", page->out);
	r = table_write(table, page->out, 0, page->opts->width, page->opts->colour);
	if (!r && rows->rest_count)
		fprintf(page->out, "%s more types: %s objects, %s\n",
			cells_count(count, (int64_t)rows->rest_count),
			cells_count(objects, rows->rest_objects),
			cells_size(bytes, rows->rest_bytes));
	return r;
}

static int write_dict_table(const struct page *page, const char *title,
			    const struct picture_dicts *dicts, const char *const *names,
			    size_t count)
{
	const struct table_column columns[] = {
		{ .title = title },
		{ .title = "COUNT", .align = TABLE_RIGHT },
		{ .title = "BYTES", .align = TABLE_RIGHT },
		{ .title = "USED", .align = TABLE_RIGHT },
		{ .title = "OWNED", .align = TABLE_RIGHT },
		{ .title = "FULL", .align = TABLE_RIGHT, .drop = 1 },
	};
	_cleanup_table_ struct table *table = table_new(columns, ARRAY_SIZE(columns));

	for (size_t i = 0; i < count; i++) {
		char number[CELLS_MAX], bytes[CELLS_MAX], used[CELLS_MAX], owned[CELLS_MAX],
			full[CELLS_MAX];

		if (!table || table_add(table, names[i]) ||
		    table_add(table, cells_count(number, dicts[i].count)) ||
		    table_add(table, cells_size(bytes, dicts[i].bytes)) ||
		    table_add(table, cells_count(used, dicts[i].used)) ||
		    table_add(table, cells_count(owned, dicts[i].owned)) ||
		    table_add(table, cells_share(full, dicts[i].used, dicts[i].owned)))
			return -ENOMEM;
	}
	fputs("\n", page->out);
	return table_write(table, page->out, 0, page->opts->width, page->opts->colour);
}

static int write_dicts(const struct page *page)
{
	int r = write_dict_table(page, "DICTS BY LAYOUT", page->pic->dicts_by_layout,
				 picture_dict_layout_names, PICTURE_DICT_LAYOUTS_COUNT);

	return r ? r
		 : write_dict_table(page, "DICTS BY OWNER ", page->pic->dicts_by_owner,
				    picture_dict_owner_names, PICTURE_DICT_OWNERS_COUNT);
}

static int compare_hits(const void *left, const void *right)
{
	const struct picture_site *a = *(const struct picture_site *const *)left;
	const struct picture_site *b = *(const struct picture_site *const *)right;
	int order = (a->hits < b->hits) - (a->hits > b->hits);

	return order ? order : (a > b) - (a < b);
}

static int add_site(struct table *table, const struct picture_site *site)
{
	const char *name = site->symbol && *site->symbol ? site->symbol : "(no symbol)";
	const char *note = site->emulated ? "" : "single-stepped";
	char offset[CELLS_MAX], hits[CELLS_MAX];

	snprintf(offset, sizeof(offset), "+0x%llx", (unsigned long long)site->offset);
	if (table_add(table, name) || table_add(table, offset) ||
	    table_add(table, cells_count(hits, site->hits)) ||
	    table_add(table, site->instruction ? site->instruction : "-") ||
	    table_add(table, site->rejected ? site->rejected : note))
		return -ENOMEM;
	return 0;
}

/* The busiest. */
static int write_sites(const struct page *page)
{
	static const struct table_column columns[] = {
		{ .title = "PROBE", .least = 12 },
		{ .title = "OFFSET", .align = TABLE_RIGHT },
		{ .title = "HITS", .align = TABLE_RIGHT },
		{ .title = "INSTRUCTION", .drop = 1 },
		{ .title = "", .drop = 2 },
	};
	size_t count = page->pic->events.sites_count, shown = MIN(count, (size_t)SITES_SHOWN);
	_cleanup_table_ struct table *table = table_new(columns, ARRAY_SIZE(columns));
	_cleanup_free_ const struct picture_site **sites = calloc(count + 1, sizeof(*sites));
	int r;

	if (!table || !sites)
		return -ENOMEM;
	if (!count)
		return 0;
	for (size_t i = 0; i < count; i++)
		sites[i] = &page->pic->events.sites[i];
	qsort(sites, count, sizeof(*sites), compare_hits);
	for (size_t i = 0; i < shown; i++) {
		if (add_site(table, sites[i]))
			return -ENOMEM;
	}
	fputs("\n", page->out);
	r = table_write(table, page->out, 0, page->opts->width, page->opts->colour);
	if (!r && shown < count)
		fprintf(page->out, "%zu more probe sites; the JSON has all\n", count - shown);
	return r;
}

static int write_advice(const struct page *page)
{
	static const struct table_column columns[] = {
		{ .title = "SAVES", .align = TABLE_RIGHT },
		{ .title = "TYPE", .least = 12, .cut_front = true },
		{ .title = "KIND" },
		{ .title = "WHAT TO DO" },
	};
	_cleanup_table_ struct table *table = table_new(columns, ARRAY_SIZE(columns));
	const struct picture *pic = page->pic;

	if (!pic->advice_count)
		return 0;
	for (size_t i = 0; i < pic->advice_count; i++) {
		const struct picture_advice *advice = &pic->advice[i];
		char saves[CELLS_MAX];

		if (!table || table_add(table, cells_size(saves, advice->saves_bytes)) ||
		    table_add(table, advice->type ? advice->type : "-") ||
		    table_add(table, advice->kind ? advice->kind : "-") ||
		    table_add(table, advice->detail ? advice->detail : ""))
			return -ENOMEM;
	}
	heading(page, "Advice");
	return table_write(table, page->out, 0, 0, page->opts->colour);
}

static int finish(FILE *out)
{
	errno = 0;
	if (fflush(out) || ferror(out))
		return errno ? -errno : -EIO;
	return 0;
}

int text_write_picture(FILE *out, const struct picture *pic, const struct rows *rows,
		       const struct text_options *opts)
{
	const struct page page = { .out = out, .pic = pic, .opts = opts };
	int r = write_header(&page);

	if (!r)
		r = write_memory(&page);
	if (!r)
		r = write_types(&page, rows);
	if (!r)
		r = write_dicts(&page);
	if (!r)
		r = write_sites(&page);
	if (!r)
		r = write_advice(&page);
	return r ? r : finish(out);
}

static void describe_memory(const struct picture *pic, char *buf, size_t cap)
{
	char rss[CELLS_MAX], python[CELLS_MAX], arenas[CELLS_MAX], freed[CELLS_MAX];
	int64_t idle = PICTURE_UNKNOWN;

	if (pic->memory.free_block_bytes >= 0 && pic->memory.free_pool_bytes >= 0)
		idle = pic->memory.free_block_bytes + pic->memory.free_pool_bytes;
	snprintf(buf, cap, "%s %s, %s Python objects, %s pymalloc arenas (%s free)",
		 cells_size(rss, pic->memory.rss_bytes),
		 pic->members_count > 1 ? "PSS of all processes" : "resident",
		 cells_size(python, pic->memory.python_inuse_bytes),
		 cells_size(arenas, pic->memory.arena_bytes), cells_size(freed, idle));
}

/* The processes of a service, one line each. */
static int write_members(const struct page *page)
{
	static const struct table_column columns[] = {
		{ .title = "PID", .align = TABLE_RIGHT },
		{ .title = "RSS", .align = TABLE_RIGHT },
		{ .title = "PSS", .align = TABLE_RIGHT },
		{ .title = "PYTHON", .align = TABLE_RIGHT, .drop = 1 },
		{ .title = "OBJECTS", .align = TABLE_RIGHT, .drop = 2 },
		{ .title = "COMMAND", .least = 8 },
	};
	_cleanup_table_ struct table *table = table_new(columns, ARRAY_SIZE(columns));
	const struct picture *pic = page->pic;

	if (!pic->members_count)
		return 0;
	for (size_t i = 0; i < pic->members_count; i++) {
		const struct picture_member *m = &pic->members[i];
		char pid[16], rss[CELLS_MAX], share[CELLS_MAX], live[CELLS_MAX], objects[CELLS_MAX];

		snprintf(pid, sizeof(pid), "%d", m->pid);
		if (!table || table_add(table, pid) ||
		    table_add(table, cells_size(rss, m->rss_bytes)) ||
		    table_add(table, cells_size(share, m->share_bytes)) ||
		    table_add(table, cells_size(live, m->python_bytes)) ||
		    table_add(table, cells_count(objects, m->objects)) ||
		    table_add(table, m->cmdline ? m->cmdline : ""))
			return -ENOMEM;
	}
	fputs("\n", page->out);
	return table_write(table, page->out, 0, page->opts->width, page->opts->colour);
}

int text_write_screen(FILE *out, const struct picture *pic, const struct rows *rows,
		      const struct text_options *opts)
{
	const struct page page = { .out = out, .pic = pic, .opts = opts };
	char text[512];
	int r = write_header(&page);

	describe_memory(pic, text, sizeof(text));
	if (!r)
		r = labelled(&page, "Memory", text);
	if (!r)
		r = write_members(&page);
	if (!r)
		r = write_types(&page, rows);
	return r ? r : finish(out);
}
