/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/kept.h"

#include "base/clock.h"
#include "base/util.h"
#include "target/smaps.h"

#include <inttypes.h>

/* What takes less is read again: whoever watches hundreds of small heaps keeps none of them. */
#define KEEP_LEAST_NS (10 * NSEC_PER_MSEC)
#define STATM_MAX 256

/* proc_pid_statm(5): size, resident, in pages. */
static bool read_resident(const struct process *proc, uint64_t *ret)
{
	_cleanup_free_ char *text = NULL;
	size_t len;

	return !process_read_file(proc, "statm", STATM_MAX, &text, &len) &&
	       sscanf(text, "%*u %" SCNu64, ret) == 1;
}

struct kept_mark kept_mark(const struct process *proc)
{
	struct kept_mark mark = { .at_ns = clock_monotonic() };

	mark.known = read_resident(proc, &mark.resident_pages) &&
		     !running_read(proc, &mark.running);
	return mark;
}

static bool is_same(const struct kept_mark *a, const struct kept_mark *b)
{
	return a->known && b->known && a->resident_pages == b->resident_pages &&
	       running_is_same(&a->running, &b->running);
}

/* Pages that it shares with forks become its own when those write to them or end. */
static bool refresh_sharing(struct heap *heap, const struct process *proc)
{
	struct resident *r = &heap->resident;
	cleanup(smaps_freep) struct smaps *smaps = NULL;

	if (!heap->has_resident || r->private_bytes + r->file_bytes >= r->rss_bytes)
		return true;
	if (smaps_read(proc, &smaps) < 0 || smaps->rss_bytes != r->rss_bytes)
		return false;
	r->private_bytes = r->swap_bytes = 0;
	for (size_t i = 0; i < smaps->count; i++) {
		r->private_bytes += smaps->list[i].private_bytes;
		r->swap_bytes += smaps->list[i].swap_bytes;
	}
	return true;
}

const struct heap *kept_find(struct kept *kept, const struct process *proc,
			     const struct kept_mark *now)
{
	if (kept->heap && is_same(&kept->mark, now) && refresh_sharing(kept->heap, proc))
		return kept->heap;
	kept_drop(kept);
	return NULL;
}

const struct heap *kept_put(struct kept *kept, const struct kept_mark *mark, struct heap *heap)
{
	kept_drop(kept);
	kept->heap = heap;
	kept->mark = *mark;
	return heap;
}

bool kept_lasts(const struct kept *kept)
{
	return kept->heap && kept->mark.known && !kept->heap->interrupted &&
	       kept->heap->duration_ns >= KEEP_LEAST_NS &&
	       kept->heap->types_count <= KEPT_TYPES_MAX;
}

void kept_trim(struct kept *kept)
{
	if (!kept_lasts(kept))
		kept_drop(kept);
}

void kept_drop(struct kept *kept)
{
	heap_freep(&kept->heap);
}
