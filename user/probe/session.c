/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/session.h"

#include "base/clock.h"
#include "base/util.h"
#include "probe/kernel.h"
#include "probe/links.h"
#include "probe/programs.h"

#include "events.skel.h"

#include <errno.h>

#define FRESH_SITE (SITES_MAX - 2)
#define HOT_PART 100

/* A place that another tool holds with a reference counter of its own (as USDT probes have) is
 * refused to us: kernel/events/uprobes.c, alloc_uprobe(), -EINVAL. */
enum refusal { SITE_GRANTED, SITE_MOVED, SITE_LEFT_OUT };

struct session {
	const struct plan *plan;
	struct session_options options;
	struct events *bpf;
	struct ring ring;
	struct links hot, window, growth; /* hot: of a window, what is hit most */
	bool attached;
	uint8_t refusals[SITES_MAX];
	uint64_t attach_ns, detach_ns, windows;
};

ssize_t session_consume(struct session *session, session_event_fn fn, void *arg, size_t max)
{
	return records_consume(&session->ring, session->plan->is_glibc, session->options.pools, fn,
			       arg, max);
}

size_t session_backlog(const struct session *session)
{
	return ring_backlog(&session->ring);
}

static int load_once(struct session *session)
{
	const struct session_options *options = &session->options;
	int r = programs_open(options->link, options->ring_records, &session->bpf);

	if (r)
		return r;
	session->bpf->rodata->pool_mask = ~((uint64_t)session->plan->pool_size - 1);
	/* mimalloc does not come from the raw domain. */
	if (session->plan->allocator.raw_debug &&
	    session->plan->allocator.kind != ALLOCATOR_MIMALLOC)
		session->bpf->rodata->raw_hook = EVENTS_HOOK_BYTES;
	session->bpf->rodata->split_refcount = session->plan->split_refcount;
	session->bpf->rodata->hooked = session->plan->allocator.debug;
	session->bpf->rodata->self_check = options->self_check;
	session->bpf->rodata->refcount_mask_high = session->plan->refcount_mask_high;
	if (options->link == SESSION_LINK_PERF)
		session->bpf->rodata->target_tgid = (uint32_t)options->pid;
	r = programs_load(session->bpf, &session->ring);
	if (r) {
		programs_free(session->bpf, &session->ring);
		session->bpf = NULL;
	}
	return r;
}

static int load(struct session *session)
{
	int r;

	if (session->options.link != SESSION_LINK_AUTO)
		return load_once(session);
	session->options.link = SESSION_LINK_MULTI;
	r = load_once(session);
	if (r != -EINVAL)
		return r;
	session->options.link =
		SESSION_LINK_PERF; /* the kernel does not know the attach type: before 6.6 */
	return load_once(session);
}

static int load_error(struct error *err, int r)
{
	if (r == -EPERM || r == -EACCES)
		return error_set(
			err, -r, EXIT_NO_PERMISSION,
			"cannot load BPF programs: run as root, or with CAP_BPF and CAP_PERFMON");
	return error_set(err, -r, EXIT_UNSUPPORTED,
			 "cannot load BPF programs: %s (see pymemtop doctor)", strerror(-r));
}

/* Threads without a GIL place records at the same time. */
static int check_writers(const struct plan *plan, struct error *err)
{
	if (plan->allocator.kind != ALLOCATOR_MIMALLOC || kernel_has(KERNEL_FETCH))
		return 0;
	return error_set(err, ENOTSUP, EXIT_UNSUPPORTED,
			 "cannot trace a free-threaded Python on this kernel: Linux 5.12 or later "
			 "is needed (use --events off)");
}

int session_new(const struct plan *plan, const struct session_options *options,
		struct session **ret, struct error *err)
{
	_cleanup_session_ struct session *session = calloc(1, sizeof(*session));
	int r;

	if (!session)
		return -ENOMEM;
	r = check_writers(plan, err);
	if (r)
		return r;
	session->plan = plan;
	session->options = *options;
	if (!session->options.ring_records)
		session->options.ring_records = SESSION_RING_EXACT;
	r = load(session);
	if (r)
		return load_error(err, r);
	*ret = TAKE_PTR(session);
	return 0;
}

void session_free(struct session *session)
{
	if (!session)
		return;
	session_detach(session);
	links_clear(&session->growth);
	programs_free(session->bpf, &session->ring);
	free(session);
}

/* Places in one file for one program. */
struct batch {
	uint64_t offsets[SITES_MAX], cookies[SITES_MAX];
	uint64_t addresses[SITES_MAX]; /* in the target */
	size_t count;
};

static void batch_add(struct batch *batch, uint64_t offset, uint64_t address,
		      struct site_cookie cookie)
{
	if (batch->count >= SITES_MAX)
		return;
	batch->offsets[batch->count] = offset;
	batch->addresses[batch->count] = address;
	batch->cookies[batch->count++] = ((union site_word){ .c = cookie }).word;
}

static int batch_attach(struct session *session, struct links *links,
			const struct bpf_program *prog, const struct links_target *where,
			const struct batch *batch)
{
	struct links_target target = *where;
	int r = 0;

	for (size_t i = 0; !r && i < batch->count; i++)
		r = programs_place(session->bpf, prog, where->is_return, batch->addresses[i],
				   batch->cookies[i]);
	if (r)
		return r;
	target.pid = session->options.pid;
	if (session->options.link == SESSION_LINK_PERF)
		return links_add_perf(links, prog, &target, batch->offsets, batch->cookies,
				      batch->count);
	return links_add_multi(links, prog, &target, batch->offsets, batch->cookies, batch->count);
}

static struct site_cookie site_cookie(const struct site *site, size_t index)
{
	return (struct site_cookie){ .site = (uint16_t)index,
				     .role = (uint8_t)site->role,
				     .reg = site->reg,
				     .size_reg = site->size_reg,
				     .flags = site->flags,
				     .disp = site->disp };
}

static bool is_used(const struct session *session, size_t index)
{
	const struct site *site = &session->plan->sites.list[index];

	return !site->rejected && (site->role != SITE_REALLOC || session->plan->realloc.vaddr) &&
	       session->refusals[index] != SITE_LEFT_OUT;
}

static void batch_add_site(struct batch *batch, const struct session *session, size_t index)
{
	const struct site *site = &session->plan->sites.list[index];
	uint64_t back = 0;

	if (!is_used(session, index))
		return;
	if (session->refusals[index] == SITE_MOVED)
		back = site->vaddr - site->spare;
	batch_add(batch, site->offset - back, site->vaddr + session->plan->bias - back,
		  site_cookie(site, index));
}

/* Was a hundredth of the hits so far here? */
static bool is_hot(const struct session *session, size_t index, uint64_t all)
{
	return session_site_hits(session, index) > all / HOT_PART;
}

static uint64_t all_hits(const struct session *session)
{
	uint64_t all = 0;

	for (size_t i = 0; i < SITES_MAX; i++)
		all += session_site_hits(session, i);
	return all;
}

/*
 * Hits while a window opens or closes are paid for and count for nothing. So the few sites that
 * most hits are at have a link of their own, which is the last to come and the first to go.
 */
static int attach_sites(struct session *session)
{
	_cleanup_free_ struct batch *cold = calloc(1, sizeof(*cold));
	_cleanup_free_ struct batch *hot = calloc(1, sizeof(*hot));
	struct links_target target = { .path = session->plan->image_path };
	const struct plan *plan = session->plan;
	uint64_t all = all_hits(session);
	int r;

	if (!cold || !hot)
		return -ENOMEM;
	for (size_t i = 0; i < plan->sites.count; i++)
		batch_add_site(is_hot(session, i, all) ? hot : cold, session, i);
	r = batch_attach(session, &session->window, session->bpf->progs.on_site, &target, cold);
	return r ? r
		 : batch_attach(session, &session->hot, session->bpf->progs.on_site, &target, hot);
}

/*
 * Who changes breakpoints after some time without such a change waits for a grace period first,
 * 10 ms here (kernel/events/uprobes.c, register_for_each_vma(): percpu_down_write(&dup_mmap_sem)).
 * Hits would go on so long, so a link that does nothing, at a site that has its breakpoint already,
 * takes the wait upon itself while the window is still of use.
 */
static void make_way(struct session *session, struct links *links)
{
	const struct plan *plan = session->plan;
	uint64_t all = all_hits(session);
	size_t cold = 0;
	struct batch batch = { 0 };

	while (cold < plan->sites.count && (!is_used(session, cold) || is_hot(session, cold, all)))
		cold++;
	if (cold == plan->sites.count || session->options.link == SESSION_LINK_PERF)
		return;
	batch_add_site(&batch, session, cold);
	(void)batch_attach(session, links, session->bpf->progs.on_empty,
			   &(struct links_target){ .path = plan->image_path }, &batch);
}

static void detach_all(struct session *session)
{
	links_clear(&session->hot);
	links_clear(&session->window);
}

/* Where the block has just been loaded from the free list: any instruction, so it is
 * single-stepped. */
static int attach_checks(struct session *session)
{
	const struct plan *plan = session->plan;
	_cleanup_free_ struct batch *batch = calloc(1, sizeof(*batch));

	if (!batch)
		return -ENOMEM;
	for (size_t i = 0; i < plan->sites.count; i++) {
		const struct site *site = &plan->sites.list[i];
		struct site_cookie cookie = { .site = SITES_MAX - 1,
					      .role = SITE_CHECK,
					      .reg = site->check_reg };

		if (site->rejected || !site->check_vaddr || session->refusals[i])
			continue;
		if (site->role == SITE_BLOCK)
			cookie.flags = SITE_FIRST;
		batch_add(batch, site->offset + (site->check_vaddr - site->vaddr),
			  site->check_vaddr + plan->bias, cookie);
	}
	return batch_attach(session, &session->window, session->bpf->progs.on_site,
			    &(struct links_target){ .path = plan->image_path }, batch);
}

static int attach_fresh(struct session *session, struct links *links)
{
	const struct sites *fresh = &session->plan->fresh;
	_cleanup_free_ struct batch *batch = calloc(1, sizeof(*batch));

	if (!batch)
		return -ENOMEM;
	if (!fresh->count) /* mimalloc has no pools */
		return 0;
	for (size_t i = 0; i < fresh->count; i++)
		batch_add(batch, fresh->list[i].offset, fresh->list[i].vaddr + session->plan->bias,
			  site_cookie(&fresh->list[i], FRESH_SITE));
	return batch_attach(session, links, session->bpf->progs.on_fresh,
			    &(struct links_target){ .path = session->plan->image_path,
						    .is_return = fresh->list[0].role ==
								 SITE_FRESH },
			    batch);
}

static int attach_realloc(struct session *session, bool is_return)
{
	const struct plan *plan = session->plan;
	struct site_cookie cookie = { .site = SITES_MAX - 3,
				      .role = SITE_LIBC_REALLOC,
				      .reg = SITE_NO_REG };
	_cleanup_free_ struct batch *batch = calloc(1, sizeof(*batch));

	if (!batch)
		return -ENOMEM;
	if (!plan->realloc.vaddr)
		return 0;
	if (is_return)
		cookie.role = SITE_LIBC_REALLOC_END;
	batch_add(batch, plan->realloc.offset, plan->realloc.vaddr + plan->libc_bias, cookie);
	return batch_attach(
		session, &session->window,
		is_return ? session->bpf->progs.on_return : session->bpf->progs.on_site,
		&(struct links_target){ .path = plan->libc_path, .is_return = is_return }, batch);
}

static int try_sites(struct session *session, size_t first, size_t count)
{
	_cleanup_free_ struct batch *batch = calloc(1, sizeof(*batch));
	struct links links = { 0 };
	int r;

	if (!batch)
		return -ENOMEM;
	for (size_t i = first; i < first + count; i++)
		batch_add_site(batch, session, i);
	r = batch_attach(session, &links, session->bpf->progs.on_empty,
			 &(struct links_target){ .path = session->plan->image_path }, batch);
	links_clear(&links);
	return r;
}

/* Takes the next candidate for what the kernel refuses, or does without. 0 or negative errno. */
static int find_refused(struct session *session, size_t first, size_t count)
{
	int r = try_sites(session, first, count);

	if (r != -EINVAL)
		return r;
	if (count > 1) {
		r = find_refused(session, first, count / 2);
		return r ? r : find_refused(session, first + count / 2, count - count / 2);
	}
	if (session->refusals[first] == SITE_GRANTED && session->plan->sites.list[first].spare) {
		session->refusals[first] = SITE_MOVED;
		return find_refused(session, first, 1);
	}
	session->refusals[first] = SITE_LEFT_OUT;
	return 0;
}

static int attach_all(struct session *session)
{
	int r = 0;

	if (!session->growth.multi_count && !session->growth.perf_count)
		r = attach_fresh(session, &session->window);
	if (!r)
		r = attach_realloc(session, true);
	if (!r)
		r = attach_realloc(session, false);
	if (!r && session->options.self_check)
		r = attach_checks(session);
	if (!r)
		r = attach_sites(session);
	if (r == -EINVAL && !find_refused(session, 0, session->plan->sites.count))
		r = attach_sites(session);
	return r;
}

int session_attach(struct session *session, struct error *err)
{
	uint64_t start = clock_monotonic();
	int r;

	if (session->attached)
		return -EALREADY;
	r = attach_all(session);
	if (r) {
		detach_all(session);
		/* Its files go with a process: they are looked at in its own /proc directory. */
		if (r == -ENOENT && access(session->plan->image_path, F_OK))
			return error_set(err, ESRCH, EXIT_NO_PROCESS,
					 "the process ended before probes could be attached to %s",
					 session->plan->image_path);
		return error_set(err, -r, r == -EPERM ? EXIT_NO_PERMISSION : EXIT_INTERNAL,
				 "cannot attach probes to %s: %s", session->plan->image_path,
				 strerror(-r));
	}
	session->bpf->bss->pending.old = 0;
	session->bpf->bss->pending.inside = 0;
	__atomic_store_n(&session->bpf->bss->enabled, 1, __ATOMIC_SEQ_CST);
	session->attached = true;
	session->windows++;
	session->attach_ns = clock_monotonic() - start;
	return 0;
}

uint64_t session_detach(struct session *session)
{
	struct links way = { 0 };
	uint64_t start;

	if (!session->attached)
		return clock_monotonic();
	make_way(session, &way);
	start = clock_monotonic();
	__atomic_store_n(&session->bpf->bss->enabled, 0, __ATOMIC_SEQ_CST);
	detach_all(session);
	links_clear(&way);
	session->attached = false;
	session->detach_ns = clock_monotonic() - start;
	return start;
}

int session_sweep(struct session *session)
{
	const struct plan *plan = session->plan;
	_cleanup_free_ struct batch *batch = calloc(1, sizeof(*batch));
	struct batch libc = { .count = 1, .offsets = { plan->realloc.offset } };
	struct links links = { 0 };
	int r;

	if (!batch)
		return -ENOMEM;
	if (session->options.link == SESSION_LINK_PERF || !session->attached)
		return 0;
	for (size_t i = 0; i < plan->sites.count; i++)
		batch_add_site(batch, session, i);
	for (size_t i = 0; i < plan->fresh.count; i++)
		batch_add(batch, plan->fresh.list[i].offset, 0,
			  (struct site_cookie){ .role = SITE_EMPTY });
	r = batch_attach(session, &links, session->bpf->progs.on_empty,
			 &(struct links_target){ .path = plan->image_path }, batch);
	if (!r && plan->realloc.vaddr)
		r = batch_attach(session, &links, session->bpf->progs.on_empty,
				 &(struct links_target){ .path = plan->libc_path }, &libc);
	links_clear(&links);
	return r;
}

bool session_is_attached(const struct session *session)
{
	return session->attached;
}

int session_watch_growth(struct session *session, bool on)
{
	bool is_on = session->growth.multi_count || session->growth.perf_count;
	int r;

	if (on == is_on)
		return 0;
	session->bpf->bss->growth_enabled = on;
	if (!on) {
		links_clear(&session->growth);
		return 0;
	}
	if (session->attached)
		return -EBUSY; /* the window holds this probe already: it would fire twice */
	r = attach_fresh(session, &session->growth);
	if (r)
		links_clear(&session->growth);
	return r;
}

static bool is_loss(enum event_count which)
{
	return which == EVENTS_LOST_RING || which == EVENTS_LOST_POOL ||
	       which == EVENTS_LOST_STACK || which == EVENTS_LOST_SITE || which == EVENTS_LOST_PAIR;
}

void session_stats(const struct session *session, struct session_stats *ret)
{
	struct session_stats stats = { .attach_ns = session->attach_ns,
				       .detach_ns = session->detach_ns,
				       .windows = session->windows,
				       .link = session->options.link };

	stats.links = session->hot.multi_count + session->hot.perf_count +
		      session->window.multi_count + session->window.perf_count +
		      session->growth.multi_count + session->growth.perf_count;
	for (uint32_t i = 0; i < EVENTS_COUNT_MAX; i++) {
		stats.counts[i] = __atomic_load_n(&session->bpf->bss->counts[i], __ATOMIC_RELAXED);
		if (is_loss(i))
			stats.lost += stats.counts[i];
	}
	stats.hits = all_hits(session);
	stats.growth_hits = session_site_hits(session, FRESH_SITE);
	for (size_t i = 0; i < session->plan->sites.count; i++) {
		if (session->refusals[i] == SITE_MOVED)
			stats.moved_hits += session_site_hits(session, i);
		stats.left_out += session->refusals[i] == SITE_LEFT_OUT;
	}
	stats.counts[EVENTS_HITS] = stats.hits;
	stats.counts[EVENTS_RECORDS] =
		__atomic_load_n(&session->bpf->bss->produced, __ATOMIC_ACQUIRE);
	*ret = stats;
}

uint64_t session_site_hits(const struct session *session, size_t index)
{
	return index < SITES_MAX
		       ? __atomic_load_n(&session->bpf->bss->hits[index], __ATOMIC_RELAXED)
		       : 0;
}

const char *session_refusal(const struct session *session, size_t index)
{
	static const char *const texts[] = {
		[SITE_MOVED] = "another tool's probe with a counter of its own is here: the "
			       "instruction before is taken",
		[SITE_LEFT_OUT] = "another tool's probe with a counter of its own is here",
	};

	return index < SITES_MAX ? texts[session->refusals[index]] : NULL;
}

const char *session_count_name(enum event_count which)
{
	static const char *const names[] = {
		[EVENTS_RECORDS] = "records",
		[EVENTS_LOST_RING] = "ring full",
		[EVENTS_LOST_POOL] = "pool header unreadable",
		[EVENTS_LOST_STACK] = "stack word unreadable",
		[EVENTS_LOST_SITE] = "unknown site",
		[EVENTS_LOST_PAIR] = "reallocation without its other half",
		[EVENTS_SLOW] = "pool was empty",
		[EVENTS_FAILED] = "allocation failed",
		[EVENTS_PARTIAL_FREE] = "block at the end of a mapping",
		[EVENTS_CHECKED] = "addresses checked",
		[EVENTS_MISPREDICTED] = "addresses mispredicted",
		[EVENTS_HITS] = "probe hits",
	};

	return (size_t)which < ARRAY_SIZE(names) && names[which] ? names[which] : "unknown";
}
