/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/observer.h"

#include "attribute/heap.h"
#include "base/clock.h"
#include "base/util.h"
#include "layout/layout.h"
#include "model/compose.h"
#include "model/kept.h"
#include "model/sharing.h"
#include "model/tracer.h"
#include "probe/allocator.h"
#include "probe/links_process.h"
#include "target/process.h"
#include "target/python.h"
#include "target/smaps.h"

#include <errno.h>
#include <fcntl.h>

#define THREADS_DEFAULT 2
/* How often a sleeping observer looks whether it should stop. */
#define NAP_NS (50 * NSEC_PER_MSEC)

struct observer {
	struct observer_options opts;
	struct process *proc;
	struct memory *mem;
	struct python *py;
	const struct layout *layout;
	struct arenas_root root;
	bool has_arenas;
	struct allocator allocator;
	int pagemap_fd;
	struct tracer *tracer; /* NULL: events are off */
	struct sharing *sharing;
	struct kept kept;
	uint64_t samples_type;
	bool samples_values;
};

/* Where the table cannot be found, the allocator stays unknown and is taken for one without hooks.
 */
static void observer_find_allocator(struct observer *obs)
{
	_cleanup_code_ struct code *code = NULL;

	if (!obs->py->image || code_new_bare(obs->py->image, &code) < 0)
		return;
	allocator_read(obs->py, obs->layout, obs->mem, code, &obs->allocator);
}

static bool observer_uses_malloc(const struct observer *obs)
{
	const struct allocator *a = &obs->allocator;

	return (a->kind == ALLOCATOR_MALLOC || a->kind == ALLOCATOR_HOOKED) && !a->pymalloc;
}

/* As the contract calls it; NULL: not known. */
static const char *observer_allocator_name(const struct observer *obs)
{
	if (obs->allocator.debug)
		return "debug";
	if (observer_uses_malloc(obs))
		return "malloc";
	if (obs->allocator.kind == ALLOCATOR_MIMALLOC)
		return "mimalloc";
	return obs->allocator.pymalloc ? "pymalloc" : NULL;
}

/* What of the target is resident; what it shares with processes that it forked is left shared. */
static struct smaps *observer_smaps(struct observer *obs)
{
	struct smaps *smaps = NULL;

	if (!smaps_read(obs->proc, &smaps) && smaps->forked_bytes)
		memory_live_keep_shared(obs->mem);
	return smaps;
}

static int observer_open_parts(struct observer *obs, pid_t pid, struct error *err)
{
	int r;

	r = sharing_new(&obs->sharing);
	if (!r)
		r = process_open(pid, &obs->proc, err);
	if (r < 0)
		return r;
	/* Early it is small. What fails is tried again, and then said. */
	if (obs->opts.events != OBSERVER_EVENTS_OFF)
		(void)links_process_start();
	r = memory_live_new(pid, &obs->mem);
	if (r < 0)
		return r;
	smaps_free(observer_smaps(obs));
	r = python_find(obs->proc, obs->mem, &obs->py, err);
	if (r < 0)
		return r;
	if (!obs->py->initialized)
		return error_set(err, EAGAIN, EXIT_UNSUPPORTED,
				 "pid %d: Python %s has not started up yet; try again in a moment",
				 pid, obs->py->version);
	obs->layout = layout_find(obs->py, err);
	if (!obs->layout)
		return -ENOTSUP;
	r = layout_check(obs->layout, obs->py, obs->mem, err);
	if (r < 0)
		return r;
	observer_find_allocator(obs);
	/* Where everything goes to malloc, nothing could prove that arenas are arenas. */
	if (observer_uses_malloc(obs))
		r = -ENOTSUP;
	else
		r = arenas_locate(obs->py, obs->layout, obs->mem, &obs->root, err);
	obs->has_arenas = !r;
	obs->pagemap_fd = process_open_file(obs->proc, "pagemap");
	return r == -ENOTSUP ? 0 : r;
}

/* Gone, or on its way out: a process that exits gives its memory up before it becomes a zombie. */
static bool observer_is_ending(const struct observer *obs)
{
	char byte;

	return !process_is_alive(obs->proc) ||
	       (obs->py && obs->py->map &&
		memory_read(obs->mem, obs->py->map->start, &byte, 1) == -ESRCH);
}

/* What the failure of a read means, when nobody said it better. */
static int observer_explain(const struct observer *obs, int r, struct error *err)
{
	if (process_has_execed(obs->proc))
		return error_set(err, ESRCH, EXIT_NO_PROCESS,
				 "pid %d runs another program now: it called exec; start again to "
				 "watch that",
				 obs->proc->pid);
	if (r == -ESRCH || observer_is_ending(obs))
		return error_set(err, ESRCH, EXIT_NO_PROCESS,
				 "pid %d ended before anything was read", obs->proc->pid);
	if (r == -EPERM || r == -EACCES)
		return error_set(
			err, EPERM, EXIT_NO_PERMISSION,
			"not allowed to read the memory of pid %d; run as root, or see 'pymemtop "
			"doctor %d'",
			obs->proc->pid, obs->proc->pid);
	return error_set(err, r < 0 ? -r : 0, EXIT_INTERNAL, "cannot read pid %d: %s",
			 obs->proc->pid, strerror(-r));
}

int observer_open(pid_t pid, const struct observer_options *opts, struct observer **ret,
		  struct error *err)
{
	struct observer *obs = calloc(1, sizeof(*obs));
	int r;

	if (!obs)
		return error_set(err, ENOMEM, EXIT_INTERNAL, "out of memory");
	obs->opts = *opts;
	obs->pagemap_fd = -1;
	r = observer_open_parts(obs, pid, err);
	if (r < 0) {
		/* What an ending process looks like is no fault of its build. */
		if (err && obs->proc && observer_is_ending(obs))
			*err = (struct error){ 0 };
		if (obs->proc && (!err || !error_is_set(err)))
			r = observer_explain(obs, r, err);
		observer_close(obs);
		return r;
	}
	*ret = obs;
	return 0;
}

void observer_close(struct observer *obs)
{
	kept_drop(&obs->kept);
	sharing_freep(&obs->sharing);
	tracer_freep(&obs->tracer);
	if (obs->pagemap_fd >= 0)
		close(obs->pagemap_fd);
	python_freep(&obs->py);
	memory_freep(&obs->mem);
	process_freep(&obs->proc);
	free(obs);
}

static int observer_heap(struct observer *obs, struct heap_request *request, struct maps **maps,
			 struct heap **ret)
{
	int r = maps_read(obs->proc, maps);

	if (r < 0)
		return r;
	request->py = obs->py;
	request->layout = obs->layout;
	request->root = obs->has_arenas ? &obs->root : NULL;
	request->maps = *maps;
	request->mem = obs->mem;
	request->pagemap_fd = obs->pagemap_fd;
	request->debug_hooks = obs->allocator.debug;
	return heap_take(request, ret);
}

static bool observer_is_exact(const struct observer *obs)
{
	return obs->tracer && obs->opts.events == OBSERVER_EVENTS_EXACT;
}

/* A census whose blocks go to the ledger as well. One thread: the other core is the tracer's. */
static int observer_exact_heap(struct observer *obs, struct heap_request *request,
			       struct maps **maps, struct heap **ret,
			       struct blocks_drift *ret_drift)
{
	struct timespec settle = { .tv_nsec = TRACER_SETTLE_NS };
	int r = tracer_census_begin(obs->tracer);

	if (r < 0)
		return r;
	nanosleep(&settle, NULL);
	request->threads = 1;
	request->block = tracer_census_block;
	request->block_ctx = obs->tracer;
	r = observer_heap(obs, request, maps, ret);
	if (r < 0 || (*ret)->interrupted) {
		tracer_census_abort(obs->tracer);
		return r;
	}
	return tracer_census_end(obs->tracer, ret_drift);
}

/* The census that events begin with is the first that later ones are compared with. */
static int observer_see_sharing(struct observer *obs, struct heap *heap)
{
	_cleanup_picture_ struct picture *pic = picture_new();
	int r = pic ? compose_heap(pic, heap, heap, obs->layout->alignment) : -ENOMEM;

	if (!r) {
		pic->taken_at_unix_ns = clock_realtime();
		r = sharing_see(obs->sharing, pic);
	}
	return r;
}

int observer_start_events(struct observer *obs, struct error *err)
{
	struct tracer_options options = {
		.proc = obs->proc,
		.py = obs->py,
		.layout = obs->layout,
		.mem = obs->mem,
		.exact = obs->opts.events == OBSERVER_EVENTS_EXACT,
		.max_overhead = obs->opts.max_overhead,
		.ring_bytes = obs->opts.ring_bytes,
	};
	_cleanup_maps_ struct maps *maps = NULL;
	struct heap_request request = {};
	struct blocks_drift drift;
	struct heap *heap = NULL;
	int r;

	if (obs->opts.events == OBSERVER_EVENTS_OFF)
		return 0;
	r = tracer_new(&options, &obs->tracer, err);
	if (!r)
		r = tracer_start(obs->tracer, err);
	if (!r && options.exact)
		r = observer_exact_heap(obs, &request, &maps, &heap, &drift);
	if (!r && options.exact)
		r = observer_see_sharing(obs, heap);
	heap_freep(&heap);
	if (!r && options.exact) {
		tracer_lock(obs->tracer);
		tracer_restart(obs->tracer);
		tracer_unlock(obs->tracer);
	}
	if (r >= 0)
		return r;
	tracer_freep(&obs->tracer);
	/* Probes cannot be placed in a process that is on its way out: that is what there is to
	 * say. */
	if (err && observer_is_ending(obs))
		*err = (struct error){ 0 };
	return !(err && error_is_set(err)) ? observer_explain(obs, r, err) : r;
}

void observer_rest(struct observer *obs)
{
	tracer_freep(&obs->tracer);
	if (obs->py->image)
		elf_trim(obs->py->image);
}

int observer_run(struct observer *obs, uint64_t duration_ns, const volatile bool *stop)
{
	uint64_t end = clock_monotonic() + duration_ns;

	for (;;) {
		uint64_t now = clock_monotonic();
		struct timespec nap = {};

		if (stop && *stop)
			return -EINTR;
		if (!process_is_alive(obs->proc))
			return -ESRCH;
		if (now >= end)
			return 0;
		nap.tv_nsec = (long)MIN(end - now, NAP_NS);
		nanosleep(&nap, NULL);
	}
}

/* What of the objects cannot be seen, as malloc is none that we can read. */
static int observer_note_malloc(const struct observer *obs, struct picture *pic,
				const struct heap *heap)
{
	if (heap->has_glibc || heap->has_mimalloc)
		return 0;
	return picture_add_partial(pic,
				   "objects %s are not seen: they come from %s, not glibc's malloc",
				   observer_uses_malloc(obs) ? "of all sizes" : "over 512 bytes",
				   heap->malloc_name ? heap->malloc_name : "another allocator");
}

/* Reasons to call the picture partial, where there are any. */
static int observer_note(struct observer *obs, struct picture *pic, const struct heap *heap)
{
	int r;

	/* Gone is gone even when every read went well: the last ones may have been of another
	 * process. */
	if (process_has_execed(obs->proc))
		return picture_add_partial(pic, "the process called exec during the census");
	if (!process_is_alive(obs->proc))
		return picture_add_partial(pic, "the process ended during the census");
	r = observer_note_malloc(obs, pic, heap);
	if (r < 0)
		return r;
	if (heap->incomplete)
		return picture_add_partial(
			pic, "memory that ended threads left behind was not looked at: where this "
			     "free-threaded version keeps it is not known");
	if (obs->tracer && obs->root.states_count > 1)
		return picture_add_partial(pic,
					   "events of %zu sub-interpreters that may run at the "
					   "same time: the order of "
					   "their records is not certain, nor are the rates",
					   obs->root.states_count - 1);
	return heap->interrupted ? picture_add_partial(pic, "the census was interrupted") : 0;
}

static int observer_read_heap(struct observer *obs, const volatile bool *stop,
			      struct blocks_drift *drift, struct heap **ret)
{
	struct heap_request request = {
		.threads = obs->opts.threads ? obs->opts.threads : THREADS_DEFAULT,
		.stop = stop,
		.samples_type = obs->samples_type,
		.samples_values = obs->samples_values,
		.by_shares = obs->opts.by_shares,
		.duplicates = obs->opts.duplicates,
		.values = obs->opts.values,
		.thorough = obs->opts.thorough,
	};
	cleanup(smaps_freep) struct smaps *smaps = observer_smaps(obs);
	_cleanup_maps_ struct maps *maps = NULL;

	request.smaps = smaps;
	if (obs->has_arenas) /* fails where the process is gone, which the census says itself */
		(void)arenas_refresh(obs->py, obs->layout, obs->mem, &obs->root);
	return observer_is_exact(obs) ? observer_exact_heap(obs, &request, &maps, ret, drift)
				      : observer_heap(obs, &request, &maps, ret);
}

/* Samples are read from the heap each time: others are wanted, not the same again. */
static bool observer_may_keep(const struct observer *obs)
{
	return !observer_is_exact(obs) && !obs->samples_type;
}

static int observer_compose(struct observer *obs, struct picture *pic, const struct heap *heap)
{
	int r = observer_note(obs, pic, heap);

	if (!r)
		r = compose_heap(pic, heap, kept_lasts(&obs->kept) ? NULL : obs->kept.heap,
				 obs->layout->alignment);
	if (!r && obs->samples_type)
		r = compose_samples(pic, obs->kept.heap, obs->samples_type);
	return r ? r : compose_memory(pic, heap);
}

static int observer_take_heap(struct observer *obs, struct picture *pic, const volatile bool *stop,
			      struct blocks_drift *drift)
{
	struct kept_mark mark = kept_mark(obs->proc);
	const struct heap *heap;
	int r = 0;

	mark.known &= observer_may_keep(obs);
	heap = kept_find(&obs->kept, obs->proc, &mark);
	pic->census.unchanged = heap;
	if (!heap) {
		struct heap *fresh = NULL;

		r = observer_read_heap(obs, stop, drift, &fresh);
		heap = kept_put(&obs->kept, &mark, fresh);
	}
	/* What takes seconds can take symbols anew the next time: their room is the rows'. */
	if (!r && heap->types_count > KEPT_TYPES_MAX && !obs->tracer && obs->py->image)
		elf_trim(obs->py->image);
	if (!r)
		r = observer_compose(obs, pic, heap);
	pic->census.cpu_ms = 0;
	if (!r && pic->census.unchanged) {
		pic->census.duration_ms = (double)(clock_monotonic() - mark.at_ns) / 1e6;
		pic->census.bytes_read = 0;
	} else if (!r) {
		pic->census.cpu_ms = (double)heap->books.helpers_cpu_ns / 1e6;
	}
	pic->census.age_ms = (double)(clock_monotonic() - obs->kept.mark.at_ns) / 1e6;
	kept_trim(&obs->kept);
	return r;
}

static int observer_take_events(struct observer *obs, struct picture *pic,
				const struct blocks_drift *drift)
{
	bool exact = observer_is_exact(obs);
	int r;

	pic->events.mode = "off";
	if (!obs->tracer)
		return 0;
	tracer_lock(obs->tracer);
	pic->events.mode = exact ? "exact" : "budget";
	pic->events.overhead_limit = exact ? NAN : obs->opts.max_overhead;
	r = compose_events(pic, obs->tracer, drift, obs->layout, obs->mem);
	if (exact)
		compose_ages(pic, obs->tracer);
	tracer_restart(obs->tracer);
	tracer_unlock(obs->tracer);
	return r;
}

int observer_take(struct observer *obs, const volatile bool *stop, struct picture **ret,
		  struct error *err)
{
	uint64_t cpu = clock_read(CLOCK_THREAD_CPUTIME_ID);
	struct picture *pic = picture_new();
	struct blocks_drift drift = {};
	int r;

	if (!pic)
		return error_set(err, ENOMEM, EXIT_INTERNAL, "out of memory");
	pic->taken_at_unix_ns = clock_realtime();
	r = process_has_execed(obs->proc) ? -ESRCH : 0;
	if (!r)
		r = compose_process(pic, obs->proc, obs->py, observer_allocator_name(obs),
				    obs->opts.full_cmdline);
	if (!r)
		r = observer_take_heap(obs, pic, stop, &drift);
	if (!r)
		r = observer_take_events(obs, pic, &drift);
	if (!r)
		r = sharing_see(obs->sharing, pic);
	if (!r)
		r = sharing_tell(obs->sharing, pic);
	if (r < 0) {
		picture_free(pic);
		return r == -EINTR ? r : observer_explain(obs, r, err);
	}
	pic->census.cpu_ms += (double)(clock_read(CLOCK_THREAD_CPUTIME_ID) - cpu) / 1e6;
	*ret = pic;
	return 0;
}

void observer_want_samples(struct observer *obs, uint64_t type, bool values)
{
	obs->samples_type = type;
	obs->samples_values = values;
}

bool observer_is_alive(const struct observer *obs)
{
	return process_is_alive(obs->proc);
}
