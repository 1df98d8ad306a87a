/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/links_trace.h"

#include "base/cleanup.h"
#include "base/util.h"
#include "probe/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#define GROUP "pymemtop_"

struct links_trace_place {
	char *path;
	uint64_t offset;
	uint32_t program;
	bool is_return;
	uint32_t id;
	int holder; /* a link, or a perf event where there are none */
};

static const char *const roots[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };

static int open_in(const char *file, int flags)
{
	char path[256];
	int fd = -1;

	for (size_t i = 0; fd < 0 && i < ARRAY_SIZE(roots); i++) {
		snprintf(path, sizeof(path), "%s/%s", roots[i], file);
		fd = open(path, flags | O_CLOEXEC);
	}
	return fd < 0 ? -errno : fd;
}

/* From 6.10 on a link for one process sees all its threads, and nothing of this is needed. Nor is
 * it harmless there: events of which the places differ have been seen to end in an oops (6.18). */
bool links_trace_usable(void)
{
	struct utsname name;
	int major, minor, fd;

	if (uname(&name) || sscanf(name.release, "%d.%d", &major, &minor) != 2 ||
	    major * 100 + minor >= 610)
		return false;
	fd = open_in("uprobe_events", O_WRONLY | O_APPEND);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

static int command(const char *text)
{
	_cleanup_close_ int fd = open_in("uprobe_events", O_WRONLY | O_APPEND);

	if (fd < 0)
		return fd;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

pid_t links_trace_owner(const char *line, char *ret_name, size_t cap)
{
	const char *name = strchr(line, ':');
	int pid;
	size_t len;

	if ((line[0] != 'p' && line[0] != 'r') || !name || strncmp(++name, GROUP, strlen(GROUP)) ||
	    sscanf(name + strlen(GROUP), "%d_", &pid) != 1 || pid <= 0)
		return 0;
	len = strcspn(name, " \n");
	if (len >= cap)
		return 0;
	memcpy(ret_name, name, len);
	ret_name[len] = '\0';
	return pid;
}

/* How many went; what is in use the kernel does not let go. */
static size_t sweep_once(void)
{
	int fd = open_in("uprobe_events", O_RDONLY);
	_cleanup_fclose_ FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	char line[PATH_MAX + 256], name[128], text[160];
	size_t gone = 0;

	while (f && fgets(line, sizeof(line), f)) {
		pid_t owner = links_trace_owner(line, name, sizeof(name));

		if (!owner || !kill(owner, 0) || errno != ESRCH)
			continue;
		snprintf(text, sizeof(text), "-:%s\n", name);
		gone += !command(text);
	}
	return gone;
}

/* Where we are in the file is counted in lines, of which there are fewer then: some are skipped. */
static void sweep(void)
{
	while (sweep_once())
		;
}

static unsigned int next_number(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	static unsigned int last;

	pthread_once(&once, sweep);
	return __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
}

static void print_name(char buf[64], const struct links_trace *trace, size_t index)
{
	snprintf(buf, 64, GROUP "%d_%u/e%zu", getpid(), trace->number, index);
}

static int open_event(uint32_t id, pid_t pid)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_TRACEPOINT,
		.config = id,
		.disabled = 1, /* it is there for its filter: it need not count */
	};
	long fd = syscall(SYS_perf_event_open, &attr, pid, -1, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : (int)fd;
}

static int read_id(const char *name, uint32_t *ret)
{
	char path[128], text[32] = "";
	_cleanup_close_ int fd = -1;

	snprintf(path, sizeof(path), "events/%s/id", name);
	fd = open_in(path, O_RDONLY);
	if (fd < 0)
		return fd;
	if (read(fd, text, sizeof(text) - 1) <= 0)
		return -EIO;
	*ret = (uint32_t)strtoul(text, NULL, 10);
	return 0;
}

/* Its own thread is whom the first event is for: nothing of the target's is mapped to be run there.
 */
static int hold_program(struct links_trace_place *place, int program, uint64_t cookie)
{
	int event = open_event(place->id, 0), link = -1, r;

	if (event < 0)
		return event;
	r = links_make_give(event, program, cookie, &link);
	if (r || link >= 0)
		close(event); /* the link keeps it */
	if (!r)
		place->holder = link >= 0 ? link : event;
	return r;
}

/* By descriptor, as paths may have spaces in them. */
static int define(struct links_trace *trace, struct links_trace_place *place, int file, int program,
		  uint64_t cookie)
{
	char name[64], text[160];
	int r;

	print_name(name, trace, trace->count);
	snprintf(text, sizeof(text), "%c:%s /proc/self/fd/%d:0x%lx\n", place->is_return ? 'r' : 'p',
		 name, file, place->offset);
	r = command(text);
	if (r)
		return r;
	r = read_id(name, &place->id);
	if (!r)
		r = hold_program(place, program, cookie);
	if (r) {
		snprintf(text, sizeof(text), "-:%s\n", name);
		(void)command(text);
	}
	return r;
}

static const struct links_trace_place *find(const struct links_trace *trace,
					    const struct links_request *request, size_t index)
{
	for (size_t i = 0; i < trace->count; i++) {
		const struct links_trace_place *place = &trace->list[i];

		if (place->offset == request->words[index] && place->program == request->program &&
		    place->is_return == (bool)request->is_return &&
		    streq(place->path, request->path))
			return place;
	}
	return NULL;
}

static int add(struct links_trace *trace, const struct links_request *request, size_t index,
	       int file, int program)
{
	struct links_trace_place place = { .offset = request->words[index],
					   .program = request->program,
					   .is_return = request->is_return,
					   .holder = -1 };
	int r;

	if (trace->count == trace->capacity) {
		size_t capacity = trace->capacity ? 2 * trace->capacity : 64;
		struct links_trace_place *grown =
			reallocarray(trace->list, capacity, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		trace->list = grown;
		trace->capacity = capacity;
	}
	place.path = strdup(request->path);
	if (!place.path)
		return -ENOMEM;
	r = define(trace, &place, file, program, request->words[request->count + index]);
	if (r)
		free(place.path);
	else
		trace->list[trace->count++] = place;
	return r;
}

int links_trace_prepare(struct links_trace *trace, const struct links_request *request, int program)
{
	_cleanup_close_ int file = -1;
	int r = 0;

	if (!trace->number && request->count)
		trace->number = next_number();
	for (size_t i = 0; !r && i < request->count; i++) {
		if (find(trace, request, i))
			continue;
		if (file < 0)
			file = open(request->path, O_RDONLY | O_CLOEXEC);
		r = file < 0 ? -errno : add(trace, request, i, file, program);
	}
	return r;
}

int links_trace_make(struct links_trace *trace, struct links_fds *fds,
		     const struct links_request *request, int program)
{
	int r = links_trace_prepare(trace, request, program);

	if (!r)
		r = links_make_grow(fds, request->count);
	for (size_t i = 0; !r && i < request->count; i++) {
		int event = open_event(find(trace, request, i)->id, request->pid);

		if (event < 0)
			return event;
		fds->list[fds->count++] = event;
	}
	return r;
}

void links_trace_fini(struct links_trace *trace)
{
	char name[64], text[80];

	for (size_t i = 0; i < trace->count; i++) {
		close(trace->list[i].holder);
		print_name(name, trace, i);
		snprintf(text, sizeof(text), "-:%s\n", name);
		(void)command(text);
		free(trace->list[i].path);
	}
	free(trace->list);
	*trace = (struct links_trace){ 0 };
}
