/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/links_hold.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/util.h"
#include "probe/links_make.h"
#include "probe/links_moment.h"
#include "probe/links_trace.h"
#include "probe/links_wire.h"

#include "events.skel.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define QUEUE_MOST 8
#define STACK_BYTES (128 << 10)
/* A hit takes longer than this of the target's time, whatever the machine. */
#define HIT_LEAST_NS 300
#define LOOK_LEAST_NS 200000ull
#define LOOK_MOST_NS 20000000ull
#define LOOK_UNKNOWN_NS 1000000ull /* until it is said when the window shall end */
#define WARM_NS 10000000ull
#define WARM_MOST 7
#define LOOK_KEPT_NS 5000000ull	      /* what stays between windows is seldom hit, */
#define LOOK_KEPT_MOST_NS 50000000ull /* and the less often looked at the longer it is not */
#define LITTLE 64

/* The links of one client, and the thread that has to do with them. */
struct hold {
	int fds[LINKS_FDS];
	bool is_perf, is_trace;
	struct links_trace trace; /* of the groups that come and go often */
	struct events__bss *shared;
	struct links_fds groups[LINKS_GROUPS];
	struct links_request *queue[QUEUE_MOST]; /* copies */
	size_t queued;
	int queue_error;
	bool is_open;
	uint32_t cores;
	bool is_kept[SITES_MAX];	/* those of WINDOW */
	uint64_t kept_until, kept_hits; /* the lease as last seen, and their hits by then */
	uint64_t kept_seen, kept_nap;	/* hits when last looked at, and how long until the next */
	uint64_t warm_ns;		/* when breakpoints were last changed in this window */
	pid_t pid;			/* of whom the last places are */
	cpu_set_t cpus;			/* that we may have */
	struct links_request request;	/* at hand */
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t gone;
	size_t count;
} holds = { .lock = PTHREAD_MUTEX_INITIALIZER, .gone = PTHREAD_COND_INITIALIZER };

static size_t shared_bytes(void)
{
	return round_up(sizeof(struct events__bss), (uint64_t)sysconf(_SC_PAGESIZE));
}

static uint64_t load(const __u64 *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static void store(__u64 *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

static void hold_extend(struct hold *h, uint64_t until)
{
	if (load(&h->shared->lease.until_ns) < until)
		store(&h->shared->lease.until_ns, until);
}

static void hold_note_sites(struct hold *h, const struct links_request *request)
{
	memset(h->is_kept, 0, sizeof(h->is_kept));
	for (size_t i = 0; i < request->count; i++) {
		union site_word word = { .word = request->words[request->count + i] };

		h->is_kept[word.c.site % SITES_MAX] = true;
	}
}

static int hold_attach(struct hold *h, const struct links_request *request)
{
	if (request->group >= LINKS_GROUPS || request->program >= LINKS_PROGRAMS)
		return -EINVAL;
	h->pid = request->pid;
	if (request->group == LINKS_WINDOW)
		hold_note_sites(h, request);
	if (h->is_trace && (request->group != LINKS_PASSING || request->op == LINKS_OP_SAMPLE))
		return links_trace_make(&h->trace, &h->groups[request->group], request,
					h->fds[LINKS_FD_PROGRAMS + request->program]);
	return links_make(&h->groups[request->group], request,
			  h->fds[LINKS_FD_PROGRAMS + request->program], h->is_perf);
}

static void hold_drop_queue(struct hold *h, bool with_way)
{
	size_t kept = 0;

	for (size_t i = 0; i < h->queued; i++) {
		if (h->queue[i]->group == LINKS_WAY && !with_way)
			h->queue[kept++] = h->queue[i];
		else
			free(h->queue[i]);
	}
	h->queued = kept;
	h->queue_error = 0;
}

/* Between windows. */
static bool hold_has_kept(const struct hold *h)
{
	return !h->is_open && h->groups[LINKS_WINDOW].count;
}

static void hold_drop_kept(struct hold *h)
{
	if (!hold_has_kept(h))
		return;
	links_make_undone(&h->groups[LINKS_WINDOW]);
	store(&h->shared->lease.kept_ended, 1);
}

static uint64_t hold_kept_hits(const struct hold *h)
{
	uint64_t hits = 0;

	for (size_t i = 0; i < SITES_MAX; i++)
		if (h->is_kept[i])
			hits += __atomic_load_n(&h->shared->hits[i], __ATOMIC_RELAXED);
	return hits;
}

static void hold_look_kept(struct hold *h)
{
	uint64_t hits = hold_kept_hits(h), most = load(&h->shared->lease.kept_most);

	h->kept_nap = hits - h->kept_seen > most / LITTLE ? LOOK_KEPT_NS
							  : MIN(2 * h->kept_nap, LOOK_KEPT_MOST_NS);
	h->kept_seen = hits;
	if (hits - h->kept_hits > most)
		hold_drop_kept(h);
}

/* What is hit most goes first. */
static void hold_undo_window(struct hold *h, bool with_cold)
{
	struct links_fds *groups[] = { &h->groups[LINKS_HOT], &h->groups[LINKS_WAY],
				       &h->groups[LINKS_WINDOW] };

	links_make_undone_together(groups, with_cold ? 3 : 2);
}

static void *hold_undo(void *arg)
{
	hold_undo_window(arg, false);
	return NULL;
}

/* That waits for grace periods, in which what stays may be hit like never before. */
static void hold_undo_beside(struct hold *h)
{
	pthread_t thread;
	struct timespec until;

	if (pthread_create(&thread, NULL, hold_undo, h)) {
		hold_undo(h);
		return;
	}
	do {
		uint64_t end = clock_monotonic() + LOOK_KEPT_NS;

		hold_look_kept(h);
		until = (struct timespec){ .tv_sec = (time_t)(end / NSEC_PER_SEC),
					   .tv_nsec = (long)(end % NSEC_PER_SEC) };
	} while (pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until) == ETIMEDOUT);
}

static void hold_make_way(struct hold *h)
{
	for (size_t i = 0; i < h->queued; i++)
		if (h->queue[i]->group == LINKS_WAY)
			(void)hold_attach(h, h->queue[i]);
	h->warm_ns = clock_monotonic();
}

/*
 * What makes closing wait (links_close_window()) comes back 10 to 30 ms after the last change, so a
 * window that lasts longer has the way made now and then. One that lasts much longer costs so
 * little that its closing may take its time. Returns when to come again.
 */
static uint64_t hold_stay_warm(struct hold *h, uint64_t now)
{
	if (h->groups[LINKS_WAY].count >= WARM_MOST)
		return UINT64_MAX;
	if (now - h->warm_ns >= WARM_NS) {
		hold_make_way(h);
		return WARM_NS;
	}
	return h->warm_ns + WARM_NS - now;
}

static void hold_close_window(struct hold *h)
{
	struct events__bss *s = h->shared;

	if (!h->is_open)
		return;
	h->is_open = false;
	store(&s->lease.closing_hits, links_hits(h->shared));
	store(&s->lease.closing_ns, clock_monotonic());
	hold_make_way(h);
	s->ended.is_running = links_is_hit(s);
	links_note_end(s, h->pid, &s->ended);
	store(&s->lease.ended_ns, s->ended.ns);
	sched_setaffinity(0, sizeof(h->cpus), &h->cpus);
	if (load(&s->lease.keep)) {
		h->kept_hits = h->kept_seen = hold_kept_hits(h);
		h->kept_nap = LOOK_KEPT_NS;
		hold_undo_beside(h);
	} else {
		hold_undo_window(h, true);
	}
	hold_drop_queue(h, true);
}

static bool hold_is_overdrawn(const struct hold *h)
{
	return links_hits(h->shared) >= load(&h->shared->lease.hits_most);
}

/* All that was queued, unless it costs too much before it is complete. */
static int hold_attach_queued(struct hold *h)
{
	int r = h->queue_error;

	for (size_t i = 0; !r && i < h->queued && !hold_is_overdrawn(h); i++)
		if (h->queue[i]->group != LINKS_WAY)
			r = hold_attach(h, h->queue[i]);
	return r;
}

static int hold_open_window(struct hold *h, uint64_t *ret_ns)
{
	struct events__bss *s = h->shared;
	uint64_t patience = h->request.last_ns;
	int r;

	if (h->is_open)
		return -EALREADY;
	h->cores = MAX(h->request.cores, 1u);
	if (!h->request.has_kept)
		hold_drop_kept(h);
	r = h->request.has_kept && !hold_has_kept(h) ? -ESTALE : hold_attach_queued(h);
	if (r) {
		links_make_undone(&h->groups[LINKS_HOT]);
		hold_drop_kept(h);
		hold_drop_queue(h, true);
		return r;
	}
	hold_drop_queue(h, false);
	s->pending.old = 0;
	s->pending.inside = 0;
	store(&s->lease.ended_ns, 0);
	store(&s->lease.kept_ended, 0);
	links_stand_aside(h->pid, &h->cpus);
	links_note_begin(s, h->pid, &s->begun);
	__atomic_store_n(&s->enabled, 1, __ATOMIC_SEQ_CST);
	*ret_ns = s->begun.ns;
	hold_extend(h, *ret_ns + patience);
	h->warm_ns = *ret_ns;
	h->is_open = true;
	s->begun.is_running = links_is_hit(s);
	return 0;
}

static int hold_queue(struct hold *h)
{
	size_t size = links_request_size(&h->request);
	struct links_request *copy = NULL;

	if (h->queued < QUEUE_MOST)
		copy = malloc(size);
	if (!copy) {
		h->queue_error = -ENOMEM;
		return 0;
	}
	memcpy(copy, &h->request, size);
	h->queue[h->queued++] = copy;
	if (h->is_trace && copy->program < LINKS_PROGRAMS && !h->queue_error)
		h->queue_error = links_trace_prepare(&h->trace, copy,
						     h->fds[LINKS_FD_PROGRAMS + copy->program]);
	return 0;
}

static int hold_add(struct hold *h)
{
	int r = hold_attach(h, &h->request);

	if (r && h->request.group < LINKS_GROUPS)
		links_make_undone(&h->groups[h->request.group]);
	else if (h->request.group == LINKS_GROWTH)
		store(&h->shared->lease.growth_ended, 0);
	return r;
}

static int hold_clear(struct hold *h)
{
	if (h->request.group >= LINKS_GROUPS)
		return -EINVAL;
	links_make_undone(&h->groups[h->request.group]);
	return 0;
}

static int hold_sample(struct hold *h)
{
	struct events__bss *s = h->shared;
	uint64_t first, end;
	bool running;
	int r;

	r = hold_attach(h, &h->request);
	links_stand_aside(h->pid, &h->cpus);
	running = !r && links_is_hit(s);
	links_note_begin(s, h->pid, &s->begun);
	s->begun.is_running = running;
	first = links_hits(h->shared);
	end = clock_monotonic() + h->request.last_ns;
	while (!r && clock_monotonic() < end && links_hits(h->shared) - first < h->request.most)
		running = links_is_hit(s);
	links_note_end(s, h->pid, &s->ended);
	s->ended.is_running = running;
	sched_setaffinity(0, sizeof(h->cpus), &h->cpus);
	links_make_undone(&h->groups[h->request.group % LINKS_GROUPS]);
	return r;
}

static uint32_t hold_count(const struct hold *h)
{
	size_t count = 0;

	for (size_t i = 0; i < LINKS_GROUPS; i++)
		count += h->groups[i].count;
	return (uint32_t)count;
}

static void hold_answer(struct hold *h, int result, uint64_t at)
{
	struct links_answer answer = { .result = result, .held = hold_count(h), .at_ns = at };

	(void)send(h->fds[LINKS_FD_SOCKET], &answer, sizeof(answer), MSG_NOSIGNAL);
}

static void hold_do(struct hold *h)
{
	uint64_t at = 0;
	int r = -EINVAL;

	switch ((enum links_op)h->request.op) {
	case LINKS_OP_QUEUE:
		hold_queue(h);
		return;
	case LINKS_OP_OPEN:
		r = hold_open_window(h, &at);
		break;
	case LINKS_OP_CLOSE:
		hold_close_window(h);
		if (!load(&h->shared->lease.keep))
			hold_drop_kept(h); /* of one that ended by itself */
		r = 0;
		break;
	case LINKS_OP_ADD:
		r = hold_add(h);
		break;
	case LINKS_OP_CLEAR:
		r = hold_clear(h);
		break;
	case LINKS_OP_SAMPLE:
		r = hold_sample(h);
		break;
	}
	hold_extend(h, clock_monotonic() + LINKS_PATIENCE_NS); /* who asks, lives */
	hold_answer(h, r, at);
}

/* Who shares its memory with us asks for nothing unreasonable, but half a message is none. False:
 * the client is gone. */
static bool hold_receive(struct hold *h)
{
	ssize_t n = recv(h->fds[LINKS_FD_SOCKET], &h->request, sizeof(h->request), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n < (ssize_t)offsetof(struct links_request, words) || h->request.count > SITES_MAX ||
	    (size_t)n != links_request_size(&h->request))
		return false;
	hold_do(h);
	return true;
}

/* Ends what was not extended. Returns when to look again; UINT64_MAX: there is nothing to end. */
static uint64_t hold_look(struct hold *h)
{
	const struct events_lease *lease = &h->shared->lease;
	uint64_t now = clock_monotonic(), until = load(&lease->until_ns);
	uint64_t most = load(&lease->hits_most), hits, left, end;
	bool has_kept = hold_has_kept(h);

	if (until != h->kept_until) {
		h->kept_until = until;
		h->kept_hits = hold_kept_hits(h);
	}
	if (!h->is_open && !has_kept && !h->groups[LINKS_GROWTH].count)
		return UINT64_MAX;
	if (now >= until) {
		hold_close_window(h);
		hold_drop_kept(h);
		__atomic_store_n(&h->shared->growth_enabled, 0, __ATOMIC_SEQ_CST);
		store(&h->shared->lease.growth_ended, 1);
		links_make_undone(&h->groups[LINKS_GROWTH]);
		return UINT64_MAX;
	}
	if (has_kept) {
		hold_look_kept(h);
		return MIN(until - now, h->kept_nap);
	}
	if (!h->is_open || most == UINT64_MAX)
		return until - now;
	hits = links_hits(h->shared);
	end = load(&lease->end_ns);
	if (hits >= most || now >= end) {
		hold_close_window(h);
		return LOOK_LEAST_NS;
	}
	left = MIN(most - hits, LOOK_MOST_NS) * HIT_LEAST_NS / h->cores;
	left = MIN(MAX(left, LOOK_LEAST_NS), LOOK_MOST_NS);
	if (end != UINT64_MAX)
		left = MIN(left, hold_stay_warm(h, now));
	else if (now - h->warm_ns < WARM_NS)
		left = MIN(left, LOOK_UNKNOWN_NS);
	until = MIN(until, end);
	return MIN(left, until - now);
}

static void hold_serve(struct hold *h)
{
	struct pollfd in = { .fd = h->fds[LINKS_FD_SOCKET], .events = POLLIN };

	hold_answer(h, 0, 0);
	for (;;) {
		uint64_t left = hold_look(h);
		struct timespec nap = { .tv_sec = (time_t)(left / NSEC_PER_SEC),
					.tv_nsec = (long)(left % NSEC_PER_SEC) };

		if (ppoll(&in, 1, left == UINT64_MAX ? NULL : &nap, NULL) > 0 && !hold_receive(h))
			return;
	}
}

static void hold_free(struct hold *h)
{
	/* Programs are told first: what still comes by costs less. */
	if (h->shared) {
		__atomic_store_n(&h->shared->growth_enabled, 0, __ATOMIC_SEQ_CST);
		hold_close_window(h);
		munmap(h->shared, shared_bytes());
	}
	for (size_t i = 0; i < LINKS_GROUPS; i++)
		links_make_undone(&h->groups[i]);
	hold_drop_queue(h, true);
	for (size_t i = 0; i < LINKS_FDS; i++)
		cleanup_close(&h->fds[i]);
	links_trace_fini(&h->trace); /* slow, and nobody waits for it any more */
	free(h);
}

static void *hold_main(void *arg)
{
	struct hold *h = arg;

	sched_getaffinity(0, sizeof(h->cpus), &h->cpus);
	h->shared = mmap(NULL, shared_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED,
			 h->fds[LINKS_FD_SHARED], 0);
	if (h->shared == MAP_FAILED) {
		h->shared = NULL;
		hold_answer(h, -errno, 0);
	} else {
		hold_serve(h);
	}
	hold_free(h);
	pthread_mutex_lock(&holds.lock);
	if (!--holds.count)
		pthread_cond_signal(&holds.gone);
	pthread_mutex_unlock(&holds.lock);
	return NULL;
}

/* 1: a client came; 0: there will be none any more; or negative errno. */
static int receive_hello(int control, struct hold *h)
{
	struct links_hello hello;
	struct iovec part = { .iov_base = &hello, .iov_len = sizeof(hello) };
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(LINKS_FDS * sizeof(int))];
	} extra;
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = &extra,
				  .msg_controllen = sizeof(extra.space) };
	ssize_t n = recvmsg(control, &message, MSG_CMSG_CLOEXEC);
	const struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	if (n <= 0)
		return n ? -errno : 0;
	if (head)
		memcpy(h->fds, CMSG_DATA(head), MIN(head->cmsg_len - CMSG_LEN(0), sizeof(h->fds)));
	if (n != (ssize_t)sizeof(hello) || !head || head->cmsg_len != CMSG_LEN(sizeof(h->fds)))
		return -EBADMSG;
	h->is_perf = hello.is_perf;
	h->is_trace = hello.is_perf && links_trace_usable();
	return 1;
}

static int start_hold(struct hold *h)
{
	pthread_attr_t small;
	pthread_t thread;
	int r;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, STACK_BYTES);
	pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
	pthread_mutex_lock(&holds.lock);
	r = pthread_create(&thread, &small, hold_main, h);
	holds.count += !r;
	pthread_mutex_unlock(&holds.lock);
	pthread_attr_destroy(&small);
	return -r;
}

void links_hold_serve(int control)
{
	int r = 1;

	while (r > 0 || r == -EINTR || r == -EBADMSG || r == -EMFILE) {
		struct hold *h = calloc(1, sizeof(*h));

		if (!h)
			break;
		memset(h->fds, -1, sizeof(h->fds));
		r = receive_hello(control, h);
		if (r <= 0 || start_hold(h))
			hold_free(h);
	}
	close(control);
	pthread_mutex_lock(&holds.lock);
	while (holds.count)
		pthread_cond_wait(&holds.gone, &holds.lock);
	pthread_mutex_unlock(&holds.lock);
}
