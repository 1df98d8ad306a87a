/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/links.h"

#include "base/cleanup.h"
#include "base/util.h"
#include "probe/kernel.h"

#include <errno.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <sys/syscall.h>

#define LINKS_MULTI_MAX 8
#define UPROBE_MULTI_RETURN 1 /* BPF_F_UPROBE_MULTI_RETURN */

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

int links_multi(const struct bpf_program *prog, const struct links_target *target,
		const uint64_t *offsets, const uint64_t *cookies, size_t count)
{
	struct link_create_uprobe_multi attr = {
		.prog_fd = (uint32_t)bpf_program__fd(prog),
		.attach_type = LINKS_UPROBE_MULTI,
		.path = (uint64_t)(uintptr_t)target->path,
		.offsets = (uint64_t)(uintptr_t)offsets,
		.cookies = (uint64_t)(uintptr_t)cookies,
		.count = (uint32_t)count,
		.multi_flags = target->is_return ? UPROBE_MULTI_RETURN : 0,
		.pid = (uint32_t)target->pid,
	};
	long fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));

	return fd < 0 ? -errno : (int)fd;
}

int links_add_multi(struct links *links, const struct bpf_program *prog,
		    const struct links_target *target, const uint64_t *offsets,
		    const uint64_t *cookies, size_t count)
{
	int *grown, fd;

	if (!count)
		return 0;
	grown = reallocarray(links->multi, links->multi_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	links->multi = grown;
	fd = links_multi(prog, target, offsets, cookies, count);
	if (fd < 0)
		return fd;
	links->multi[links->multi_count++] = fd;
	return 0;
}

int links_add_perf(struct links *links, const struct bpf_program *prog,
		   const struct links_target *target, const uint64_t *offsets,
		   const uint64_t *cookies, size_t count)
{
	struct bpf_link **grown =
		reallocarray(links->perf, links->perf_count + count, sizeof(struct bpf_link *));
	bool with_cookie = kernel_has(KERNEL_COOKIE);

	if (!grown)
		return -ENOMEM;
	links->perf = grown;
	for (size_t i = 0; i < count; i++) {
		LIBBPF_OPTS(bpf_uprobe_opts, opts, .bpf_cookie = with_cookie ? cookies[i] : 0,
			    .retprobe = target->is_return);
		struct bpf_link *link = bpf_program__attach_uprobe_opts(
			prog, target->pid ? target->pid : -1, target->path, offsets[i], &opts);

		if (!link)
			return -errno;
		links->perf[links->perf_count++] = link;
	}
	return 0;
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
static void close_all(int *fds, size_t count)
{
	pthread_t threads[LINKS_MULTI_MAX];
	bool started[LINKS_MULTI_MAX] = { false };

	for (size_t i = 1; i < count && i < LINKS_MULTI_MAX; i++)
		started[i] = !pthread_create(&threads[i], NULL, close_one, &fds[i]);
	for (size_t i = 0; i < count; i++) {
		if (i < LINKS_MULTI_MAX && started[i])
			pthread_join(threads[i], NULL);
		else
			cleanup_close(&fds[i]);
	}
}

void links_clear(struct links *links)
{
	close_all(links->multi, links->multi_count);
	for (size_t i = 0; i < links->perf_count; i++)
		bpf_link__destroy(links->perf[i]);
	free(links->multi);
	free(links->perf);
	*links = (struct links){ 0 };
}
