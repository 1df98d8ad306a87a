/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/ps.h"

#include "base/util.h"
#include "cli/output.h"
#include "cli/terminal.h"
#include "layout/layout.h"
#include "target/memory.h"
#include "target/process.h"
#include "target/python.h"
#include "view/cells.h"
#include "view/table.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>

void ps_list_fini(struct ps_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->entries[i].cmdline);
		free(list->entries[i].reason);
	}
	free(list->entries);
	*list = (struct ps_list){ 0 };
}

static int64_t read_rss(const struct process *proc)
{
	_cleanup_close_ int fd = process_open_file(proc, "statm");
	unsigned long long pages;
	char text[128];
	ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (len <= 0)
		return PICTURE_UNKNOWN;
	text[len] = '\0';
	return sscanf(text, "%*u %llu", &pages) == 1 ? (int64_t)pages * sysconf(_SC_PAGESIZE)
						     : PICTURE_UNKNOWN;
}

static int list_add(struct ps_list *list, struct ps_entry **ret)
{
	struct ps_entry *grown = reallocarray(list->entries, list->count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	list->entries = grown;
	*ret = &grown[list->count++];
	**ret = (struct ps_entry){ .rss_bytes = PICTURE_UNKNOWN };
	return 0;
}

static int set_text(char **ret, const char *text)
{
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

static int add_process(struct ps_list *list, const struct options *opts, const struct process *proc,
		       struct ps_entry **ret)
{
	int r = list_add(list, ret);

	if (r)
		return r;
	(*ret)->pid = proc->pid;
	(*ret)->rss_bytes = read_rss(proc);
	return set_text(&(*ret)->cmdline, opts->full_cmdline ? proc->cmdline_full : proc->cmdline);
}

static int add_python(struct ps_list *list, const struct options *opts, const struct process *proc,
		      const struct python *py, struct memory *mem)
{
	struct error why = { 0 };
	const struct layout *layout = layout_find(py, &why);
	struct ps_entry *entry;
	int r = add_process(list, opts, proc, &entry);

	if (r)
		return r;
	entry->identified = true;
	snprintf(entry->version, sizeof(entry->version), "%s", py->version);
	entry->is_static = py->is_static;
	entry->stripped = py->stripped;
	entry->debug = py->debug;
	entry->free_threaded = py->free_threaded;
	if (!layout || layout_check(layout, py, mem, &why))
		return set_text(&entry->reason,
				error_is_set(&why) ? why.text : "it could not be read");
	return 0;
}

/* A Python, but none of which a version can be told that we know. */
static int add_unsupported(struct ps_list *list, const struct options *opts,
			   const struct process *proc, const char *reason)
{
	struct ps_entry *entry;
	int r = add_process(list, opts, proc, &entry);

	return r ? r : set_text(&entry->reason, reason);
}

/* By its name a Python, but we may not look. */
static int add_hidden(struct ps_list *list, pid_t pid, const char *reason)
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[32], comm[32] = "";
	struct ps_entry *entry;
	int r;

	list->hidden++;
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	file = fopen(path, "re");
	if (!file || !fgets(comm, sizeof(comm), file) || strncmp(comm, "python", 6))
		return 0;
	comm[strcspn(comm, "\n")] = '\0';
	r = list_add(list, &entry);
	if (r)
		return r;
	entry->pid = pid;
	r = set_text(&entry->cmdline, comm);
	return r ? r : set_text(&entry->reason, reason);
}

static int look_at(struct ps_list *list, const struct options *opts, pid_t pid)
{
	_cleanup_process_ struct process *proc = NULL;
	_cleanup_python_ struct python *py = NULL;
	_cleanup_memory_ struct memory *mem = NULL;
	struct error why = { 0 };
	int r = process_open(pid, &proc, &why);

	if (!r)
		r = memory_live_new(pid, &mem);
	if (!r)
		r = python_find(proc, mem, &py, &why);
	if (!r)
		return add_python(list, opts, proc, py, mem);
	if (r == -ENOTSUP)
		return add_unsupported(list, opts, proc, why.text);
	if (r == -EPERM || r == -EACCES)
		return add_hidden(list, pid,
				  error_is_set(&why) ? why.text : "no permission; run as root");
	return r == -ENOMEM ? r : 0; /* no Python, or it has ended */
}

static int compare_pids(const void *left, const void *right)
{
	const struct ps_entry *a = left, *b = right;

	return (a->pid > b->pid) - (a->pid < b->pid);
}

int ps_gather(struct ps_list *list, const struct options *opts, struct error *err)
{
	DIR *dir = opendir("/proc");
	struct dirent *found;
	int r = 0;

	if (!dir)
		return error_set(err, errno, EXIT_INTERNAL, "cannot read /proc: %s",
				 strerror(errno));
	while (!r && (found = readdir(dir))) {
		char *end;
		long pid = strtol(found->d_name, &end, 10);

		if (!*end && pid > 0 && pid <= INT_MAX)
			r = look_at(list, opts, (pid_t)pid);
	}
	closedir(dir);
	if (list->count)
		qsort(list->entries, list->count, sizeof(*list->entries), compare_pids);
	return r;
}

static const char *describe_build(const struct ps_entry *entry, char *buf, size_t cap)
{
	snprintf(buf, cap, "%s%s%s%s", entry->is_static ? "static" : "shared",
		 entry->stripped ? " stripped" : "", entry->debug ? " debug" : "",
		 entry->free_threaded ? " free-threaded" : "");
	return entry->identified ? buf : "-";
}

static int write_text(FILE *out, const struct ps_list *list, const struct options *opts)
{
	static const struct table_column columns[] = {
		{ .title = "PID", .align = TABLE_RIGHT },
		{ .title = "VERSION" },
		{ .title = "BUILD", .drop = 1 },
		{ .title = "RSS", .align = TABLE_RIGHT },
		{ .title = "SUPPORTED" },
		{ .title = "COMMAND", .least = 12 },
	};
	_cleanup_table_ struct table *table = table_new(columns, ARRAY_SIZE(columns));
	size_t width, lines;
	int r;

	for (size_t i = 0; i < list->count; i++) {
		const struct ps_entry *entry = &list->entries[i];
		char pid[16], build[64], rss[CELLS_MAX];

		snprintf(pid, sizeof(pid), "%d", entry->pid);
		if (!table || table_add(table, pid) ||
		    table_add(table, *entry->version ? entry->version : "-") ||
		    table_add(table, describe_build(entry, build, sizeof(build))) ||
		    table_add(table, cells_size(rss, entry->rss_bytes)) ||
		    table_add(table, entry->reason ? "no" : "yes") ||
		    table_add(table, entry->cmdline))
			return -ENOMEM;
	}
	if (!table)
		return -ENOMEM;
	r = table_write(table, out, 0, terminal_size(out, &width, &lines) ? width : 0,
			options_colour(opts, out));
	for (size_t i = 0; !r && i < list->count; i++) {
		if (list->entries[i].reason)
			fprintf(out, "%d: %s\n", list->entries[i].pid, list->entries[i].reason);
	}
	if (!r && list->hidden)
		fprintf(out, "processes that may not be looked at: %zu%s\n", list->hidden,
			geteuid() ? "; run as root to see them" : "");
	return r;
}

static json_t *encode_build(const struct ps_entry *entry)
{
	if (!entry->identified)
		return json_null();
	return json_pack("{s:b, s:b, s:b, s:b}", "gil", !entry->free_threaded, "debug",
			 entry->debug, "stripped", entry->stripped, "static", entry->is_static);
}

static json_t *encode_entry(const struct ps_entry *entry)
{
	json_t *rss = entry->rss_bytes < 0 ? json_null() : json_integer(entry->rss_bytes);

	return json_pack("{s:i, s:s?, s:o, s:o, s:b, s:s?, s:s}", "pid", entry->pid,
			 "python_version", *entry->version ? entry->version : NULL, "build",
			 encode_build(entry), "rss_bytes", rss, "supported", !entry->reason,
			 "reason", entry->reason, "cmdline", entry->cmdline);
}

static int write_json(FILE *out, const struct ps_list *list)
{
	json_t *array = json_array(), *document;
	int r = 0;

	for (size_t i = 0; i < list->count; i++) {
		if (json_array_append_new(array, encode_entry(&list->entries[i])))
			r = -ENOMEM;
	}
	document = json_pack("{s:s, s:o, s:I}", "schema", "pymemtop.ps/1", "processes", array,
			     "hidden_count", (json_int_t)list->hidden);
	if (!document)
		return -ENOMEM;
	errno = 0;
	if (!r && (json_dumpf(document, out, JSON_INDENT(2)) || fputs("\n", out) < 0))
		r = errno ? -errno : -EIO;
	json_decref(document);
	return r;
}

int ps_run(const struct options_usage *usage, const struct options *opts, struct error *err)
{
	_cleanup_ps_list_ struct ps_list list = { 0 };
	_cleanup_output_ struct output out = { 0 };
	int r = ps_gather(&list, opts, err);

	if (!r)
		r = output_open(&out, NULL, false, err);
	if (r)
		return r;
	r = opts->format == OPTIONS_FORMAT_JSON ? write_json(out.stream, &list)
						: write_text(out.stream, &list, opts);
	return r ? output_failed(&out, r, err) : output_commit(&out, err);
}
