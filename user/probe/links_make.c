/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/links_make.h"

#include "base/cleanup.h"
#include "base/util.h"
#include "probe/kernel.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#define SIDE_BY_SIDE 16
#define STACK_BYTES (64 << 10)
#define UPROBE_MULTI_RETURN 1 /* BPF_F_UPROBE_MULTI_RETURN */
#define PMU "/sys/bus/event_source/devices/uprobe/"

/* What BPF_LINK_CREATE reads for BPF_TRACE_UPROBE_MULTI (include/uapi/linux/bpf.h, v6.6). */
struct link_create_uprobe_multi {
	uint32_t prog_fd;
	uint32_t target_fd;
	uint32_t attach_type;
	uint32_t flags;
	uint64_t path;
	uint64_t offsets;
	uint64_t ref_ctr_offsets;
	uint64_t cookies;
	uint32_t count;
	uint32_t multi_flags;
	uint32_t pid;
	uint32_t pad;
};

_Static_assert(sizeof(struct link_create_uprobe_multi) == 64, "the kernel's layout");

int links_make_grow(struct links_fds *fds, size_t more)
{
	int *grown = reallocarray(fds->list, fds->count + more, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	fds->list = grown;
	return 0;
}

static int make_multi(struct links_fds *fds, const struct links_request *request, int program)
{
	struct link_create_uprobe_multi attr = {
		.prog_fd = (uint32_t)program,
		.attach_type = LINKS_UPROBE_MULTI,
		.path = (uint64_t)(uintptr_t)request->path,
		.offsets = (uint64_t)(uintptr_t)request->words,
		.cookies = (uint64_t)(uintptr_t)(request->words + request->count),
		.count = request->count,
		.multi_flags = request->is_return ? UPROBE_MULTI_RETURN : 0,
		.pid = (uint32_t)request->pid,
	};
	int r = links_make_grow(fds, 1);
	long fd;

	if (r)
		return r;
	fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
	if (fd < 0)
		return -errno;
	fds->list[fds->count++] = (int)fd;
	return 0;
}

/* What the file says behind its first @skip characters; -1: nothing. */
static int read_number(const char *path, size_t skip)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[64] = "";
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	return n > (ssize_t)skip ? atoi(text + skip) : -1;
}

static int open_event(const struct links_request *request, uint64_t offset)
{
	int type = read_number(PMU "type", 0);
	int bit = read_number(PMU "format/retprobe", strlen("config:"));
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = (uint32_t)type,
		.config1 = (uint64_t)(uintptr_t)request->path,
		.config2 = offset,
	};
	long fd;

	if (type < 0 || bit < 0 || bit > 63)
		return -ENOTSUP;
	if (request->is_return)
		attr.config = 1ull << bit;
	fd = syscall(SYS_perf_event_open, &attr, request->pid ? request->pid : -1,
		     request->pid ? -1 : 0, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : (int)fd;
}

int links_make_give(int event, int program, uint64_t cookie, int *ret_link)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .perf_event.bpf_cookie = cookie);
	int link;

	if (!kernel_has(KERNEL_COOKIE))
		return ioctl(event, PERF_EVENT_IOC_SET_BPF, program) ? -errno : 0;
	link = bpf_link_create(program, event, BPF_PERF_EVENT, &opts);
	if (link < 0)
		return link;
	*ret_link = link;
	return 0;
}

static int make_one(struct links_fds *fds, const struct links_request *request, int program,
		    size_t place)
{
	int event = open_event(request, request->words[place]), link = -1, r;

	if (event < 0)
		return event;
	r = links_make_give(event, program, request->words[request->count + place], &link);
	if (!r && ioctl(event, PERF_EVENT_IOC_ENABLE, 0))
		r = -errno;
	if (r) {
		cleanup_close(&link);
		close(event);
		return r;
	}
	if (link >= 0)
		fds->list[fds->count++] = link;
	fds->list[fds->count++] = event;
	return 0;
}

static int make_each(struct links_fds *fds, const struct links_request *request, int program)
{
	int r = links_make_grow(fds, 2 * (size_t)request->count);

	for (size_t i = 0; !r && i < request->count; i++)
		r = make_one(fds, request, program, i);
	return r;
}

int links_make(struct links_fds *fds, const struct links_request *request, int program,
	       bool is_perf)
{
	if (!request->count)
		return 0;
	return is_perf ? make_each(fds, request, program) : make_multi(fds, request, program);
}

static void *close_one(void *fd)
{
	cleanup_close(fd);
	return NULL;
}

/*
 * The last reference to a link removes its probes and then waits for a grace period, tens of
 * milliseconds. Links are closed side by side, so that it is waited for once.
 */
void links_make_undone(struct links_fds *fds)
{
	pthread_t threads[SIDE_BY_SIDE];
	bool started[SIDE_BY_SIDE] = { false };
	pthread_attr_t small;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, STACK_BYTES);
	for (size_t i = 1; i < fds->count && fds->count <= SIDE_BY_SIDE; i++)
		started[i] = !pthread_create(&threads[i], &small, close_one, &fds->list[i]);
	for (size_t i = 0; i < fds->count; i++) {
		if (i < SIDE_BY_SIDE && started[i])
			pthread_join(threads[i], NULL);
		else
			cleanup_close(&fds->list[i]);
	}
	pthread_attr_destroy(&small);
	free(fds->list);
	*fds = (struct links_fds){ 0 };
}

void links_make_undone_together(struct links_fds **groups, size_t count)
{
	struct links_fds all = { 0 };

	for (size_t i = 0; i < count; i++) {
		struct links_fds *group = groups[i];

		if (!group->count)
			continue;
		if (links_make_grow(&all, group->count)) {
			links_make_undone(group);
			continue;
		}
		memcpy(all.list + all.count, group->list, group->count * sizeof(*group->list));
		all.count += group->count;
		free(group->list);
		*group = (struct links_fds){ 0 };
	}
	links_make_undone(&all);
}
