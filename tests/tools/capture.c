/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * capture PID FILE: writes what a census needs of a running Python into an image (target/image.h).
 * Kept small: all that is writable and private but for stacks, and of what is read-only the names
 * of types alone.
 */
#include "attribute/heap.h"
#include "attribute/types.h"
#include "base/cleanup.h"
#include "base/util.h"
#include "census/arenas.h"
#include "layout/layout.h"
#include "target/image.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define RANGES_MAX 20000
#define WRITABLE_MAX (16 * MiB)
#define NAME_BYTES 64

static struct image_range ranges[RANGES_MAX];
static size_t count;

static void add(uint64_t addr, uint64_t len)
{
	if (count == RANGES_MAX) {
		fprintf(stderr, "capture: more than %d ranges\n", RANGES_MAX);
		exit(EXIT_INTERNAL);
	}
	ranges[count++] = (struct image_range){ addr, len };
}

static int compare(const void *a, const void *b)
{
	const struct image_range *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

/* Sorted, and none overlapping. */
static void merge(void)
{
	size_t n = 0;

	qsort(ranges, count, sizeof(*ranges), compare);
	for (size_t i = 1; i < count; i++) {
		uint64_t end = ranges[n].addr + ranges[n].len;

		if (ranges[i].addr <= end)
			ranges[n].len = MAX(end, ranges[i].addr + ranges[i].len) - ranges[n].addr;
		else
			ranges[++n] = ranges[i];
	}
	count = count ? n + 1 : 0;
}

static bool is_possible(const void *maps, uint64_t addr)
{
	return maps_find(maps, addr);
}

/* Each word of writable memory that points to a type. */
static int find_types(const struct mapping *map, struct memory *mem, struct types *types)
{
	_cleanup_free_ uint64_t *words = malloc(map->end - map->start);
	ssize_t n = words ? memory_read_some(mem, map->start, words, map->end - map->start)
			  : -ENOMEM;

	for (ssize_t i = 0; i < n / 8; i++)
		types_get(types, words[i]);
	return n < 0 ? (int)n : 0;
}

static void add_names(const struct maps *maps, const struct types *types)
{
	for (size_t i = 0; i < types_count(types); i++) {
		uint64_t name = types_at(types, i)->name;
		const struct mapping *map = maps_find(maps, name);

		if (map && !map->write)
			add(name, MIN((uint64_t)NAME_BYTES, map->end - name));
	}
}

static int collect(const struct layout *layout, const struct maps *maps, struct memory *mem)
{
	cleanup(types_freep) struct types *types = NULL;
	int r = types_new(layout, mem, is_possible, maps, &types);

	for (size_t i = 0; !r && i < maps->count; i++) {
		const struct mapping *map = &maps->list[i];

		if (!map->write || map->shared || map->kind == MAPPING_STACK ||
		    map->kind == MAPPING_SPECIAL || map->end - map->start > WRITABLE_MAX)
			continue;
		add(map->start, map->end - map->start);
		r = find_types(map, mem, types);
	}
	if (!r)
		add_names(maps, types);
	merge();
	return r;
}

static int capture(pid_t pid, const char *path, struct error *err)
{
	_cleanup_process_ struct process *proc = NULL;
	_cleanup_memory_ struct memory *mem = NULL;
	_cleanup_python_ struct python *py = NULL;
	const struct layout *layout;
	struct arenas_root root = {};
	int r;

	r = process_open(pid, &proc, err);
	if (!r)
		r = memory_live_new(pid, &mem);
	if (!r)
		r = python_find(proc, mem, &py, err);
	if (r < 0)
		return r;
	layout = layout_find(py, err);
	if (!layout)
		return -ENOTSUP;
	r = arenas_locate(py, layout, mem, &root, err);
	if (!r)
		r = collect(layout, py->maps, mem);
	if (r < 0)
		return r;
	/* Found without symbols, where the interpreter has none: the image has them. */
	struct python_symbol symbols[] = {
		{ (char[]){ "PyBaseObject_Type" }, python_symbol(py, "PyBaseObject_Type") },
		{ (char[]){ "PyDict_Type" }, python_symbol(py, "PyDict_Type") },
		{ (char[]){ "arenas" }, root.states[0].arenas },
		{ (char[]){ "maxarenas" }, root.states[0].maxarenas },
		{ (char[]){ "usedpools" }, root.states[0].usedpools },
	};
	struct image_writer writer = {
		.py = py,
		.mem = mem,
		.ranges = ranges,
		.ranges_count = count,
		.symbols = symbols,
		.symbols_count = layout->obmalloc == LAYOUT_OBMALLOC_STATIC ? 5 : 2,
	};

	return image_write(&writer, path, err);
}

int main(int argc, char **argv)
{
	struct error err = {};
	int r;

	if (argc != 3) {
		fprintf(stderr, "usage: capture PID FILE\n");
		return EXIT_USAGE;
	}
	r = capture(atoi(argv[1]), argv[2], &err);
	if (r < 0)
		fprintf(stderr, "capture: %s\n", err.text[0] ? err.text : strerror(-r));
	return r < 0;
}
