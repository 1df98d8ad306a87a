/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/sweep.h"

#include "base/util.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

/* What the regular expression sees of a command line. */
#define CMDLINE_MAX 4096

static ssize_t read_whole(int dir, const char *name, char *buf, size_t cap)
{
	_cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	size_t len = 0;

	if (fd < 0)
		return -errno;
	while (len + 1 < cap) {
		ssize_t n = read(fd, buf + len, cap - 1 - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		len += (size_t)n;
	}
	buf[len] = '\0';
	return (ssize_t)len;
}

/* proc_pid_stat(5): fields behind the last ')': the name may hold anything. */
static int read_stat(int dir, struct sweep_entry *entry)
{
	char text[1024], state;
	ssize_t len = read_whole(dir, "stat", text, sizeof(text));
	const char *at = len > 0 ? strrchr(text, ')') : NULL;
	unsigned long start;

	if (!at)
		return -ESRCH;
	/* Fields 3 (state), 4 (parent) and 22 (start time). */
	if (sscanf(at + 1,
		   " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %lu",
		   &state, &entry->parent, &start) != 3)
		return -ESRCH;
	entry->start_time_ticks = start;
	return state == 'Z' || state == 'X' ? -ESRCH : 0;
}

/* FNV-1a. */
static uint64_t hash(const char *text, size_t len)
{
	uint64_t h = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)text[i]) * 0x100000001b3ull;
	return h;
}

static int read_cmdline(int dir, const regex_t *match, struct sweep_entry *entry)
{
	char text[CMDLINE_MAX] = ""; /* clang-analyzer does not see that read_whole() fills it */
	ssize_t len = read_whole(dir, "cmdline", text, sizeof(text));

	/* Kernel threads have none. */
	if (len <= 0)
		return -ESRCH;
	entry->cmdline_hash = hash(text, (size_t)len);
	while (len > 0 && !text[len - 1])
		len--;
	for (ssize_t i = 0; i < len; i++)
		text[i] = text[i] ? text[i] : ' ';
	entry->matches = match && !regexec(match, text, 0, NULL, 0);
	return 0;
}

int sweep_process(pid_t pid, const regex_t *match, struct sweep_entry *ret)
{
	struct sweep_entry entry = { .pid = pid };
	_cleanup_close_ int dir = -1;
	struct stat st;
	char path[32];
	int r;

	snprintf(path, sizeof(path), "/proc/%d", pid);
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || fstat(dir, &st))
		return errno == ENOENT ? -ESRCH : -errno;
	entry.uid = st.st_uid;
	r = read_stat(dir, &entry);
	if (!r)
		r = read_cmdline(dir, match, &entry);
	if (!r)
		*ret = entry;
	return r;
}

static bool is_skipped(const struct sweep *sweep, pid_t pid)
{
	for (size_t i = 0; i < sweep->skip_count; i++) {
		if (sweep->skip[i] == pid)
			return true;
	}
	return false;
}

static int sweep_add(struct sweep *sweep, size_t *room, pid_t pid)
{
	if (sweep->count == *room) {
		size_t more = *room ? 2 * *room : 256;
		struct sweep_entry *grown = reallocarray(sweep->entries, more, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		sweep->entries = grown;
		*room = more;
	}
	if (!sweep_process(pid, sweep->match, &sweep->entries[sweep->count]))
		sweep->count++;
	return 0;
}

static int compare_pids(const void *left, const void *right)
{
	const struct sweep_entry *a = left, *b = right;

	return (a->pid > b->pid) - (a->pid < b->pid);
}

void sweep_run(struct threads_job *job)
{
	struct sweep *sweep = (struct sweep *)job;
	DIR *proc = opendir("/proc");
	size_t room = 0;

	sweep->result = proc ? 0 : -errno;
	for (const struct dirent *e; proc && !sweep->result && (e = readdir(proc));) {
		pid_t pid = isdigit((unsigned char)e->d_name[0])
				    ? (pid_t)strtol(e->d_name, NULL, 10)
				    : 0;

		if (pid <= 0 || is_skipped(sweep, pid) || sweep->count >= SWEEP_MAX)
			continue;
		sweep->at = pid;
		sweep->result = sweep_add(sweep, &room, pid);
	}
	sweep->at = 0;
	if (proc)
		closedir(proc);
	if (sweep->count)
		qsort(sweep->entries, sweep->count, sizeof(*sweep->entries), compare_pids);
}

const struct sweep_entry *sweep_find(const struct sweep *sweep, pid_t pid)
{
	const struct sweep_entry key = { .pid = pid };

	if (!sweep->count)
		return NULL;
	return bsearch(&key, sweep->entries, sweep->count, sizeof(key), compare_pids);
}

void sweep_free(struct sweep *sweep)
{
	free(sweep->entries);
	free(sweep);
}
