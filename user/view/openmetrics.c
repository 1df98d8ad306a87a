/* SPDX-License-Identifier: BSD-2-Clause */
#include "view/openmetrics.h"

#include "base/util.h"

#include <inttypes.h>

typedef void (*writer)(FILE *out, const char *name, const struct openmetrics_process *proc);

struct family {
	const char *name; /* with the unit, without _total */
	const char *unit; /* the end of the name, or NULL */
	bool counter;
	const char *help;
	writer write;
};

/* Backslash, quote and newline are all that both formats escape in a label value. */
static void write_escaped(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n')
			fputs("\\n", out);
		else if (*text == '\\' || *text == '"')
			fprintf(out, "\\%c", *text);
		else
			fputc(*text, out);
	}
}

static void write_label(FILE *out, const char *name, const char *value)
{
	fprintf(out, ",%s=\"", name);
	write_escaped(out, value);
	fputc('"', out);
}

/* The name and the labels that every sample has; the caller closes the brace. */
static void begin(FILE *out, const char *name, const struct openmetrics_process *proc)
{
	fprintf(out, "%s{pid=\"%d\"", name, proc->pid);
	write_label(out, "service", proc->service);
	if (proc->pod)
		write_label(out, "pod", proc->pod);
	if (proc->container)
		write_label(out, "container", proc->container);
}

static void end_integer(FILE *out, int64_t value)
{
	fprintf(out, "} %" PRId64 "\n", value);
}

static void write_integer(FILE *out, const char *name, const struct openmetrics_process *proc,
			  int64_t value)
{
	if (value == PICTURE_UNKNOWN)
		return;
	begin(out, name, proc);
	end_integer(out, value);
}

static void write_real(FILE *out, const char *name, const struct openmetrics_process *proc,
		       double value)
{
	if (!isfinite(value))
		return;
	begin(out, name, proc);
	fprintf(out, "} %.9g\n", value);
}

static void write_up(FILE *out, const char *name, const struct openmetrics_process *proc)
{
	write_integer(out, name, proc, proc->up);
}

static void write_row_integer(FILE *out, const char *name, const struct openmetrics_process *proc,
			      const char *type, int64_t value)
{
	if (value == PICTURE_UNKNOWN)
		return;
	begin(out, name, proc);
	write_label(out, "type", type);
	end_integer(out, value);
}

static void write_inuse_bytes(FILE *out, const char *name, const struct openmetrics_process *proc)
{
	for (size_t i = 0; i < proc->rows_count; i++)
		write_row_integer(out, name, proc, proc->rows[i].name, proc->rows[i].inuse_bytes);
}

static void write_inuse_objects(FILE *out, const char *name, const struct openmetrics_process *proc)
{
	for (size_t i = 0; i < proc->rows_count; i++)
		write_row_integer(out, name, proc, proc->rows[i].name, proc->rows[i].inuse_objects);
}

/* Counters are whole bytes: sums of rates that were estimated. */
static int64_t whole(double value)
{
	return isfinite(value) && value >= 0 && value < 9e18 ? (int64_t)value : PICTURE_UNKNOWN;
}

static void write_alloc_bytes(FILE *out, const char *name, const struct openmetrics_process *proc)
{
	for (size_t i = 0; i < proc->rows_count; i++)
		write_row_integer(out, name, proc, proc->rows[i].name,
				  whole(proc->rows[i].alloc_bytes));
}

static void write_freed_bytes(FILE *out, const char *name, const struct openmetrics_process *proc)
{
	for (size_t i = 0; i < proc->rows_count; i++)
		write_row_integer(out, name, proc, proc->rows[i].name,
				  whole(proc->rows[i].freed_bytes));
}

/* Only the ways of storage that occur: six series a type would be mostly zeros. */
static void write_instances(FILE *out, const char *name, const struct openmetrics_process *proc)
{
	for (size_t i = 0; i < proc->rows_count; i++) {
		for (size_t k = 0; k < PICTURE_STORAGES_COUNT; k++) {
			if (proc->rows[i].storage[k] <= 0)
				continue;
			begin(out, name, proc);
			write_label(out, "type", proc->rows[i].name);
			write_label(out, "storage", picture_storage_names[k]);
			end_integer(out, proc->rows[i].storage[k]);
		}
	}
}

static void write_memory(FILE *out, const char *name, const struct openmetrics_process *proc)
{
	static const struct {
		const char *part;
		size_t offset;
	} parts[] = {
#define PART(word, member) { word, offsetof(struct picture, memory.member) }
		PART("rss", rss_bytes),
		PART("python_inuse", python_inuse_bytes),
		PART("pymalloc_arena", arena_bytes),
		PART("pymalloc_inuse", inuse_bytes),
		PART("pymalloc_free_block", free_block_bytes),
		PART("pymalloc_free_pool", free_pool_bytes),
		PART("pymalloc_overhead", overhead_bytes),
		PART("malloc_heap", malloc_heap_bytes),
		PART("malloc_python", malloc_python_bytes),
		PART("malloc_other", malloc_other_bytes),
		PART("malloc_free", malloc_free_bytes),
		PART("mapped_file", mapped_file_bytes),
		PART("stack", stack_bytes),
		PART("other", other_bytes),
#undef PART
	};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		int64_t value = load_i64((const char *)proc->pic + parts[i].offset);

		if (value == PICTURE_UNKNOWN)
			continue;
		begin(out, name, proc);
		write_label(out, "part", parts[i].part);
		end_integer(out, value);
	}
}

static void write_census_duration(FILE *out, const char *name,
				  const struct openmetrics_process *proc)
{
	write_real(out, name, proc, proc->pic->census.duration_ms / 1e3);
}

static void write_census_timestamp(FILE *out, const char *name,
				   const struct openmetrics_process *proc)
{
	uint64_t ms = proc->pic->taken_at_unix_ns / NSEC_PER_MSEC;

	begin(out, name, proc);
	fprintf(out, "} %" PRIu64 ".%03u\n", ms / 1000, (unsigned int)(ms % 1000));
}

static void write_lost(FILE *out, const char *name, const struct openmetrics_process *proc)
{
	write_integer(out, name, proc, proc->lost);
}

static void write_overhead(FILE *out, const char *name, const struct openmetrics_process *proc)
{
	write_real(out, name, proc, proc->pic->events.overhead_estimated);
}

static const struct family families[OPENMETRICS_FAMILIES_COUNT] = {
	[OPENMETRICS_UP] = { "pymemtop_up", NULL, false,
			     "Whether the last census of the process succeeded.", write_up },
	[OPENMETRICS_INUSE_BYTES] = { "pymemtop_inuse_bytes", "bytes", false,
				      "Memory given out for the objects of a type, whole blocks.",
				      write_inuse_bytes },
	[OPENMETRICS_INUSE_OBJECTS] = { "pymemtop_inuse_objects", NULL, false,
					"Live objects of a type.", write_inuse_objects },
	[OPENMETRICS_ALLOC_BYTES] = { "pymemtop_alloc_bytes", "bytes", true,
				      "Bytes allocated for a type since it is watched, from "
				      "sampled rates.",
				      write_alloc_bytes },
	[OPENMETRICS_FREED_BYTES] = { "pymemtop_freed_bytes", "bytes", true,
				      "Bytes of a type freed since it is watched, from sampled "
				      "rates.",
				      write_freed_bytes },
	[OPENMETRICS_INSTANCES] = { "pymemtop_instances", NULL, false,
				    "Live objects of a type by where they keep their attributes.",
				    write_instances },
	[OPENMETRICS_MEMORY_BYTES] = { "pymemtop_memory_bytes", "bytes", false,
				       "Where the memory of the process is.", write_memory },
	[OPENMETRICS_CENSUS_DURATION] = { "pymemtop_census_duration_seconds", "seconds", false,
					  "How long the last census took.", write_census_duration },
	[OPENMETRICS_CENSUS_TIMESTAMP] = { "pymemtop_census_timestamp_seconds", "seconds", false,
					   "When the last census began, in seconds since 1970.",
					   write_census_timestamp },
	[OPENMETRICS_EVENTS_LOST] = { "pymemtop_events_lost", NULL, true,
				      "Event records that were lost since the process is watched.",
				      write_lost },
	[OPENMETRICS_OVERHEAD_RATIO] = { "pymemtop_overhead_ratio", "ratio", false,
					 "Estimated share of its time that the process loses to "
					 "events.",
					 write_overhead },
};

void openmetrics_write_head(FILE *out, enum openmetrics_family family,
			    enum openmetrics_format format)
{
	const struct family *f = &families[family];
	/* In OpenMetrics the family of a counter is named without the suffix of its samples. */
	const char *suffix = f->counter && format == OPENMETRICS_FORMAT_TEXT ? "_total" : "";

	fprintf(out, "# HELP %s%s %s\n", f->name, suffix, f->help);
	fprintf(out, "# TYPE %s%s %s\n", f->name, suffix, f->counter ? "counter" : "gauge");
	if (f->unit && format == OPENMETRICS_FORMAT_OPEN)
		fprintf(out, "# UNIT %s %s\n", f->name, f->unit);
}

void openmetrics_write_samples(FILE *out, enum openmetrics_family family,
			       const struct openmetrics_process *proc)
{
	const struct family *f = &families[family];
	char name[64];

	if (!proc->pic && family != OPENMETRICS_UP)
		return;
	snprintf(name, sizeof(name), "%s%s", f->name, f->counter ? "_total" : "");
	f->write(out, name, proc);
}

void openmetrics_write_end(FILE *out)
{
	fputs("# EOF\n", out);
}

const char *openmetrics_content_type(enum openmetrics_format format)
{
	return format == OPENMETRICS_FORMAT_OPEN
		       ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
		       : "text/plain; version=0.0.4; charset=utf-8";
}

enum openmetrics_format openmetrics_negotiate(const char *accept)
{
	return accept && strstr(accept, "application/openmetrics-text") ? OPENMETRICS_FORMAT_OPEN
									: OPENMETRICS_FORMAT_TEXT;
}
