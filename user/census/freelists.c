/* SPDX-License-Identifier: BSD-2-Clause */
#include "census/freelists.h"

#include "base/cleanup.h"
#include "base/util.h"
#include "census/interpreters.h"

#include <errno.h>

/* Above every list's own limit, below what could hurt. */
#define FREELIST_LENGTH_MAX 4096u
#define THREADS_MAX 65536u

static int freelists_add(struct freelists *lists, uint64_t addr)
{
	uint64_t *list;

	if (!addr)
		return 0;
	if (!(lists->count & (lists->count - 1))) {
		list = reallocarray(lists->addresses, lists->count ? 2 * lists->count : 1,
				    sizeof(*list));
		if (!list)
			return -ENOMEM;
		lists->addresses = list;
	}
	lists->addresses[lists->count++] = addr;
	return 0;
}

static int freelists_fatal(int r)
{
	return r == -ESRCH || r == -EPERM || r == -ENOMEM ? r : 0;
}

static int freelists_walk_array(struct memory *mem, uint64_t items, uint64_t count_at, uint32_t max,
				struct freelists *lists)
{
	uint64_t objects[FREELIST_LENGTH_MAX];
	uint32_t count;
	int r;

	r = memory_read_u32(mem, count_at, &count);
	if (r < 0 || count > max || count > FREELIST_LENGTH_MAX)
		return freelists_fatal(r);
	r = memory_read(mem, items, objects, count * sizeof(objects[0]));
	for (uint32_t i = 0; !r && i < count; i++)
		r = freelists_add(lists, objects[i]);
	return freelists_fatal(r);
}

static int freelists_walk_links(struct memory *mem, uint64_t head, uint32_t link, uint32_t max,
				struct freelists *lists)
{
	uint64_t object;
	int r;

	r = memory_read_u64(mem, head, &object);
	for (uint32_t i = 0; !r && object && i < MIN(max, FREELIST_LENGTH_MAX); i++) {
		r = freelists_add(lists, object);
		if (!r)
			r = memory_read_u64(mem, object + link, &object);
	}
	return freelists_fatal(r);
}

static int freelists_walk_row(const struct layout_freelist_row *row, const struct layout *layout,
			      uint64_t base, struct memory *mem, struct freelists *lists)
{
	for (uint32_t i = 0; i < MAX(row->repeat, 1u); i++) {
		uint64_t at = base + row->offset + (uint64_t)i * row->stride;
		int r = 0;

		if (row->kind == LAYOUT_FREELIST_ARRAY && row->count_offset != LAYOUT_NONE)
			r = freelists_walk_array(
				mem, at, base + row->count_offset + (uint64_t)i * row->count_stride,
				row->max, lists);
		else if (row->kind == LAYOUT_FREELIST_LINKED &&
			 (row->link == layout->ob_type || row->link == 0))
			r = freelists_walk_links(mem, at, row->link, row->max, lists);
		else if (row->kind == LAYOUT_FREELIST_SINGLE)
			r = freelists_walk_links(mem, at, 0, 1, lists);
		if (r < 0)
			return r;
	}
	return 0;
}

static int freelists_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int freelists_walk_rows(const struct layout *layout, uint64_t base, struct memory *mem,
			       struct freelists *lists)
{
	int r = 0;

	for (uint32_t row = 0; !r && row < layout->freelists_count; row++)
		r = freelists_walk_row(&layout->freelists[row], layout,
				       base + layout->freelists_offset, mem, lists);
	return r;
}

static int freelists_walk_threads(const struct layout *layout, uint64_t interp, struct memory *mem,
				  struct freelists *lists)
{
	uint64_t thread = 0;
	int r = memory_read_u64(mem, interp + layout->interp_threads_head, &thread);

	for (uint32_t i = 0; !r && thread && i < THREADS_MAX; i++) {
		r = freelists_walk_rows(layout, thread, mem, lists);
		if (!r)
			r = memory_read_u64(mem, thread + layout->tstate_next, &thread);
	}
	return freelists_fatal(r);
}

int freelists_collect(const struct python *py, const struct layout *layout, struct memory *mem,
		      struct freelists *ret)
{
	uint64_t interps[INTERPRETERS_MAX];
	struct freelists lists = {};
	int count, r = 0;

	count = interpreters_list(py, layout, mem, interps);
	if (count == -ESRCH || count == -EPERM)
		return count;
	for (int i = 0; !r && i < count; i++) {
		/* Static variables without a name of their own (3.8, 3.9) are nowhere. */
		if (layout->freelists_base == LAYOUT_FREELISTS_INTERP)
			r = freelists_walk_rows(layout, interps[i], mem, &lists);
		else if (layout->freelists_base == LAYOUT_FREELISTS_THREAD)
			r = freelists_walk_threads(layout, interps[i], mem, &lists);
	}
	if (r < 0) {
		freelists_fini(&lists);
		return r;
	}
	if (lists.count)
		qsort(lists.addresses, lists.count, sizeof(uint64_t), freelists_compare);
	*ret = lists;
	return 0;
}

void freelists_fini(struct freelists *lists)
{
	free(lists->addresses);
	*lists = (struct freelists){};
}

bool freelists_has(const struct freelists *lists, uint64_t addr)
{
	return lists->count &&
	       bsearch(&addr, lists->addresses, lists->count, sizeof(addr), freelists_compare);
}

bool freelists_have_any(const struct freelists *lists, uint64_t lo, uint64_t hi)
{
	size_t first = 0, end = lists->count;

	while (first < end) {
		size_t mid = (first + end) / 2;

		if (lists->addresses[mid] < lo)
			first = mid + 1;
		else
			end = mid;
	}
	return first < lists->count && lists->addresses[first] < hi;
}
