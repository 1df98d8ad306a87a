/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/tracer_private.h"

#include "base/clock.h"
#include "base/util.h"

#include <errno.h>
#include <math.h>

/* Records consumed before the lock is given up: about 2 ms of work. */
#define BATCH_RECORDS 20000
/* A window that stays open is cut into samples of this length. */
#define SAMPLE_NS (500 * NSEC_PER_MSEC)
/* Before the first window: so many sites at a time, for so long or so many hits. */
#define LOOK_SITES 32
#define LOOK_LAST_NS (2 * NSEC_PER_MSEC)
#define LOOK_HITS 250
#define LOOK_AGAIN_NS (10 * NSEC_PER_MSEC)
/* After so many sites have come; fewer take less. */
#define SETTLE_NS 5000000.0
#define SETTLE_SITES 200
#define SETTLE_LEAST_NS 2000000.0
#define LOCK_WAIT_NS (100 * NSEC_PER_MSEC)

static int tracer_load(struct tracer *t, struct error *err)
{
	const struct tracer_options *o = &t->options;
	struct plan_source source = { o->proc, o->py, o->layout, t->mem };
	struct session_options session = {
		.pid = o->proc->pid,
		.pools = t->pools,
		.ring_records = o->ring_bytes ? ring_places(o->ring_bytes)
				: o->exact    ? SESSION_RING_EXACT
					      : SESSION_RING_BUDGET,
	};
	struct cost *cost = &t->spending.cost;
	int r = plan_new(&source, &t->plan, err);

	if (!r)
		r = cost_recall(SESSION_LINK_AUTO, cost, err);
	if (!r && !cost->address_space_filter)
		r = cost_recall(SESSION_LINK_PERF, cost, err);
	session.link = cost->link;
	if (!r)
		spending_price(&t->spending, t->plan);
	session.cores = t->spending.cores;
	if (!r)
		r = cost_check_seccomp(o->proc, cost->link, err);
	if (!r)
		r = session_new(t->plan, &session, &t->session, err);
	return r;
}

int tracer_new(const struct tracer_options *options, struct tracer **ret, struct error *err)
{
	struct tracer *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	t->options = *options;
	t->spending.pid = options->proc->pid;
	spending_look(&t->spending);
	pthread_mutex_init(&t->lock, NULL);
	r = memory_clone(options->mem, &t->mem);
	if (!r)
		r = flows_new(&t->flows);
	if (!r)
		r = blocks_init(&t->blocks, clock_monotonic());
	if (!r)
		r = pools_new(options->layout, t->mem, &t->pools);
	if (!r)
		r = tracer_load(t, err);
	if (!r)
		r = fresh_new(options->proc, options->layout, t->mem, t->plan->allocator.debug,
			      &t->fresh);
	if (r < 0) {
		tracer_free(t);
		return r;
	}
	*ret = t;
	return 0;
}

void tracer_free(struct tracer *t)
{
	if (t->has_thread) {
		__atomic_store_n(&t->stop, true, __ATOMIC_RELAXED);
		pthread_join(t->thread, NULL);
	}
	session_freep(&t->session);
	plan_freep(&t->plan);
	fresh_freep(&t->fresh);
	pools_freep(&t->pools);
	flows_freep(&t->flows);
	blocks_fini(&t->blocks);
	tracer_forget_moved(t);
	memory_freep(&t->mem);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

void tracer_check_loss(struct tracer *t)
{
	struct session_stats stats;

	session_stats(t->session, &stats);
	if (stats.lost == t->lost)
		return;
	t->lost = stats.lost;
	t->blocks.whole = false;
	pools_clear(t->pools);
}

static ssize_t tracer_consume(struct tracer *t)
{
	ssize_t n;

	tracer_check_loss(t);
	t->now_ns = clock_monotonic();
	if (t->pending_lost != t->drained_lost)
		t->pending_count = 0;
	t->pending_lost = t->drained_lost;
	n = session_consume(t->session, tracer_on_event, t, BATCH_RECORDS);
	if (n < 0)
		t->error = (int)n;
	if (n >= 0 && n < BATCH_RECORDS)
		t->drained_lost = t->lost;
	return n;
}

static void tracer_drain(struct tracer *t)
{
	while (!t->error && tracer_consume(t) == BATCH_RECORDS)
		;
}

void tracer_catch_up(struct tracer *t)
{
	uint64_t until = t->consumed + session_backlog(t->session);

	while (!t->error && t->consumed < until && tracer_consume(t) >= 0)
		;
}

/* tracer_catch_up() without waiting for one that is being written: what it speaks of has not
 * happened. */
static void tracer_see(void *arg)
{
	struct tracer *t = arg;
	uint64_t until = t->consumed + session_backlog(t->session);

	while (!t->error && t->consumed < until && tracer_consume(t) > 0)
		;
}

static void tracer_resolve(struct tracer *t, uint64_t allocated_before)
{
	const struct fresh_asker asker = { tracer_is_wanted, tracer_see, tracer_on_typed, t };
	int r = fresh_resolve(t->fresh, allocated_before, &asker);

	if (r < 0 && r != -ESRCH)
		t->error = r;
}

/* Ends the sample at hand. Blocks younger than their header count in the next. */
static void tracer_cut_at(struct tracer *t, const struct events_moment *moment)
{
	struct progress_span all = spending_span(&t->spending, moment);
	struct progress_span span = metronome_end(&t->metronome, &t->spending, moment);
	uint64_t now = MAX(moment->ns, t->window_ns);

	tracer_check_loss(t);
	flows_cut(t->flows, &span, &all, t->lost != t->lost_cut);
	t->lost_cut = t->lost;
	t->traced_ns += now - t->window_ns;
	t->window_ns = now;
	spending_sample(&t->spending);
}

/* The window's end, as far as it is known: at @end_ns. */
static void tracer_cut_window(struct tracer *t, uint64_t end_ns)
{
	struct events_moment moment = *session_ended(t->session);

	if (moment.ns != end_ns)
		spending_moment(&t->spending, t->session, &moment);
	moment.ns = end_ns;
	tracer_cut_at(t, &moment);
}

static void tracer_cut(struct tracer *t)
{
	struct events_moment now;

	tracer_mind_end(t);
	if (!session_is_attached(t->session))
		return;
	spending_moment(&t->spending, t->session, &now);
	tracer_drain(t);
	tracer_resolve(t, now.ns - FRESH_AGE_NS);
	tracer_cut_at(t, &now);
	flows_settled(t->flows);
}

static void tracer_allow(struct tracer *t)
{
	if (t->spending.has_budget)
		session_allow(t->session, spending_allowed(&t->spending),
			      spending_fresh(&t->spending), spending_end(&t->spending));
}

/* A turn of the window that had to do with @sites of them. */
static void tracer_turned(struct tracer *t, bool is_open, size_t sites)
{
	struct session_stats stats;

	session_stats(t->session, &stats);
	spending_turned(&t->spending, &stats, is_open, sites, session_turns(t->session));
	tracer_allow(t);
}

/* Until then it was open, whoever closed it; from then on it was on its way out. */
static void tracer_note_end(struct tracer *t)
{
	struct session_stats stats;

	session_stats(t->session, &stats);
	spending_ended(&t->spending, &stats);
}

/* Nothing is recorded from the first moment of the detaching on; its end is late enough for all
 * headers. */
static void tracer_close_window(struct tracer *t)
{
	uint64_t end;
	size_t sites;

	keeping_closing(&t->keeping, &t->spending, t->session);
	sites = session_turns(t->session).close;
	end = session_detach(t->session);
	keeping_closed(&t->keeping, t->session);
	tracer_note_end(t);
	tracer_drain(t);
	tracer_resolve(t, UINT64_MAX);
	flows_missed(t->flows, spending_missed(&t->spending, end, t->window_ns + SAMPLE_NS));
	flows_surge(t->flows, spending_surge(&t->spending, end));
	tracer_cut_window(t, end);
	blocks_clear(&t->blocks);
	tracer_forget_moved(t);
	fresh_clear(t->fresh);
	tracer_turned(t, false, sites);
	if (!t->error)
		t->error = metronome_listen(&t->metronome, &t->spending, t->session, t->plan,
					    t->flows);
}

static int tracer_open_window(struct tracer *t, struct error *err)
{
	size_t sites = session_turns(t->session).open;
	int r = session_attach(t->session, err);

	if (r < 0)
		return r;
	pools_watch(t->pools);
	t->window_ns = session_begun(t->session)->ns;
	metronome_begin(&t->metronome, &t->spending, session_begun(t->session));
	tracer_turned(t, true, sites);
	spending_sample(&t->spending);
	return 0;
}

static int tracer_ignore(const struct session_event *e, void *arg)
{
	struct tracer *t = arg;

	t->consumed++;
	return 0;
}

/*
 * Opening holds the target up for some milliseconds. One that keeps a pace catches up first thing
 * (1.3 to 1.7 times its rate in the first 5 ms, its rate from then on), which is not what it does
 * else.
 */
static void tracer_settle(struct tracer *t, size_t sites)
{
	double share = MIN((double)sites / SETTLE_SITES, 1.0);
	struct timespec settle = { .tv_nsec = (long)MAX(SETTLE_NS * share, SETTLE_LEAST_NS) };
	struct events_moment now;

	if (!spending_is_long(&t->spending, 4 * (uint64_t)settle.tv_nsec))
		return;
	nanosleep(&settle, NULL);
	while (session_consume(t->session, tracer_ignore, t, BATCH_RECORDS) == BATCH_RECORDS)
		;
	spending_moment(&t->spending, t->session, &now);
	now.is_running = session_is_hit(t->session);
	t->window_ns = now.ns;
	metronome_begin(&t->metronome, &t->spending, &now);
	spending_sample(&t->spending);
	flows_settled(t->flows);
}

/*
 * Nobody knows what came and went since: what is missing in the ledger nothing repairs but a
 * census. The window opens again at once.
 */
static void tracer_bridge_gap(struct tracer *t)
{
	uint64_t end = session_detach(t->session);
	int r;

	tracer_drain(t);
	tracer_resolve(t, end);
	session_count_gap(t->session);
	tracer_cut_window(t, end);
	r = tracer_open_window(t, NULL);
	if (r < 0 && !t->error)
		t->error = r;
}

void tracer_mind_end(struct tracer *t)
{
	if (t->error || !session_has_ended(t->session))
		return;
	if (t->options.exact)
		tracer_bridge_gap(t);
	else
		tracer_close_window(t);
}

/* The first window shall know which sites are hit most. False: it does, or there is nothing left to
 * look for it now. What fails here fails in the window too, and is said then. */
static bool tracer_look(struct tracer *t)
{
	size_t all = t->plan->sites.count, count = MIN(all - t->looked_at, (size_t)LOOK_SITES);
	double share = (double)count / (double)MAX(all, (size_t)1);
	struct session_stats stats;

	if (!count || !spending_may_look(&t->spending, share))
		return false;
	if (session_look(t->session, t->looked_at, count, LOOK_LAST_NS, LOOK_HITS)) {
		t->looked_at = all;
	} else {
		keeping_looked(&t->keeping, t->session, t->looked_at, count);
		t->looked_at += count;
	}
	session_stats(t->session, &stats);
	spending_looked(&t->spending, &stats, share);
	return true;
}

/* Opens and closes as the budget says. A window needs the probe of growth, or has one of its own.
 */
static void tracer_budget(struct tracer *t)
{
	bool is_open = session_is_attached(t->session);
	struct session_stats stats;
	enum budget_action what;
	size_t sites;

	if (clock_monotonic() < t->budget_ns)
		return;
	session_stats(t->session, &stats);
	what = spending_step(&t->spending, &stats, is_open, &t->budget_ns);
	tracer_allow(t);
	if (!is_open) {
		keeping_step(&t->keeping, &t->spending, t->session);
		t->error = session_watch_growth(t->session, t->spending.pulse.on);
	}
	if (!is_open && t->looked_at < t->plan->sites.count) {
		t->budget_ns = tracer_look(t) ? 0 : clock_monotonic() + LOOK_AGAIN_NS;
		return;
	}
	switch (what) {
	case BUDGET_OPEN:
		sites = session_turns(t->session).open;
		t->error = tracer_open_window(t, NULL);
		if (!t->error)
			tracer_settle(t, sites);
		break;
	case BUDGET_CLOSE:
		tracer_close_window(t);
		break;
	case BUDGET_WAIT:
		break;
	}
}

/* The budget asks for less where it may be used up sooner. */
static uint64_t tracer_nap(struct tracer *t, ssize_t records)
{
	uint64_t now = clock_monotonic(), nap;

	if (records == BATCH_RECORDS)
		return 0;
	nap = pace_next(&t->pace, records < 0 ? 0 : (size_t)records,
			session_is_attached(t->session));
	if (!t->spending.has_budget)
		return nap;
	return t->budget_ns > now ? MIN(nap, t->budget_ns - now) : PACE_LEAST_NS;
}

/* In exact mode the window stays, and its probes are taken out of the child, which takes some tens
 * of milliseconds. */
static void tracer_forked(struct tracer *t)
{
	if (!t->spending.has_budget) {
		session_sweep(t->session);
		return;
	}
	keeping_forked(&t->keeping, &t->spending, t->session);
	if (session_is_attached(t->session))
		tracer_close_window(t);
	if (!t->error)
		t->error = session_watch_growth(t->session, false); /* until the next step */
}

static uint64_t tracer_turn(struct tracer *t)
{
	ssize_t n;

	tracer_mind_end(t);
	n = tracer_consume(t);
	tracer_resolve(t, t->now_ns - FRESH_AGE_NS);
	if (t->spending.has_budget)
		tracer_budget(t);
	if (session_is_attached(t->session) && clock_monotonic() - t->window_ns > SAMPLE_NS)
		tracer_cut(t);
	/* They have the breakpoints that there are: closing the window, and taking off what stays
	 * between windows, frees them. */
	if ((t->spending.has_budget || session_is_attached(t->session)) && !t->error &&
	    forked_look(&t->forked, t->options.proc->pid, t->now_ns))
		tracer_forked(t);
	return tracer_nap(t, n);
}

/* Who waits for the lock lives: its window shall not end. One that nobody reads any more shall. */
static void tracer_wait_lock(struct tracer *t)
{
	struct timespec until;
	uint64_t end;

	do {
		if (!__atomic_load_n(&t->error, __ATOMIC_RELAXED))
			session_extend(t->session);
		end = clock_monotonic() + LOCK_WAIT_NS;
		until = (struct timespec){ .tv_sec = (time_t)(end / NSEC_PER_SEC),
					   .tv_nsec = (long)(end % NSEC_PER_SEC) };
	} while (pthread_mutex_clocklock(&t->lock, CLOCK_MONOTONIC, &until));
}

static void *tracer_main(void *arg)
{
	struct tracer *t = arg;

	pthread_setname_np(pthread_self(), "events");
	while (!__atomic_load_n(&t->stop, __ATOMIC_RELAXED)) {
		struct timespec nap = {};

		tracer_wait_lock(t);
		nap.tv_nsec = (long)(t->error ? PACE_CLOSED_NS : tracer_turn(t));
		pthread_mutex_unlock(&t->lock);
		if (__atomic_load_n(&t->waiting, __ATOMIC_RELAXED))
			nap.tv_nsec = MAX(nap.tv_nsec, 50000L);
		if (nap.tv_nsec)
			nanosleep(&nap, NULL);
	}
	return NULL;
}

static int tracer_start_budget(struct tracer *t, struct error *err)
{
	struct session_stats stats;
	int r = session_watch_growth(t->session, true);

	if (r < 0)
		return error_set(err, -r, EXIT_INTERNAL, "cannot attach a probe: %s", strerror(-r));
	session_stats(t->session, &stats);
	/* Each comes and goes by itself: to look at them all would take most of a minute. */
	if (stats.link == SESSION_LINK_PERF)
		t->looked_at = t->plan->sites.count;
	r = spending_limit(&t->spending, t->options.max_overhead, t->plan->sites.count, &stats);
	if (!r)
		keeping_init(&t->keeping, &t->spending, t->plan->sites.count,
			     stats.link == SESSION_LINK_MULTI);
	return r;
}

int tracer_start(struct tracer *t, struct error *err)
{
	struct events_moment now;
	int r;

	spending_look(&t->spending);
	spending_moment(&t->spending, t->session, &now);
	forked_look(&t->forked, t->options.proc->pid, now.ns); /* those it has already are clean */
	t->start_ns = now.ns;
	flows_begin(t->flows, spending_span(&t->spending, &now));
	r = t->options.exact ? tracer_open_window(t, err) : tracer_start_budget(t, err);
	if (!r)
		r = -pthread_create(&t->thread, NULL, tracer_main, t);
	t->has_thread = !r;
	return r;
}

void tracer_unlock(struct tracer *t)
{
	pthread_mutex_unlock(&t->lock);
}

void tracer_take_lock(struct tracer *t)
{
	__atomic_add_fetch(&t->waiting, 1, __ATOMIC_RELAXED);
	pthread_mutex_lock(&t->lock);
	__atomic_sub_fetch(&t->waiting, 1, __ATOMIC_RELAXED);
}

void tracer_lock(struct tracer *t)
{
	struct events_moment now;

	tracer_take_lock(t);
	if (!t->error)
		tracer_cut(t);
	spending_moment(&t->spending, t->session, &now);
	flows_now(t->flows, spending_span(&t->spending, &now));
}

const struct blocks *tracer_blocks(const struct tracer *t)
{
	return &t->blocks;
}

const struct flows *tracer_flows(const struct tracer *t)
{
	return t->flows;
}

const struct plan *tracer_plan(const struct tracer *t)
{
	return t->plan;
}

uint64_t tracer_site_hits(struct tracer *t, size_t site)
{
	return session_site_hits(t->session, site);
}

const char *tracer_site_refusal(struct tracer *t, size_t site)
{
	return session_refusal(t->session, site);
}

void tracer_restart(struct tracer *t)
{
	struct session_stats stats;

	if (t->spending.has_budget)
		flows_mark(t->flows);
	else
		flows_restart(t->flows);
	session_stats(t->session, &stats);
	for (size_t i = 0; i < EVENTS_COUNT_MAX; i++)
		t->lost_restart[i] = stats.counts[i];
	memset(t->grown, 0, sizeof(t->grown));
	pulse_restart(&t->spending.pulse);
}

void tracer_get_stats(struct tracer *t, struct tracer_stats *ret)
{
	/* What is counted so far ends with the last sample. */
	uint64_t now = session_is_attached(t->session) ? t->window_ns : clock_monotonic();
	struct tracer_stats s = {
		.duration_ns = now - t->start_ns,
		.traced_ns = t->traced_ns,
		.cost_ns = t->spending.hit_ns,
		.unknown_frees = t->unknown_frees,
		.failed = t->error,
		.error = t->error,
	};
	struct session_stats session;

	session_stats(t->session, &session);
	s.records = session.counts[EVENTS_RECORDS];
	s.lost = session.lost;
	s.hits = session.hits;
	s.windows = session.windows;
	s.left_out = session.left_out;
	for (size_t i = 0; i < EVENTS_COUNT_MAX; i++)
		s.lost_by_cause[i] = session.counts[i] - t->lost_restart[i];
	s.grown = t->grown;
	s.growth_coverage = t->spending.has_budget ? pulse_coverage(&t->spending.pulse) : 1;
	if (!t->plan->fresh.count)
		s.growth_coverage = NAN;
	s.overhead = spending_overhead(&t->spending, &session);
	*ret = s;
}
