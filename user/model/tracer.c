/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/tracer.h"

#include "base/clock.h"
#include "base/util.h"
#include "model/blocks.h"
#include "model/forked.h"
#include "model/fresh.h"
#include "model/pace.h"
#include "model/spending.h"
#include "probe/session.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>

/* Records consumed before the lock is given up: about 2 ms of work. */
#define BATCH_RECORDS 20000
/* A window that stays open is cut into samples of this length. */
#define SAMPLE_NS (500 * NSEC_PER_MSEC)

_Static_assert(EVENTS_COUNT_MAX <= 16, "lost_by_cause has room");

struct tracer {
	struct tracer_options options;
	struct memory *mem;
	struct plan *plan;
	struct session *session;
	struct flows *flows;
	struct fresh *fresh;
	struct pools *pools;
	struct blocks blocks;
	uint64_t lost;	     /* as last looked at */
	uint64_t lost_cut;   /* when the last sample ended */
	uint64_t lost_begin; /* when the census began */
	uint64_t lost_restart[16];
	uint64_t grown[TRACER_CLASSES];
	struct spending spending;
	uint64_t start_ns, traced_ns,
		window_ns;  /* window_ns: when the open one was opened, or last cut */
	uint64_t now_ns;    /* as of the batch of records at hand */
	uint64_t budget_ns; /* when the budget wants to be asked again */
	struct pace pace;
	uint64_t unknown_frees, consumed;
	struct forked forked;
	int error;

	pthread_t thread;
	bool has_thread;
	pthread_mutex_t lock;
	int waiting; /* threads that want the lock: the consumer makes way */
	bool stop;
};

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
		r = cost_measure(SESSION_LINK_AUTO, cost, err);
	if (!r && !cost->address_space_filter)
		r = cost_measure(SESSION_LINK_PERF, cost, err);
	session.link = cost->link;
	if (!r)
		spending_price(&t->spending, t->plan);
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
	memory_freep(&t->mem);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

static uint64_t event_size(const struct session_event *e)
{
	if (e->kind == EVENT_ALLOC)
		return e->size;
	return e->chunk ? e->chunk & ~7ull : e->size;
}

static int tracer_on_alloc(struct tracer *t, const struct session_event *e)
{
	uint32_t note = blocks_untyped(&t->blocks, t->now_ns);
	int r = blocks_put(&t->blocks, e->addr, event_size(e), note);

	return r < 0 ? r : fresh_push(t->fresh, e->addr, t->now_ns);
}

static int tracer_on_free(struct tracer *t, const struct session_event *e)
{
	uint64_t type = fresh_type_of_dead(t->fresh, e);
	struct ledger_block block;
	int r = blocks_take(&t->blocks, e->addr, &block);

	if (t->blocks.whole && !block.addr)
		t->unknown_frees++;
	if (!r && (block.note & LEDGER_UNTYPED))
		r = flows_add(t->flows, type, FLOWS_ALLOC_OBJECTS, block.size);
	return r < 0 ? r
		     : flows_add(t->flows, type, FLOWS_FREE_OBJECTS,
				 block.addr ? block.size : pools_block_size(t->pools, e->addr));
}

static int tracer_on_move(struct tracer *t, const struct session_event *e)
{
	struct ledger_block block;
	int r = blocks_take(&t->blocks, e->old, &block);
	bool untyped = block.note & LEDGER_UNTYPED;

	/* It is as old as it was where it came from. */
	if (!r)
		r = blocks_put(&t->blocks, e->addr, event_size(e),
			       untyped ? blocks_untyped(&t->blocks, t->now_ns)
				       : block.note & LEDGER_TIME);
	if (!r && untyped)
		r = fresh_push(t->fresh, e->addr, t->now_ns);
	return r;
}

static int tracer_on_event(const struct session_event *e, void *arg)
{
	struct tracer *t = arg;

	t->consumed++;
	/* No block: only a target that calls its allocator in odd ways has such records. */
	if (!e->addr || (e->kind == EVENT_MOVE && !e->old))
		return 0;
	switch (e->kind) {
	case EVENT_ALLOC:
	case EVENT_ALLOC_LARGE:
		return tracer_on_alloc(t, e);
	case EVENT_FREE:
		return tracer_on_free(t, e);
	case EVENT_MOVE:
		return tracer_on_move(t, e);
	case EVENT_GROW:
		if (e->size < TRACER_CLASSES)
			t->grown[e->size]++;
		break;
	}
	return 0;
}

/* A fresh block's type was read: it is counted, once. */
static void tracer_on_typed(void *arg, uint64_t addr, uint64_t type)
{
	struct tracer *t = arg;
	struct ledger_block block;

	if (!blocks_find(&t->blocks, addr, &block) || !(block.note & LEDGER_UNTYPED))
		return;
	if (blocks_typed(&t->blocks, &block) < 0 ||
	    flows_add(t->flows, type, FLOWS_ALLOC_OBJECTS, block.size) < 0)
		t->error = -ENOMEM;
}

/* Is the block at @addr still waiting for its type, and not one that came after it? */
static bool tracer_is_wanted(void *arg, uint64_t addr, uint64_t time_ns)
{
	struct tracer *t = arg;
	struct ledger_block block;

	return blocks_find(&t->blocks, addr, &block) &&
	       (block.note & ~LEDGER_MAYBE) == blocks_untyped(&t->blocks, time_ns);
}

/* What a lost record said, nothing repairs but a census: until then the ledger is not whole. */
static void tracer_check_loss(struct tracer *t)
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
	n = session_consume(t->session, tracer_on_event, t, BATCH_RECORDS);
	if (n < 0)
		t->error = (int)n;
	return n;
}

static void tracer_drain(struct tracer *t)
{
	while (!t->error && tracer_consume(t) == BATCH_RECORDS)
		;
}

static void tracer_resolve(struct tracer *t, uint64_t allocated_before)
{
	int r = fresh_resolve(t->fresh, allocated_before, tracer_is_wanted, tracer_on_typed, t);

	if (r < 0 && r != -ESRCH)
		t->error = r;
}

/* Ends the sample at hand at @now. Blocks younger than their header count in the next. */
static void tracer_cut_at(struct tracer *t, uint64_t now)
{
	tracer_check_loss(t);
	flows_cut(t->flows, (double)(now - t->window_ns) / 1e9, t->lost != t->lost_cut);
	t->lost_cut = t->lost;
	t->traced_ns += now - t->window_ns;
	t->window_ns = now;
}

static void tracer_cut(struct tracer *t)
{
	uint64_t now = clock_monotonic();

	if (!session_is_attached(t->session))
		return;
	tracer_drain(t);
	tracer_resolve(t, now - FRESH_AGE_NS);
	tracer_cut_at(t, now);
}

static void tracer_turned(struct tracer *t, bool is_open)
{
	struct session_stats stats;

	session_stats(t->session, &stats);
	spending_turned(&t->spending, &stats, is_open);
}

/* Nothing is recorded from the first moment of the detaching on; its end is late enough for all
 * headers. */
static void tracer_close_window(struct tracer *t)
{
	uint64_t end = session_detach(t->session);

	tracer_drain(t);
	tracer_resolve(t, UINT64_MAX);
	tracer_cut_at(t, end);
	blocks_clear(&t->blocks);
	fresh_clear(t->fresh);
	tracer_turned(t, false);
}

static int tracer_open_window(struct tracer *t, struct error *err)
{
	int r = session_attach(t->session, err);

	if (r < 0)
		return r;
	pools_watch(t->pools);
	t->window_ns = clock_monotonic();
	tracer_turned(t, true);
	return 0;
}

/* Opens and closes as the budget says. A window needs the probe of growth, or has one of its own.
 */
static void tracer_budget(struct tracer *t)
{
	bool is_open = session_is_attached(t->session);
	struct session_stats stats;
	enum budget_action what;

	if (clock_monotonic() < t->budget_ns)
		return;
	session_stats(t->session, &stats);
	what = spending_step(&t->spending, &stats, is_open, &t->budget_ns);
	if (!is_open)
		t->error = session_watch_growth(t->session, t->spending.pulse.on);
	switch (what) {
	case BUDGET_OPEN:
		t->error = tracer_open_window(t, NULL);
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

static uint64_t tracer_turn(struct tracer *t)
{
	ssize_t n = tracer_consume(t);

	tracer_resolve(t, t->now_ns - FRESH_AGE_NS);
	if (t->spending.has_budget)
		tracer_budget(t);
	if (session_is_attached(t->session) && clock_monotonic() - t->window_ns > SAMPLE_NS)
		tracer_cut(t);
	/* They have the breakpoints of the open window: closing it would free them, and so does
	 * this. */
	if (session_is_attached(t->session) &&
	    forked_look(&t->forked, t->options.proc->pid, t->now_ns))
		session_sweep(t->session);
	return tracer_nap(t, n);
}

static void *tracer_main(void *arg)
{
	struct tracer *t = arg;

	pthread_setname_np(pthread_self(), "events");
	while (!__atomic_load_n(&t->stop, __ATOMIC_RELAXED)) {
		struct timespec nap = {};

		pthread_mutex_lock(&t->lock);
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
	return spending_limit(&t->spending, t->options.max_overhead, t->plan->sites.count, &stats);
}

int tracer_start(struct tracer *t, struct error *err)
{
	int r;

	t->start_ns = clock_monotonic();
	spending_look(&t->spending);
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

static void tracer_take_lock(struct tracer *t)
{
	__atomic_add_fetch(&t->waiting, 1, __ATOMIC_RELAXED);
	pthread_mutex_lock(&t->lock);
	__atomic_sub_fetch(&t->waiting, 1, __ATOMIC_RELAXED);
}

void tracer_lock(struct tracer *t)
{
	tracer_take_lock(t);
	if (!t->error)
		tracer_cut(t);
}

int tracer_census_begin(struct tracer *t)
{
	int r;

	tracer_take_lock(t);
	tracer_check_loss(t);
	t->lost_begin = t->lost;
	r = blocks_begin(&t->blocks);
	tracer_unlock(t);
	return r;
}

void tracer_census_block(void *arg, uint64_t addr, uint64_t size, bool sure)
{
	struct tracer *t = arg;

	/* Only the caller's thread has to do with the truth until _end. */
	blocks_found(&t->blocks, addr, size, sure);
}

/* All that was recorded before the call is consumed: as many bytes as wait now. */
static void tracer_catch_up(struct tracer *t)
{
	struct session_stats stats;

	session_stats(t->session, &stats);
	while (!t->error && t->consumed < stats.counts[EVENTS_RECORDS] && tracer_consume(t) >= 0)
		;
}

static int tracer_freeze(struct tracer *t)
{
	int r;

	tracer_take_lock(t);
	tracer_catch_up(t);
	r = t->error ? t->error : blocks_freeze(&t->blocks);
	tracer_unlock(t);
	return r;
}

int tracer_census_end(struct tracer *t, struct blocks_drift *ret_drift)
{
	int r = tracer_freeze(t);

	/* The thread goes on consuming meanwhile: the ring would run full. */
	if (!r)
		r = blocks_merge(&t->blocks);
	tracer_take_lock(t);
	tracer_check_loss(t);
	if (!r)
		r = blocks_end(&t->blocks, t->lost != t->lost_begin, clock_monotonic(), ret_drift);
	else
		blocks_abort(&t->blocks);
	tracer_unlock(t);
	return r;
}

void tracer_census_abort(struct tracer *t)
{
	tracer_take_lock(t);
	blocks_abort(&t->blocks);
	tracer_unlock(t);
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

	if (!t->spending.has_budget)
		flows_restart(t->flows);
	session_stats(t->session, &stats);
	for (size_t i = 0; i < EVENTS_COUNT_MAX; i++)
		t->lost_restart[i] = stats.counts[i];
	memset(t->grown, 0, sizeof(t->grown));
	pulse_restart(&t->spending.pulse);
}

void tracer_get_stats(struct tracer *t, struct tracer_stats *ret)
{
	uint64_t now = clock_monotonic();
	struct tracer_stats s = {
		.duration_ns = now - t->start_ns,
		.traced_ns = t->traced_ns,
		.cost_ns = t->spending.hit_ns,
		.unknown_frees = t->unknown_frees,
		.failed = t->error,
		.error = t->error,
	};
	struct session_stats session;

	if (session_is_attached(t->session))
		s.traced_ns += now - t->window_ns;
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
