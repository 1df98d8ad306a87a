/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Test tool, not installed: watches the events of one process.
 *
 *   probe_watch PID plan                 prints the sites, one a line
 *   probe_watch PID watch [ring_records]   reads commands from stdin, one a line:
 *       attach | detach | stats | ledger | reset | quit
 *     and answers each with one line (`stats`: name=value pairs; `ledger`: live blocks known from
 *     events; `detach`: 1 if the window had ended by itself).
 *
 *   probe_watch PID dump                 as watch, and prints every record to stderr
 *
 * --check: compare every predicted address. --perf: perf-event links.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "layout/layout.h"
#include "probe/cost.h"
#include "probe/plan.h"
#include "probe/session.h"
#include "target/python.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <uthash.h>

struct block {
	uint64_t addr, size;
	UT_hash_handle hh;
};

static struct {
	struct block *live;
	uint64_t alloc, large, free_, move, grow, unknown_free, reused, unknown_move, sized,
		dead[3];
	uint64_t per_site[SITES_MAX];
	uint64_t bytes;
	bool dump, track;
} ledger = { .track = true };

static void block_set(uint64_t addr, uint64_t size)
{
	struct block *b;

	HASH_FIND(hh, ledger.live, &addr, sizeof(addr), b);
	if (b) {
		ledger.reused++;
		b->size = size;
		return;
	}
	b = calloc(1, sizeof(*b));
	b->addr = addr;
	b->size = size;
	HASH_ADD(hh, ledger.live, addr, sizeof(b->addr), b);
}

static bool block_unset(uint64_t addr)
{
	struct block *b;

	HASH_FIND(hh, ledger.live, &addr, sizeof(addr), b);
	if (!b)
		return false;
	HASH_DEL(ledger.live, b);
	free(b);
	return true;
}

static void ledger_reset(void)
{
	struct block *b, *next;

	HASH_ITER (hh, ledger.live, b, next) {
		HASH_DEL(ledger.live, b);
		free(b);
	}
	ledger = (typeof(ledger)){ .dump = ledger.dump, .track = ledger.track };
}

static void on_alloc(const struct session_event *e)
{
	if (e->kind == EVENT_ALLOC)
		ledger.alloc++;
	else
		ledger.large++;
	ledger.sized += e->size != 0;
	ledger.bytes += e->size;
	if (ledger.track)
		block_set(e->addr, e->size);
}

static void on_free(const struct session_event *e)
{
	ledger.free_++;
	for (int i = 0; i < 3; i++)
		ledger.dead[i] += (e->flags >> i) & 1;
	if (ledger.track && !block_unset(e->addr))
		ledger.unknown_free++;
}

static void on_move(const struct session_event *e)
{
	ledger.move++;
	if (ledger.track && !block_unset(e->old))
		ledger.unknown_move++;
	if (ledger.track)
		block_set(e->addr, e->size);
}

static int on_event(const struct session_event *e, void *arg)
{
	(void)arg;
	if (ledger.dump)
		fprintf(stderr,
			"%d %#" PRIx64 " old %#" PRIx64 " size %" PRIu64 " chunk %#" PRIx64
			" site %u\n",
			(int)e->kind, e->addr, e->old, e->size, e->chunk, e->site);
	if (e->site < SITES_MAX)
		ledger.per_site[e->site]++;
	if (e->kind == EVENT_ALLOC || e->kind == EVENT_ALLOC_LARGE)
		on_alloc(e);
	else if (e->kind == EVENT_FREE)
		on_free(e);
	else if (e->kind == EVENT_MOVE)
		on_move(e);
	else if (e->kind == EVENT_GROW)
		ledger.grow++;
	return 0;
}

static void print_plan(const struct plan *plan)
{
	static const struct site none = { .text = "none" };
	const struct site *fresh = plan->fresh.count ? &plan->fresh.list[0] : &none;

	printf("allocator=%s plan_ms=%.1f fresh=%#" PRIx64 " (%s%s) realloc=%#" PRIx64
	       " (%s%s) counter=%#" PRIx64 "+%" PRId64 "\n",
	       allocator_kind_name(plan->allocator.kind), (double)plan->duration_ns / 1e6,
	       fresh->vaddr, fresh->text, fresh->emulated ? "" : ", single-stepped",
	       plan->realloc.vaddr, plan->realloc.text,
	       plan->realloc.emulated ? "" : ", single-stepped", plan->counter.address,
	       plan->counter.disp);
	for (size_t i = 0; i < plan->sites.count; i++) {
		const struct site *s = &plan->sites.list[i];

		printf("%zu %#" PRIx64 " %s+%#" PRIx64
		       " reg=%u size_reg=%u disp=%d role=%s text='%s'%s%s%s\n",
		       i, s->vaddr, s->symbol, s->function ? s->vaddr - s->function : 0, s->reg,
		       s->size_reg, s->disp, plan_role_name(s->role), s->text,
		       s->emulated ? "" : " single-stepped", s->rejected ? " REJECTED: " : "",
		       s->rejected ? s->rejected : "");
	}
}

static void print_stats(struct session *session)
{
	struct session_stats s;

	session_stats(session, &s);
	printf("alloc=%" PRIu64 " large=%" PRIu64 " free=%" PRIu64 " move=%" PRIu64 " grow=%" PRIu64
	       " sized=%" PRIu64 " bytes=%" PRIu64 " live=%u unknown_free=%" PRIu64
	       " unknown_move=%" PRIu64 " reused=%" PRIu64,
	       ledger.alloc, ledger.large, ledger.free_, ledger.move, ledger.grow, ledger.sized,
	       ledger.bytes, HASH_COUNT(ledger.live), ledger.unknown_free, ledger.unknown_move,
	       ledger.reused);
	printf(" hits=%" PRIu64 " lost=%" PRIu64 " links=%zu link=%d attach_us=%" PRIu64
	       " detach_us=%" PRIu64,
	       s.hits, s.lost, s.links, s.link, s.attach_ns / 1000, s.detach_ns / 1000);
	printf(" dead0=%" PRIu64 " dead16=%" PRIu64 " dead32=%" PRIu64, ledger.dead[0],
	       ledger.dead[1], ledger.dead[2]);
	for (int i = 0; i < EVENTS_COUNT_MAX; i++) {
		printf(" ");
		for (const char *c = session_count_name(i); *c; c++)
			putchar(*c == ' ' ? '_' : *c);
		printf("=%" PRIu64, s.counts[i]);
	}
	printf("\n");
}

static void print_ledger(void)
{
	struct block *b, *next;

	HASH_ITER (hh, ledger.live, b, next)
		printf("%#" PRIx64 ":%" PRIu64 " ", b->addr, b->size);
	printf("\n");
}

static void drain(struct session *session)
{
	while (session_consume(session, on_event, NULL, 100000) > 0)
		;
}

static bool detach(struct session *session)
{
	bool ended = session_has_ended(session);

	session_detach(session);
	drain(session);
	return ended;
}

static int command(struct session *session, const char *line)
{
	struct error err = { 0 };
	uint64_t cpu = clock_cpu();

	if (streq(line, "quit"))
		return 1;
	if (streq(line, "attach"))
		printf("%d %s\n", session_attach(session, &err), err.text);
	else if (streq(line, "growth"))
		printf("%d\n", session_watch_growth(session, true));
	else if (streq(line, "detach"))
		printf("%d\n", detach(session));
	else if (streq(line, "stats"))
		drain(session), print_stats(session);
	else if (streq(line, "ledger"))
		drain(session), print_ledger();
	else if (streq(line, "sites")) {
		for (size_t i = 0; i < SITES_MAX; i++)
			if (session_site_hits(session, i))
				printf("%zu:%" PRIu64 " ", i, session_site_hits(session, i));
		printf("\n");
	} else if (streq(line, "cpu"))
		printf("%" PRIu64 "\n", cpu / 1000);
	else if (streq(line, "untrack"))
		ledger.track = false, printf("0\n");
	else if (streq(line, "reset"))
		drain(session), ledger_reset(), printf("0\n");
	else
		printf("unknown command\n");
	fflush(stdout);
	return 0;
}

static void watch(struct session *session)
{
	struct pollfd in = { .fd = 0, .events = POLLIN };
	char line[64];

	setvbuf(stdin, NULL, _IONBF, 0);
	for (;;) {
		poll(&in, 1, 2);
		drain(session);
		if (!in.revents)
			continue;
		if (!fgets(line, sizeof(line), stdin))
			return;
		line[strcspn(line, "\n")] = '\0';
		if (command(session, line))
			return;
	}
}

static int fail(const char *what, const struct error *err, int r)
{
	fprintf(stderr, "%s: %s (%d)\n", what, err->text, r);
	return err->exit_code ? (int)err->exit_code : 1;
}

/* As the tracer takes them: before 6.6 a kernel loads what it cannot link. */
static int choose_link(struct session_options *options, struct error *err)
{
	struct cost cost;
	int r = 0;

	if (options->link != SESSION_LINK_AUTO)
		return 0;
	r = cost_measure(SESSION_LINK_AUTO, &cost, err);
	if (!r)
		options->link = cost.address_space_filter ? cost.link : SESSION_LINK_PERF;
	return r;
}

int main(int argc, char **argv)
{
	_cleanup_process_ struct process *proc = NULL;
	_cleanup_memory_ struct memory *mem = NULL;
	_cleanup_python_ struct python *py = NULL;
	_cleanup_plan_ struct plan *plan = NULL;
	_cleanup_pools_ struct pools *pools = NULL;
	_cleanup_session_ struct session *session = NULL;
	struct session_options options = { 0 };
	const struct layout *layout;
	struct error err = { 0 };
	const char *mode = argc > 2 ? argv[2] : "";
	int r;

	options.pid = argc > 1 ? atoi(argv[1]) : 0;
	for (int i = 3; i < argc; i++) {
		options.self_check |= streq(argv[i], "--check");
		if (streq(argv[i], "--perf"))
			options.link = SESSION_LINK_PERF;
		if (argv[i][0] != '-')
			options.ring_records = strtoull(argv[i], NULL, 0);
	}
	r = process_open(options.pid, &proc, &err);
	if (!r)
		r = memory_live_new(options.pid, &mem);
	if (!r)
		r = python_find(proc, mem, &py, &err);
	if (r)
		return fail("target", &err, r);
	layout = layout_find(py, &err);
	if (!layout)
		return fail("layout", &err, -ENOTSUP);
	r = plan_new(&(struct plan_source){ proc, py, layout, mem }, &plan, &err);
	if (r)
		return fail("plan", &err, r);
	if (streq(mode, "plan")) {
		print_plan(plan);
		return 0;
	}
	ledger.dump = streq(mode, "dump");
	r = pools_new(layout, mem, &pools);
	if (r)
		return fail("pools", &err, r);
	options.pools = pools;
	r = choose_link(&options, &err);
	if (r)
		return fail("links", &err, r);
	r = session_new(plan, &options, &session, &err);
	if (r)
		return fail("session", &err, r);
	printf("ready\n");
	fflush(stdout);
	watch(session);
	return 0;
}
