/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/links.h"

#include "base/util.h"
#include "probe/links_process.h"
#include "probe/links_wire.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#define LOOK_AGAIN_MS 1000

struct links {
	int fd; /* to the thread of pymemtop-links that is ours */
	bool is_gone;
	size_t held;
	struct links_request request;
};

/* Descriptors are in it: all or none arrives. */
static int send_hello(int control, const struct links_options *options, int theirs)
{
	struct links_hello hello = { .is_perf = options->is_perf };
	struct iovec part = { .iov_base = &hello, .iov_len = sizeof(hello) };
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(LINKS_FDS * sizeof(int))];
	} extra = { 0 };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = &extra,
				  .msg_controllen = sizeof(extra.space) };
	int fds[LINKS_FDS];

	fds[LINKS_FD_SOCKET] = theirs;
	fds[LINKS_FD_SHARED] = options->shared;
	memcpy(&fds[LINKS_FD_PROGRAMS], options->programs, sizeof(options->programs));
	extra.head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(fds)),
				       .cmsg_level = SOL_SOCKET,
				       .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(&extra.head), fds, sizeof(fds));
	return sendmsg(control, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* It may take long where every place is detached by itself. One who is stopped is woken: nobody
 * but us has a use for it. */
static int wait_answer(struct links *links, struct links_answer *ret)
{
	struct pollfd in = { .fd = links->fd, .events = POLLIN };
	ssize_t n;

	for (;;) {
		int r = poll(&in, 1, LOOK_AGAIN_MS);

		if (r < 0 && errno != EINTR)
			return -errno;
		if (!r)
			links_process_wake();
		if (r > 0)
			break;
	}
	n = recv(links->fd, ret, sizeof(*ret), 0);
	if (n < 0 && errno != ECONNRESET)
		return -errno;
	if (n != (ssize_t)sizeof(*ret)) {
		links->is_gone = true;
		links->held = 0;
		return -EPIPE;
	}
	links->held = ret->held;
	return ret->result;
}

static int send_request(struct links *links)
{
	if (links->is_gone)
		return -EPIPE;
	if (send(links->fd, &links->request, links_request_size(&links->request), MSG_NOSIGNAL) >=
	    0)
		return 0;
	if (errno != EPIPE && errno != ECONNRESET)
		return -errno;
	links->is_gone = true;
	links->held = 0;
	return -EPIPE;
}

static int call(struct links *links, struct links_answer *ret)
{
	struct links_answer answer;
	int r = send_request(links);

	return r ? r : wait_answer(links, ret ? ret : &answer);
}

int links_new(const struct links_options *options, struct links **ret)
{
	_cleanup_links_ struct links *links = calloc(1, sizeof(*links));
	_cleanup_close_ int theirs = -1;
	struct links_answer answer;
	int pair[2], control, r;

	if (!links)
		return -ENOMEM;
	links->fd = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	links->fd = pair[0];
	theirs = pair[1];
	/* One that ended just now is found out by writing to it. */
	for (int tries = 0; tries < 2; tries++) {
		control = links_process_start();
		r = control < 0 ? control : send_hello(control, options, theirs);
		if (r != -EPIPE && r != -ECONNRESET)
			break;
		links_process_lost(control);
	}
	cleanup_close(&theirs);
	if (!r)
		r = wait_answer(links, &answer);
	if (!r)
		*ret = TAKE_PTR(links);
	return r;
}

/* Its thread detaches all when it sees that we are gone, and is gone itself when all is. */
void links_free(struct links *links)
{
	struct links_answer answer;

	if (!links)
		return;
	if (links->fd >= 0 && !links->is_gone && !shutdown(links->fd, SHUT_WR))
		while (wait_answer(links, &answer) != -EPIPE && !links->is_gone)
			;
	cleanup_close(&links->fd);
	free(links);
}

static int fill(struct links *links, enum links_op op, enum links_group group,
		const struct links_batch *batch)
{
	struct links_request *request = &links->request;

	request->op = op;
	request->group = group;
	request->count = 0;
	if (!batch)
		return 0;
	if (batch->count > SITES_MAX)
		return -E2BIG;
	if (strlen(batch->path) >= sizeof(request->path))
		return -ENAMETOOLONG;
	request->program = batch->program;
	request->is_return = batch->is_return;
	request->pid = batch->pid;
	request->count = (uint32_t)batch->count;
	memcpy(request->path, batch->path, strlen(batch->path) + 1);
	memcpy(request->words, batch->offsets, batch->count * sizeof(uint64_t));
	memcpy(request->words + batch->count, batch->cookies, batch->count * sizeof(uint64_t));
	return 0;
}

int links_add(struct links *links, enum links_group group, const struct links_batch *batch)
{
	int r = batch->count ? fill(links, LINKS_OP_ADD, group, batch) : 0;

	return r || !batch->count ? r : call(links, NULL);
}

int links_clear(struct links *links, enum links_group group)
{
	fill(links, LINKS_OP_CLEAR, group, NULL);
	return call(links, NULL);
}

int links_queue(struct links *links, enum links_group group, const struct links_batch *batch)
{
	int r = batch->count ? fill(links, LINKS_OP_QUEUE, group, batch) : 0;

	return r || !batch->count ? r : send_request(links);
}

int links_open_window(struct links *links, uint64_t patience_ns, int cores, bool has_kept,
		      uint64_t *ret_ns)
{
	struct links_answer answer;
	int r;

	fill(links, LINKS_OP_OPEN, LINKS_WINDOW, NULL);
	links->request.last_ns = patience_ns;
	links->request.cores = (uint32_t)MAX(cores, 1);
	links->request.has_kept = has_kept;
	r = call(links, &answer);
	if (!r && ret_ns)
		*ret_ns = answer.at_ns;
	return r;
}

int links_close_window(struct links *links)
{
	fill(links, LINKS_OP_CLOSE, LINKS_WINDOW, NULL);
	return call(links, NULL);
}

int links_sample(struct links *links, const struct links_batch *batch, uint64_t last_ns,
		 uint64_t most)
{
	int r = fill(links, LINKS_OP_SAMPLE, LINKS_PASSING, batch);

	links->request.last_ns = last_ns;
	links->request.most = most;
	return r || !batch->count ? r : call(links, NULL);
}

bool links_is_alive(const struct links *links)
{
	char byte;

	/* It writes only when asked: what there is to read is the end. */
	return !links->is_gone && recv(links->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
	       (errno == EAGAIN || errno == EINTR);
}

size_t links_held(const struct links *links)
{
	return links->held;
}
