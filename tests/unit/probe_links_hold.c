/* SPDX-License-Identifier: BSD-2-Clause */
/* Without BPF: windows of no places, over memory that is no map. tests/unit/probe_links.c has the
 * real ones. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"
#include "probe/links_hold.h"
#include "probe/links_wire.h"

#include "events.skel.h"

struct server {
	pthread_t thread;
	int control, socket, shared_fd;
	struct events__bss *shared;
};

static void *serve(void *arg)
{
	links_hold_serve((int)(intptr_t)arg);
	return NULL;
}

static void say_hello(int control, int theirs, int shared, size_t count)
{
	struct links_hello hello = { 0 };
	struct iovec part = { &hello, sizeof(hello) };
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(LINKS_FDS * sizeof(int))];
	} extra = { .head = { .cmsg_len = CMSG_LEN(count * sizeof(int)),
			      .cmsg_level = SOL_SOCKET,
			      .cmsg_type = SCM_RIGHTS } };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = &extra,
				  .msg_controllen = CMSG_SPACE(count * sizeof(int)) };
	int fds[LINKS_FDS];

	for (size_t i = 0; i < LINKS_FDS; i++)
		fds[i] = shared;
	fds[LINKS_FD_SOCKET] = theirs;
	memcpy(CMSG_DATA(&extra.head), fds, count * sizeof(int));
	assert_int_equal(sendmsg(control, &message, 0), sizeof(hello));
}

static struct links_answer answer_of(int socket)
{
	struct links_answer answer = { .result = -EPIPE };
	struct pollfd in = { .fd = socket, .events = POLLIN };

	assert_int_equal(poll(&in, 1, 10000), 1);
	if (recv(socket, &answer, sizeof(answer), 0) != sizeof(answer))
		answer.result = -EPIPE;
	return answer;
}

static void start(struct server *s)
{
	int control[2], own[2];

	*s = (struct server){ .shared_fd = memfd_create("shared", MFD_CLOEXEC) };
	assert_int_equal(ftruncate(s->shared_fd, 1 << 20), 0);
	s->shared =
		mmap(NULL, sizeof(*s->shared), PROT_READ | PROT_WRITE, MAP_SHARED, s->shared_fd, 0);
	assert_ptr_not_equal(s->shared, MAP_FAILED);
	s->shared->lease.end_ns = UINT64_MAX;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, control), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, own), 0);
	s->control = control[0];
	s->socket = own[0];
	assert_int_equal(pthread_create(&s->thread, NULL, serve, (void *)(intptr_t)control[1]), 0);
	say_hello(s->control, own[1], s->shared_fd, LINKS_FDS);
	close(own[1]);
	assert_int_equal(answer_of(s->socket).result, 0);
}

/* Returns when all of it is gone. */
static void stop(struct server *s)
{
	close(s->control);
	close(s->socket);
	pthread_join(s->thread, NULL);
	munmap(s->shared, sizeof(*s->shared));
	close(s->shared_fd);
}

static struct links_answer ask(const struct server *s, struct links_request request)
{
	assert_true(send(s->socket, &request, links_request_size(&request), 0) > 0);
	return answer_of(s->socket);
}

static struct links_answer open_window(const struct server *s, uint64_t patience)
{
	return ask(s, (struct links_request){ .op = LINKS_OP_OPEN, .last_ns = patience });
}

static bool ends_within(const struct server *s, int ms)
{
	while (ms-- && !__atomic_load_n(&s->shared->lease.ended_ns, __ATOMIC_SEQ_CST))
		usleep(1000);
	return __atomic_load_n(&s->shared->lease.ended_ns, __ATOMIC_SEQ_CST);
}

static void close_window(const struct server *s)
{
	assert_int_equal(ask(s, (struct links_request){ .op = LINKS_OP_CLOSE }).result, 0);
	assert_int_equal(s->shared->enabled, 0);
}

static void a_window_lasts_as_long_as_it_is_extended(void **state)
{
	struct server s;
	uint64_t began;

	start(&s);
	s.shared->lease.hits_most = UINT64_MAX;
	began = clock_monotonic();
	assert_int_equal(open_window(&s, 100 * NSEC_PER_MSEC).result, 0);
	assert_int_equal(s.shared->enabled, 1);
	for (int i = 0; i < 10; i++) {
		__atomic_store_n(&s.shared->lease.until_ns, clock_monotonic() + NSEC_PER_SEC,
				 __ATOMIC_SEQ_CST);
		assert_false(ends_within(&s, 20));
	}
	__atomic_store_n(&s.shared->lease.until_ns, clock_monotonic() + 50 * NSEC_PER_MSEC,
			 __ATOMIC_SEQ_CST);
	assert_true(ends_within(&s, 5000));
	assert_true(s.shared->lease.ended_ns >= began + 200 * NSEC_PER_MSEC);
	close_window(&s);
	stop(&s);
}

/* A hit where pools are opened counts for more. */
static void a_window_ends_at_so_many_hits(void **state)
{
	struct server s;

	start(&s);
	s.shared->lease.hits_most = 1000;
	s.shared->lease.fresh_extra = 256;
	assert_int_equal(open_window(&s, 60 * NSEC_PER_SEC).result, 0);
	__atomic_store_n(&s.shared->hits[3], 600, __ATOMIC_SEQ_CST);
	__atomic_store_n(&s.shared->hits[SITE_INDEX_FRESH], 199, __ATOMIC_SEQ_CST);
	assert_false(ends_within(&s, 60));
	__atomic_store_n(&s.shared->hits[SITE_INDEX_FRESH], 200, __ATOMIC_SEQ_CST);
	assert_true(ends_within(&s, 5000));
	assert_int_equal(s.shared->lease.closing_hits, 1000);
	close_window(&s);
	stop(&s);
}

static void a_window_ends_when_it_shall(void **state)
{
	struct server s;
	uint64_t end;

	start(&s);
	s.shared->lease.hits_most = UINT64_MAX - 1;
	assert_int_equal(open_window(&s, 60 * NSEC_PER_SEC).result, 0);
	end = clock_monotonic() + 50 * NSEC_PER_MSEC;
	__atomic_store_n(&s.shared->lease.end_ns, end, __ATOMIC_SEQ_CST);
	assert_true(ends_within(&s, 5000));
	assert_true(s.shared->lease.ended_ns >= end);
	close_window(&s);
	stop(&s);
}

/* Places that should be there and are not: the window would miss them. */
static void what_was_kept_must_be_there(void **state)
{
	struct links_request open = { .op = LINKS_OP_OPEN, .has_kept = 1, .last_ns = NSEC_PER_SEC };
	struct server s;

	start(&s);
	s.shared->lease.hits_most = UINT64_MAX;
	s.shared->lease.keep = 1;
	assert_int_equal(ask(&s, open).result, -ESTALE);
	assert_int_equal(s.shared->enabled, 0);
	open.has_kept = 0;
	assert_int_equal(ask(&s, open).result, 0);
	close_window(&s);
	assert_int_equal(s.shared->lease.kept_ended, 0); /* there was nothing to keep */
	stop(&s);
}

static void one_window_at_a_time(void **state)
{
	struct server s;

	start(&s);
	s.shared->lease.hits_most = UINT64_MAX;
	assert_int_equal(open_window(&s, NSEC_PER_SEC).result, 0);
	assert_int_equal(open_window(&s, NSEC_PER_SEC).result, -EALREADY);
	close_window(&s);
	close_window(&s);
	assert_int_equal(open_window(&s, NSEC_PER_SEC).result, 0);
	stop(&s); /* with the window open */
}

/* No program is behind these descriptors: what is asked for fails, and the window does not open. */
static void what_fails_is_said(void **state)
{
	struct links_request places = { .op = LINKS_OP_ADD,
					.group = LINKS_GROWTH,
					.program = LINKS_ON_FRESH,
					.path = "/proc/self/exe",
					.count = 1 };
	struct server s;

	start(&s);
	s.shared->lease.hits_most = UINT64_MAX;
	assert_true(ask(&s, places).result < 0);
	places.group = LINKS_GROUPS;
	assert_int_equal(ask(&s, places).result, -EINVAL);
	assert_int_equal(
		ask(&s, (struct links_request){ .op = LINKS_OP_CLEAR, .group = 99 }).result,
		-EINVAL);
	assert_int_equal(ask(&s, (struct links_request){ .op = 99 }).result, -EINVAL);
	places.op = LINKS_OP_QUEUE;
	places.group = LINKS_HOT;
	assert_true(send(s.socket, &places, links_request_size(&places), 0) > 0);
	assert_true(open_window(&s, NSEC_PER_SEC).result < 0);
	assert_int_equal(s.shared->enabled, 0);
	assert_int_equal(open_window(&s, NSEC_PER_SEC).result, 0);
	stop(&s);
}

/* Who does not keep to what was agreed is left; others are served on. */
static void half_messages_are_none(void **state)
{
	struct links_request request = { .op = LINKS_OP_CLEAR, .count = SITES_MAX + 1 };
	struct server s;
	int own[2];

	start(&s);
	assert_int_equal(send(s.control, "x", 1, 0), 1);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, own), 0);
	say_hello(s.control, own[1], s.shared_fd, 2);
	close(own[1]);
	assert_int_equal(answer_of(own[0]).result, -EPIPE);
	close(own[0]);
	assert_int_equal(open_window(&s, NSEC_PER_SEC).result, 0);
	assert_true(send(s.socket, &request, 100, 0) == 100);
	assert_int_equal(answer_of(s.socket).result, -EPIPE);
	stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_window_lasts_as_long_as_it_is_extended),
		cmocka_unit_test(a_window_ends_at_so_many_hits),
		cmocka_unit_test(a_window_ends_when_it_shall),
		cmocka_unit_test(what_was_kept_must_be_there),
		cmocka_unit_test(one_window_at_a_time),
		cmocka_unit_test(what_fails_is_said),
		cmocka_unit_test(half_messages_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
