/* SPDX-License-Identifier: BSD-2-Clause */
#include "target/python.h"

#include "target/memory_files.h"

#include <errno.h>
#include <stdio.h>

#include "base/utf8.h"
#include "base/util.h"
#include "target/python_version.h"

#define CANDIDATES_MAX 8192u
/* 3.12 has the largest so far, 460 KB. */
#define RUNTIME_SIZE_MAX (16 * MiB)

/* A mapped program file; the lower half is set for those that have _PyRuntime. */
struct candidate {
	const struct mapping *map;
	bool likely; /* by its name */
	struct elf *elf;
	uint64_t bias, low, high; /* where the file's segments are in the target */
	uint64_t runtime, runtime_size;
	size_t pointers; /* in _PyRuntime to memory that was allocated at run time */
};

struct search {
	const struct process *proc;
	struct memory *mem;
	struct maps *maps;
	struct candidate *list;
	size_t count;
	bool refused;	     /* a file could not be opened for want of rights */
	const char *foreign; /* a relative that we know by its symbols */
};

/* ---- candidates --------------------------------------------------------------------------------
 */

static bool same_file(const struct mapping *a, const struct mapping *b)
{
	return a->inode == b->inode && a->dev_major == b->dev_major && a->dev_minor == b->dev_minor;
}

static bool is_known(const struct search *s, const struct mapping *map)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->list[i].map && same_file(s->list[i].map, map))
			return true;
	return false;
}

static int collect(struct search *s)
{
	s->list = calloc(MIN(s->maps->count, (size_t)CANDIDATES_MAX) + 1, sizeof(*s->list));
	if (!s->list)
		return -ENOMEM;
	for (size_t i = 0; i < s->maps->count && s->count < CANDIDATES_MAX; i++) {
		const struct mapping *map = &s->maps->list[i];
		const char *slash = strrchr(map->path, '/');

		if (map->kind != MAPPING_FILE || !map->exec || !slash || is_known(s, map))
			continue;
		s->list[s->count++] = (struct candidate){
			.map = map,
			.likely = strstr(slash, "python") || streq(map->path, s->proc->exe),
		};
	}
	return 0;
}

/* Interpreters that have no _PyRuntime. */
static const char *foreign_name(const struct elf *elf)
{
	static const struct {
		const char *symbol, *name;
	} foreign[] = {
		{ "pypy_execute_source", "PyPy, which is not CPython" },
		{ "rpython_startup_code", "PyPy, which is not CPython" },
		{ "Py_InitializeEx", "a CPython older than 3.7" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++)
		if (elf_has_symbol(elf, foreign[i].symbol))
			return foreign[i].name;
	return NULL;
}

static void set_range(struct candidate *c)
{
	size_t count;
	const struct elf_segment *segs = elf_segments(c->elf, &count);

	c->low = UINT64_MAX;
	for (size_t i = 0; i < count; i++) {
		c->low = MIN(c->low, c->bias + segs[i].vaddr);
		c->high = MAX(c->high, c->bias + segs[i].vaddr + segs[i].memsz);
	}
}

/* Opens a candidate and keeps it open if it has _PyRuntime. */
static int look_into(struct search *s, struct candidate *c)
{
	_cleanup_elf_ struct elf *elf = NULL;
	struct elf_symbol sym;
	int r = elf_open_mapping(s->proc, c->map, &elf);

	if (r == -ENOMEM)
		return r;
	if (r == -EPERM)
		s->refused = true;
	if (r < 0)
		return 0;

	if (!elf_has_symbol(elf, "_PyRuntime") || !elf_find_symbol(elf, "_PyRuntime", &sym)) {
		if (!s->foreign)
			s->foreign = foreign_name(elf);
		return 0;
	}
	c->bias = elf_bias(elf, s->maps, c->map);
	c->runtime = c->bias + sym.value;
	c->runtime_size = MIN(sym.size ? sym.size : 4096, RUNTIME_SIZE_MAX);
	c->elf = TAKE_PTR(elf);
	set_range(c);
	return 0;
}

static int look_into_all(struct search *s, bool likely)
{
	for (size_t i = 0; i < s->count; i++) {
		int r = s->list[i].likely == likely ? look_into(s, &s->list[i]) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- which one is in use?
 * ------------------------------------------------------------------------ */

/* Does @addr point to memory that no file brought along? The .bss of a file is anonymous memory
 * too. */
static bool is_allocated(const struct search *s, uint64_t addr)
{
	const struct mapping *map = maps_find(s->maps, addr);

	if (!map || !map->write || (map->kind != MAPPING_ANON && map->kind != MAPPING_HEAP))
		return false;
	for (size_t i = 0; i < s->count; i++)
		if (s->list[i].elf && addr >= s->list[i].low && addr < s->list[i].high)
			return false;
	return true;
}

static int count_pointers(struct search *s, struct candidate *c)
{
	_cleanup_free_ unsigned char *data = malloc(c->runtime_size);
	ssize_t n;

	if (!data)
		return -ENOMEM;
	n = memory_read_some(s->mem, c->runtime, data, c->runtime_size);
	if (n < 0)
		return (int)n;
	c->pointers = 0;
	for (ssize_t at = 0; at + 8 <= n; at += 8)
		c->pointers += is_allocated(s, load_u64(data + at));
	return 0;
}

static int choose(struct search *s, struct candidate **ret)
{
	*ret = NULL;
	for (size_t i = 0; i < s->count; i++) {
		struct candidate *c = &s->list[i];
		int r = c->elf ? count_pointers(s, c) : 0;

		if (r < 0)
			return r;
		if (c->elf && (!*ret || c->pointers > (*ret)->pointers))
			*ret = c;
	}
	return 0;
}

/* *ret is NULL where there is none. */
static int find_runtime(struct search *s, struct candidate **ret)
{
	int r = look_into_all(s, true);

	if (r == 0)
		r = choose(s, ret);
	if (r < 0 || (*ret && (*ret)->pointers))
		return r;

	/* Renamed, embedded or not started: whatever else is mapped. */
	r = look_into_all(s, false);
	return r < 0 ? r : choose(s, ret);
}

/* ---- the answer ---------------------------------------------------------------------------------
 */

void python_free(struct python *py)
{
	if (!py)
		return;
	for (size_t i = 0; i < py->symbols_count; i++)
		free(py->symbols[i].name);
	free(py->symbols);
	free(py->path);
	elf_free(py->image);
	maps_free(py->maps);
	free(py);
}

static void search_fini(struct search *s)
{
	for (size_t i = 0; i < s->count; i++)
		elf_free(s->list[i].elf);
	free(s->list);
	maps_free(s->maps);
}

static int fail(const struct search *s, int r, struct error *err)
{
	const struct process *proc = s->proc;

	if (r != -ENOMEM && !process_is_alive(proc))
		r = -ESRCH;
	if (r == -ESRCH)
		return error_set(err, ESRCH, EXIT_NO_PROCESS,
				 "pid %d (%s) ended while it was looked at", proc->pid, proc->comm);
	if (r == -EPERM || r == -EACCES)
		return process_no_permission(proc, "read the memory of", err);
	return error_set(err, -r, EXIT_INTERNAL, "cannot look into pid %d (%s): %s", proc->pid,
			 proc->comm, strerrordesc_np(-r));
}

static int not_python(const struct search *s, struct error *err)
{
	const struct process *proc = s->proc;

	if (s->refused || !process_is_alive(proc))
		return fail(s, -EPERM, err);
	if (s->foreign)
		return error_set(err, ENOTSUP, EXIT_UNSUPPORTED,
				 "pid %d (%s) runs %s: not supported", proc->pid, proc->comm,
				 s->foreign);
	return error_set(err, ENOEXEC, EXIT_UNSUPPORTED,
			 "pid %d (%s) is not a Python: no mapped file exports _PyRuntime",
			 proc->pid, proc->comm);
}

static int no_version(const struct search *s, const struct python *py, int r, struct error *err)
{
	const struct process *proc = s->proc;

	if ((r != -ENODATA && r != -EBADMSG) || !process_is_alive(proc))
		return fail(s, r, err);
	if (r == -EBADMSG)
		return error_set(err, ENOTSUP, EXIT_UNSUPPORTED,
				 "pid %d (%s): what %s says of its Python version contradicts "
				 "itself: not supported",
				 proc->pid, proc->comm, py->path);
	if (!py->initialized)
		return error_set(err, ENOEXEC, EXIT_UNSUPPORTED,
				 "pid %d (%s) has %s mapped, but no Python has started in it: try "
				 "again later",
				 proc->pid, proc->comm, py->path);
	return error_set(err, ENOTSUP, EXIT_UNSUPPORTED,
			 "pid %d (%s): the Python version of %s cannot be told: not supported",
			 proc->pid, proc->comm, py->path);
}

static const struct mapping *first_mapping(const struct search *s, const struct candidate *c)
{
	size_t count;
	const struct elf_segment *segs = elf_segments(c->elf, &count);
	const struct mapping *head = maps_find(s->maps, c->bias + segs[0].vaddr);

	return head && same_file(head, c->map) ? head : c->map;
}

/* Hands the chosen candidate over to @py; @s keeps the others. */
static int fill(struct search *s, struct candidate *c, struct python *py)
{
	size_t len = strlen(c->map->path), cap = 3 * len + 1;

	py->path = malloc(cap);
	if (!py->path)
		return -ENOMEM;
	utf8_sanitize(py->path, cap, c->map->path, len);
	for (size_t i = 0; i < s->count; i++)
		py->runtimes_count += s->list[i].elf != NULL;
	py->initialized = c->pointers > 0;
	py->map = first_mapping(s, c);
	py->bias = c->bias;
	py->runtime = c->runtime;
	py->stripped = elf_is_stripped(c->elf);
	py->is_static = elf_is_program(c->elf);
	py->image = TAKE_PTR(c->elf);
	return python_version_read(py, s->mem);
}

/* Failure costs the target some pages of its files that become resident, and us nothing. */
static void spare_files(const struct search *s)
{
	cleanup(memory_files_freep) struct memory_files *files = NULL;

	if (!memory_files_new(s->proc, s->maps, &files))
		memory_live_spare(s->mem, files);
}

int python_find(const struct process *proc, struct memory *mem, struct python **ret,
		struct error *err)
{
	cleanup(search_fini) struct search s = { .proc = proc, .mem = mem };
	_cleanup_python_ struct python *py = calloc(1, sizeof(*py));
	struct candidate *chosen = NULL;
	int r = py ? maps_read(proc, &s.maps) : -ENOMEM;

	if (r == 0)
		spare_files(&s);
	if (r == 0)
		r = collect(&s);
	if (r == 0)
		r = find_runtime(&s, &chosen);
	if (r < 0)
		return fail(&s, r, err);
	if (!chosen)
		return not_python(&s, err);

	r = fill(&s, chosen, py);
	if (r < 0)
		return no_version(&s, py, r, err);
	py->maps = TAKE_PTR(s.maps);
	*ret = TAKE_PTR(py);
	return 0;
}

uint64_t python_symbol(const struct python *py, const char *name)
{
	struct elf_symbol sym;

	if (py->image)
		return elf_find_symbol(py->image, name, &sym) ? py->bias + sym.value : 0;
	for (size_t i = 0; i < py->symbols_count; i++)
		if (streq(py->symbols[i].name, name))
			return py->symbols[i].addr;
	return 0;
}

const char *python_evidence_name(enum python_evidence evidence)
{
	static const char *const names[] = {
		[PYTHON_EVIDENCE_NONE] = "none",
		[PYTHON_EVIDENCE_DEBUG_OFFSETS] = "_Py_DebugOffsets",
		[PYTHON_EVIDENCE_PY_VERSION] = "Py_Version",
		[PYTHON_EVIDENCE_VERSION_STRING] = "version string",
	};

	return (unsigned int)evidence < ARRAY_SIZE(names) ? names[evidence] : "?";
}
