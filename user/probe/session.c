/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/session_private.h"

#include "base/clock.h"
#include "base/util.h"
#include "probe/kernel.h"
#include "probe/places.h"
#include "probe/programs.h"

#include <errno.h>

#define HOT_PART 100

void session_extend(struct session *session)
{
	__atomic_store_n(&session_lease(session)->until_ns, clock_monotonic() + LINKS_PATIENCE_NS,
			 __ATOMIC_SEQ_CST);
}

ssize_t session_consume(struct session *session, session_event_fn fn, void *arg, size_t max)
{
	session_extend(session);
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
	session->bpf->rodata->values_prefix = session->plan->values_prefix;
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
		return error_set(err, -r, EXIT_NO_PERMISSION, "cannot load BPF programs: %s",
				 kernel_rights_fix());
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
	if (!r)
		r = places_tell(session);
	if (!r)
		r = programs_links(session->bpf, session->options.link, &session->links);
	if (r)
		return load_error(err, r);
	session_allow(session, UINT64_MAX, 1, UINT64_MAX);
	*ret = TAKE_PTR(session);
	return 0;
}

void session_free(struct session *session)
{
	if (!session)
		return;
	links_freep(&session->links);
	programs_free(session->bpf, &session->ring);
	free(session);
}

/* Places in one file for one program. */
struct batch {
	uint64_t offsets[SITES_MAX], cookies[SITES_MAX];
	size_t count;
};

static void batch_add(struct batch *batch, uint64_t offset, struct site_cookie cookie)
{
	if (batch->count >= SITES_MAX)
		return;
	batch->offsets[batch->count] = offset;
	batch->cookies[batch->count++] = ((union site_word){ .c = cookie }).word;
}

/* In the image where @path is NULL. */
static struct links_batch batch_of(const struct session *session, const struct batch *batch,
				   enum links_program program, const char *path, bool is_return)
{
	return (struct links_batch){ .program = program,
				     .path = path ? path : session->plan->image_path,
				     .pid = session->options.pid,
				     .is_return = is_return,
				     .offsets = batch->offsets,
				     .cookies = batch->cookies,
				     .count = batch->count };
}

static void batch_add_site(struct batch *batch, const struct session *session, size_t index)
{
	const struct site *site = &session->plan->sites.list[index];
	uint64_t offset = site->offset;

	if (!session_is_used(session, index))
		return;
	if (session->refusals[index] == SITE_MOVED)
		offset -= site->vaddr - site->spare;
	batch_add(batch, offset, places_cookie(site, index));
}

/* Was a hundredth of the hits so far here? */
static bool is_hot(const struct session *session, size_t index, uint64_t all)
{
	return session->is_divided ? !session->cold[index]
				   : session_site_hits(session, index) > all / HOT_PART;
}

/*
 * Hits while a window opens or closes are paid for and count for nothing. So the few sites that
 * most hits are at have a link of their own, which is the last to come and the first to go; and one
 * that does nothing, at a site that is hit little, makes way for their going.
 */
static int queue_sites(struct session *session, bool has_kept)
{
	_cleanup_free_ struct batch *batch[3] = { calloc(3, sizeof(struct batch)) };
	struct batch *cold = &batch[0][0], *hot = &batch[0][1], *way = &batch[0][2];
	const struct plan *plan = session->plan;
	uint64_t all = session_hits(session);
	int r = 0;

	if (!batch[0])
		return -ENOMEM;
	for (size_t i = 0; i < plan->sites.count; i++) {
		bool hits = is_hot(session, i, all);

		batch_add_site(hits ? hot : cold, session, i);
		if (!hits && !way->count && session->options.link == SESSION_LINK_MULTI)
			batch_add_site(way, session, i);
	}
	const struct links_batch list[] = {
		batch_of(session, way, LINKS_ON_EMPTY, NULL, false),
		batch_of(session, cold, LINKS_ON_SITE, NULL, false),
		batch_of(session, hot, LINKS_ON_SITE, NULL, false),
	};
	static const enum links_group groups[] = { LINKS_WAY, LINKS_WINDOW, LINKS_HOT };

	for (size_t i = 0; !r && i < ARRAY_SIZE(list); i++)
		if (groups[i] != LINKS_WINDOW || !has_kept)
			r = links_queue(session->links, groups[i], &list[i]);
	return r;
}

/* Where the block has just been loaded from the free list: any instruction, so it is
 * single-stepped. */
static int queue_checks(struct session *session)
{
	const struct plan *plan = session->plan;
	_cleanup_free_ struct batch *batch = calloc(1, sizeof(*batch));
	struct links_batch links;

	if (!batch)
		return -ENOMEM;
	for (size_t i = 0; i < plan->sites.count; i++) {
		const struct site *site = &plan->sites.list[i];

		if (!site->rejected && site->check_vaddr && !session->refusals[i])
			batch_add(batch, site->offset + (site->check_vaddr - site->vaddr),
				  places_check_cookie(site));
	}
	links = batch_of(session, batch, LINKS_ON_SITE, NULL, false);
	return links_queue(session->links, LINKS_WINDOW, &links);
}

/* Empty with mimalloc, which has no pools. */
static struct links_batch fresh_batch(const struct session *session, struct batch *batch)
{
	const struct sites *fresh = &session->plan->fresh;

	for (size_t i = 0; i < fresh->count; i++)
		batch_add(batch, fresh->list[i].offset,
			  places_cookie(&fresh->list[i], SITE_INDEX_FRESH));
	return batch_of(session, batch, LINKS_ON_FRESH, NULL,
			fresh->count && fresh->list[0].role == SITE_FRESH);
}

static int queue_fresh(struct session *session)
{
	_cleanup_free_ struct batch *batch = calloc(1, sizeof(*batch));
	struct links_batch links;

	if (!batch)
		return -ENOMEM;
	links = fresh_batch(session, batch);
	return links_queue(session->links, LINKS_HOT, &links);
}

static int queue_realloc(struct session *session, bool is_return)
{
	const struct plan *plan = session->plan;
	_cleanup_free_ struct batch *batch = calloc(1, sizeof(*batch));
	struct links_batch links;

	if (!batch)
		return -ENOMEM;
	if (plan->realloc.vaddr)
		batch_add(batch, plan->realloc.offset, places_realloc_cookie(is_return));
	links = batch_of(session, batch, is_return ? LINKS_ON_RETURN : LINKS_ON_SITE,
			 plan->libc_path, is_return);
	return links_queue(session->links, LINKS_HOT, &links);
}

static int try_sites(struct session *session, size_t first, size_t count)
{
	_cleanup_free_ struct batch *batch = calloc(1, sizeof(*batch));
	struct links_batch links;
	int r;

	if (!batch)
		return -ENOMEM;
	for (size_t i = first; i < first + count; i++)
		batch_add_site(batch, session, i);
	links = batch_of(session, batch, LINKS_ON_EMPTY, NULL, false);
	r = links_add(session->links, LINKS_PASSING, &links);
	return r ? r : links_clear(session->links, LINKS_PASSING);
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

/* It goes too when we give no sign of life. */
static void look_for_growth(struct session *session)
{
	if (__atomic_load_n(&session_lease(session)->growth_ended, __ATOMIC_SEQ_CST) ||
	    !links_is_alive(session->links))
		session->has_growth = false;
}

static int look(struct session *session, size_t first, size_t count, uint64_t last_ns,
		uint64_t most)
{
	_cleanup_free_ struct batch *batch = calloc(1, sizeof(*batch));
	struct links_batch links;

	if (!batch)
		return -ENOMEM;
	for (size_t i = first; i < first + count; i++)
		batch_add_site(batch, session, i);
	links = batch_of(session, batch, LINKS_ON_SITE, NULL, false);
	session_extend(session);
	return links_sample(session->links, &links, last_ns, most);
}

int session_look(struct session *session, size_t first, size_t count, uint64_t last_ns,
		 uint64_t most)
{
	int r;

	if (session->attached)
		return -EBUSY;
	if (first >= session->plan->sites.count)
		return 0;
	count = MIN(count, session->plan->sites.count - first);
	r = look(session, first, count, last_ns, most);
	if (r == -EINVAL && !find_refused(session, first, count))
		r = look(session, first, count, last_ns, most);
	return r;
}

static int open_window(struct session *session)
{
	bool has_kept = session_has_kept(session);
	int r = 0;

	look_for_growth(session);
	if (!session->has_growth)
		r = queue_fresh(session);
	if (!r)
		r = queue_realloc(session, true);
	if (!r)
		r = queue_realloc(session, false);
	if (!r && session->options.self_check)
		r = queue_checks(session);
	if (!r)
		r = queue_sites(session, has_kept);
	session_extend(session);
	return r ? r
		 : links_open_window(session->links, LINKS_PATIENCE_NS, session->options.cores,
				     has_kept, NULL);
}

static int attach_all(struct session *session)
{
	int r = open_window(session);

	if (r == -ESTALE) {
		session->has_kept = false;
		r = open_window(session);
	}
	if (r == -EINVAL && !find_refused(session, 0, session->plan->sites.count))
		r = open_window(session);
	return r;
}

/* One that was killed in the midst of detaching has left breakpoints, which go with any other link
 * that comes to these places and leaves them. */
static int renew(struct session *session)
{
	links_freep(&session->links);
	session->has_growth = session->has_kept = false;
	session->is_renewed = true;
	return programs_links(session->bpf, session->options.link, &session->links);
}

static int attach_or_renew(struct session *session)
{
	int r = attach_all(session);

	for (int tries = 0; r == -EPIPE && tries < 2; tries++) {
		r = renew(session);
		if (!r)
			r = attach_all(session);
	}
	return r;
}

int session_attach(struct session *session, struct error *err)
{
	uint64_t start = clock_monotonic();
	int r;

	if (session->attached)
		return -EALREADY;
	r = attach_or_renew(session);
	if (r) {
		/* Its files go with a process: they are looked at in its own /proc directory. */
		if (r == -ENOENT && access(session->plan->image_path, F_OK))
			return error_set(err, ESRCH, EXIT_NO_PROCESS,
					 "the process ended before probes could be attached to %s",
					 session->plan->image_path);
		return error_set(err, -r, r == -EPERM ? EXIT_NO_PERMISSION : EXIT_INTERNAL,
				 "cannot attach probes to %s: %s", session->plan->image_path,
				 strerror(-r));
	}
	session->attached = true;
	session->has_kept = false;
	__atomic_store_n(&session_lease(session)->keep, session->is_divided, __ATOMIC_SEQ_CST);
	session->windows++;
	session->attach_ns = clock_monotonic() - start;
	if (session->is_renewed)
		session_sweep(session);
	session->is_renewed = false;
	return 0;
}

uint64_t session_detach(struct session *session)
{
	uint64_t start = clock_monotonic(), ended;

	if (!session->attached)
		return start;
	/* Where it was killed the kernel has detached all. */
	if (links_close_window(session->links))
		__atomic_store_n(&session->bpf->bss->enabled, 0, __ATOMIC_SEQ_CST);
	else
		session->has_kept = session_keeps(session);
	session->attached = false;
	ended = __atomic_load_n(&session_lease(session)->ended_ns, __ATOMIC_SEQ_CST);
	session->detach_ns = clock_monotonic() - MAX(start, ended);
	return ended ? ended : session->alive_ns;
}

bool session_has_ended(struct session *session)
{
	if (!session->attached)
		return false;
	if (__atomic_load_n(&session_lease(session)->ended_ns, __ATOMIC_SEQ_CST))
		return true;
	/* Recording ends a moment after this, and a moment before it is known when. */
	if (__atomic_load_n(&session_lease(session)->closing_ns, __ATOMIC_SEQ_CST) >
	    session_begun(session)->ns)
		return true;
	if (!links_is_alive(session->links))
		return true;
	session->alive_ns = clock_monotonic();
	return false;
}

void session_count_gap(struct session *session)
{
	__atomic_add_fetch(&session->bpf->bss->counts[EVENTS_LOST_WINDOW], 1, __ATOMIC_RELAXED);
}

void session_allow(struct session *session, uint64_t hits, double fresh, uint64_t end_ns)
{
	struct events_lease *lease = session_lease(session);

	__atomic_store_n(&lease->fresh_extra, (uint64_t)(MAX(fresh - 1, 0.0) * 256),
			 __ATOMIC_SEQ_CST);
	__atomic_store_n(&lease->hits_most, hits, __ATOMIC_SEQ_CST);
	__atomic_store_n(&lease->end_ns, end_ns, __ATOMIC_SEQ_CST);
}

int session_sweep(struct session *session)
{
	const struct plan *plan = session->plan;
	_cleanup_free_ struct batch *batch = calloc(2, sizeof(*batch));
	struct links_batch image, libc;
	int r;

	if (!batch)
		return -ENOMEM;
	if (session->options.link == SESSION_LINK_PERF || !session->attached)
		return 0;
	for (size_t i = 0; i < plan->sites.count; i++)
		batch_add_site(batch, session, i);
	for (size_t i = 0; i < plan->fresh.count; i++)
		batch_add(batch, plan->fresh.list[i].offset,
			  (struct site_cookie){ .role = SITE_EMPTY });
	if (plan->realloc.vaddr)
		batch_add(batch + 1, plan->realloc.offset,
			  (struct site_cookie){ .role = SITE_EMPTY });
	image = batch_of(session, batch, LINKS_ON_EMPTY, NULL, false);
	libc = batch_of(session, batch + 1, LINKS_ON_EMPTY, plan->libc_path, false);
	session_extend(session);
	r = links_add(session->links, LINKS_PASSING, &image);
	if (!r)
		r = links_add(session->links, LINKS_PASSING, &libc);
	return r ? r : links_clear(session->links, LINKS_PASSING);
}

int session_sample(struct session *session, size_t index, uint64_t last_ns, uint64_t most)
{
	_cleanup_free_ struct batch *batch = calloc(1, sizeof(*batch));
	struct links_batch links;

	if (!batch)
		return -ENOMEM;
	if (session->attached || index >= session->plan->sites.count ||
	    (session->cold[index] && session_has_kept(session)))
		return -EBUSY;
	batch_add_site(batch, session, index);
	links = batch_of(session, batch, LINKS_ON_SITE, NULL, false);
	session_extend(session);
	return batch->count ? links_sample(session->links, &links, last_ns, most) : -ENOENT;
}

bool session_is_attached(const struct session *session)
{
	return session->attached;
}

static int growth_on(struct session *session)
{
	_cleanup_free_ struct batch *batch = calloc(1, sizeof(*batch));
	struct links_batch links;
	int r;

	if (!batch)
		return -ENOMEM;
	links = fresh_batch(session, batch);
	session->bpf->bss->growth_enabled = 1;
	session_extend(session);
	r = links_add(session->links, LINKS_GROWTH, &links);
	session->has_growth = !r;
	return r;
}

int session_watch_growth(struct session *session, bool on)
{
	int r;

	look_for_growth(session);
	if (on == session->has_growth)
		return 0;
	if (!on) {
		session->bpf->bss->growth_enabled = 0;
		session->has_growth = false;
		r = links_clear(session->links, LINKS_GROWTH);
		return r == -EPIPE ? 0 : r;
	}
	if (session->attached)
		return -EBUSY; /* the window holds this probe already: it would fire twice */
	r = growth_on(session);
	if (r == -EPIPE) {
		r = renew(session);
		if (!r)
			r = growth_on(session);
	}
	return r;
}
