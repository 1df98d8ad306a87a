/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records as a target makes them that calls its allocator as it likes, in a ring that may be torn:
 * consumed, counted by type, put into ledgers and replayed around censuses that see something else.
 * The fuzzer plays the session; the memory behind the records is our own.
 */
#include "base/cleanup.h"
#include "base/util.h"
#include "layout/layout.h"
#include "model/tracer.h"
#include "probe/cost.h"
#include "probe/session.h"
#include "target/process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PLACES 64
#define HEAP_BASE 0x10000000ull
#define HEAP_SIZE 0x40000ull
#define TYPES_BASE (HEAP_BASE + HEAP_SIZE / 2)
#define STROKE 12 /* bytes of input */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- the session that the tracer gets ----------------------------------------------------------
 */

struct session {
	struct event places[PLACES];
	uint64_t produced, consumed;
	struct ring ring;
	struct session_options options;
	const struct plan *plan;
	uint64_t lost;
	bool torn; /* some place may never become readable */
};

static struct session *current;
static bool is_glibc;

int plan_new(const struct plan_source *source, struct plan **ret, struct error *err)
{
	struct plan *plan = calloc(1, sizeof(*plan));

	if (!plan)
		return -ENOMEM;
	plan->is_glibc = is_glibc;
	*ret = plan;
	return 0;
}

void plan_free(struct plan *plan)
{
	free(plan);
}

int cost_recall(enum session_link link, struct cost *ret, struct error *err)
{
	*ret = (struct cost){ .alloc_ns = 600, .free_ns = 800, .address_space_filter = true };
	return 0;
}

const char *session_refusal(const struct session *session, size_t index)
{
	return NULL;
}

int cost_check_seccomp(const struct process *proc, enum session_link link, struct error *err)
{
	return 0;
}

double cost_site_ns(const struct cost *cost, const struct site *site)
{
	return 1000;
}

double cost_hit_ns(const struct cost *cost, const struct plan *plan)
{
	return 700;
}

double cost_opening_ns(const struct cost *cost, const struct plan *plan)
{
	return 1500;
}

uint64_t cost_exit_ns(const struct cost *cost, size_t sites)
{
	return 500000;
}

double cost_turn_ns(const struct cost *cost, size_t sites)
{
	return 1000000;
}

int session_new(const struct plan *plan, const struct session_options *options,
		struct session **ret, struct error *err)
{
	struct session *session = calloc(1, sizeof(*session));

	if (!session)
		return -ENOMEM;
	session->options = *options;
	session->plan = plan;
	session->ring =
		(struct ring){ session->places, PLACES, &session->produced, &session->consumed, 0 };
	*ret = current = session;
	return 0;
}

void session_free(struct session *session)
{
	free(session);
	current = NULL;
}

ssize_t session_consume(struct session *session, session_event_fn fn, void *arg, size_t max)
{
	return records_consume(&session->ring, session->plan->is_glibc, session->options.pools, fn,
			       arg, max);
}

/* Where the tracer waits for all that is there, a torn place would keep it waiting. */
size_t session_backlog(const struct session *session)
{
	return session->torn ? 0 : ring_backlog(&session->ring);
}

bool session_is_attached(const struct session *session)
{
	return true;
}

bool session_has_ended(struct session *session)
{
	return false;
}

/* Where the tracer waits for all that was produced, a torn place would keep it waiting: there the
 * kernel has stopped a program between two stores, which it does not. */
void session_stats(const struct session *session, struct session_stats *ret)
{
	*ret = (struct session_stats){ .lost = session->lost };
	ret->counts[EVENTS_RECORDS] = session->torn ? session->ring.at : session->produced;
}

uint64_t session_site_hits(const struct session *session, size_t index)
{
	return 0;
}

/* Only the thread needs these, and none is started. */
int session_attach(struct session *session, struct error *err)
{
	abort();
}

uint64_t session_detach(struct session *session)
{
	abort();
}

const struct events_moment *session_begun(const struct session *session)
{
	abort();
}

const struct events_moment *session_ended(const struct session *session)
{
	abort();
}

void session_extend(struct session *session)
{
	abort();
}

void session_count_gap(struct session *session)
{
	abort();
}

void session_allow(struct session *session, uint64_t hits, double fresh, uint64_t end_ns)
{
	abort();
}

int session_sample(struct session *session, size_t index, uint64_t last_ns, uint64_t most)
{
	abort();
}

bool session_is_hit(const struct session *session)
{
	return false;
}

int session_divide(struct session *session, const bool *cold, uint64_t most)
{
	return 0;
}

bool session_has_kept(const struct session *session)
{
	return false;
}

bool session_did_keep(const struct session *session)
{
	return false;
}

int session_drop_kept(struct session *session)
{
	return 0;
}

struct session_turns session_turns(const struct session *session)
{
	return (struct session_turns){ 1, 1 };
}

int session_sweep(struct session *session)
{
	abort();
}

int session_look(struct session *session, size_t first, size_t count, uint64_t last_ns,
		 uint64_t most)
{
	abort();
}

int session_watch_growth(struct session *session, bool on)
{
	abort();
}

/* ---- what is written ---------------------------------------------------------------------------
 */

/* Addresses of few blocks, so that frees meet allocations; some beside them, some anywhere. */
static uint64_t address(uint16_t pick)
{
	static const uint64_t odd[] = {
		0, 1, UINT64_MAX, 1ull << 47, HEAP_BASE - 8, HEAP_BASE + HEAP_SIZE - 8
	};

	if (pick >> 14 == 3)
		return odd[pick % ARRAY_SIZE(odd)];
	if (pick >> 14 == 2)
		return HEAP_BASE + pick % HEAP_SIZE * 8 % HEAP_SIZE;
	return HEAP_BASE + pick % 512 * 64;
}

static uint64_t number(uint8_t pick)
{
	static const uint64_t odd[] = {
		0, 1, 512, 513, INT64_MAX, UINT64_MAX, UINT64_MAX - 7, 1ull << 32
	};

	return pick < 128 ? pick : odd[pick % ARRAY_SIZE(odd)];
}

static void produce(struct session *session, const uint8_t *in)
{
	struct event *event = &session->places[session->produced % PLACES];
	union event_word head = { .kind = in[0] >> 3 & 7, .flags = in[1], .site = in[2] };

	if (session->produced - session->consumed >= PLACES) {
		session->lost++;
		return;
	}
	event->addr = address(load_u16(in + 4));
	for (int i = 0; i < 3; i++)
		event->types[i] = address(load_u16(in + 6 + 2 * i));
	if (head.kind != EVENT_FREE) {
		event->large.size = number(in[6]);
		event->large.chunk = number(in[7]) | in[8];
	}
	head.turn = EVENT_TURN(session->produced);
	if (in[3] == 0xff) {
		head.turn += in[2];
		session->torn = true;
	}
	event->head = head;
	session->produced++;
}

/* ---- one run -----------------------------------------------------------------------------------
 */

static void write_word(const uint8_t *in)
{
	uint64_t value = in[1] & 1 ? address(load_u16(in + 6)) : number(in[6]);

	memcpy((void *)(HEAP_BASE + load_u16(in + 4) * 8ull % (HEAP_SIZE - 8)), &value, 8);
}

/* Objects whose type is one of a few, and those types, that are of the type at their front. */
static void fill_heap(const struct layout *l)
{
	memset((void *)HEAP_BASE, 0, HEAP_SIZE);
	for (uint64_t at = HEAP_BASE; at < TYPES_BASE; at += 64) {
		uint64_t type = TYPES_BASE + at / 64 % 8 * 1024, one = 1;

		memcpy((void *)(at + l->ob_refcnt), &one, 8);
		memcpy((void *)(at + l->ob_type), &type, 8);
	}
	for (uint64_t type = TYPES_BASE; type < TYPES_BASE + 8 * 1024; type += 1024) {
		uint64_t words[] = { TYPES_BASE, type + 960, TPFLAGS_READY | TPFLAGS_TYPE_SUBCLASS,
				     48 };

		memcpy((void *)(type + l->ob_type), &words[0], 8);
		memcpy((void *)(type + l->tp_name), &words[1], 8);
		memcpy((void *)(type + l->tp_flags), &words[2], 8);
		memcpy((void *)(type + l->tp_basicsize), &words[3], 8);
		memcpy((void *)(type + 960), "a.Type", 7);
	}
}

static void stroke(struct tracer *tracer, const uint8_t *in)
{
	struct blocks_drift drift;
	struct tracer_stats stats;

	switch (in[0] & 7) {
	case 0:
		tracer_lock(tracer);
		if (!current->torn && ring_backlog(&current->ring))
			abort();
		tracer_get_stats(tracer, &stats);
		if (stats.failed)
			abort();
		tracer_unlock(tracer);
		break;
	case 1:
		if (in[1] % 2)
			tracer_census_abort(tracer);
		else
			(void)tracer_census_end(tracer, &drift);
		break;
	case 2:
		tracer_census_block(tracer, address(load_u16(in + 4)) | 8, number(in[6]),
				    in[1] & 1);
		break;
	case 3:
		write_word(in);
		break;
	default:
		produce(current, in);
	}
	if (in[0] == 0x41) {
		tracer_census_abort(tracer);
		if (tracer_census_begin(tracer))
			abort();
	}
}

static const struct layout *pick_layout(uint8_t which)
{
	size_t count;
	const struct layout *const *all = layout_all(&count);
	const struct layout *layout = all[which % count];

	/* For builds without the GIL no plan is made, and so no tracer. */
	return layout->refcount == LAYOUT_REFCOUNT_SPLIT ? all[0] : layout;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct process *proc;
	static struct memory *mem;
	struct tracer_options options = { .exact = true };
	cleanup(tracer_freep) struct tracer *tracer = NULL;

	if (size < 2)
		return 0;
	if (!proc && (process_open(getpid(), &proc, NULL) || memory_live_new(getpid(), &mem) ||
		      mmap((void *)HEAP_BASE, HEAP_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED))
		abort();
	options.layout = pick_layout(data[0]);
	options.proc = proc;
	options.mem = mem;
	is_glibc = data[1] & 1;
	fill_heap(options.layout);
	if (tracer_new(&options, &tracer, NULL))
		abort();
	if (data[1] & 2 && tracer_census_begin(tracer))
		abort();
	for (size_t i = 2; i + STROKE <= size; i += STROKE)
		stroke(tracer, data + i);
	return 0;
}
