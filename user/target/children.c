/* SPDX-License-Identifier: BSD-2-Clause */
#include "target/children.h"

#include "base/cleanup.h"
#include "base/util.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

struct child {
	pid_t pid, parent;
};

struct children {
	struct child *list;
	size_t count, room;
};

static int children_add(struct children *children, pid_t pid, pid_t parent)
{
	if (children->count == children->room) {
		size_t room = children->room ? 2 * children->room : 256;
		struct child *grown = reallocarray(children->list, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		children->list = grown;
		children->room = room;
	}
	children->list[children->count++] = (struct child){ pid, parent };
	return 0;
}

/* Field 4 of /proc/PID/stat; 0 where it cannot be read. The name in front may hold anything, also
 * ')'. */
static pid_t read_parent(const char *pid)
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[64], text[512], *end;
	int parent;
	size_t len;

	snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	len = fread(text, 1, sizeof(text) - 1, file);
	text[len] = '\0';
	end = strrchr(text, ')');
	return end && sscanf(end + 1, " %*c %d", &parent) == 1 ? parent : 0;
}

static int children_read_all(struct children *children)
{
	DIR *dir = opendir("/proc");
	struct dirent *found;
	int r = 0;

	if (!dir)
		return -errno;
	while (!r && (found = readdir(dir))) {
		char *end;
		long pid = strtol(found->d_name, &end, 10);

		if (!*end && pid > 0 && pid <= INT_MAX)
			r = children_add(children, (pid_t)pid, read_parent(found->d_name));
	}
	closedir(dir);
	return r;
}

static int children_find_in_all(pid_t root, pid_t *ret, size_t max, size_t *ret_count)
{
	struct children all = {};
	size_t count = 0;
	int r = children_read_all(&all);

	if (r) {
		free(all.list);
		return r;
	}
	/* Number 0 stands for the root; each that is found is a parent to look for in turn. */
	for (size_t parent = 0; parent <= count && count < max; parent++) {
		pid_t pid = parent ? ret[parent - 1] : root;

		for (size_t i = 0; i < all.count && count < max; i++) {
			if (all.list[i].parent == pid)
				ret[count++] = all.list[i].pid;
		}
	}
	free(all.list);
	*ret_count = count;
	return 0;
}

/* Those that one thread has: proc_pid_children(5). */
static void children_of_task(DIR *tasks, const char *tid, pid_t *ret, size_t max, size_t *count)
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[64];
	int fd, child;

	snprintf(path, sizeof(path), "%.20s/children", tid);
	fd = openat(dirfd(tasks), path, O_RDONLY | O_CLOEXEC);
	file = fd < 0 ? NULL : fdopen(fd, "r");
	if (fd >= 0 && !file)
		close(fd);
	while (file && *count < max && fscanf(file, "%d", &child) == 1)
		ret[(*count)++] = child;
}

static void children_of(pid_t pid, pid_t *ret, size_t max, size_t *count)
{
	char path[64];
	struct dirent *found;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	while (tasks && (found = readdir(tasks)))
		if (found->d_name[0] != '.')
			children_of_task(tasks, found->d_name, ret, max, count);
	if (tasks)
		closedir(tasks);
}

/* All of /proc is read where there are no such lists (CONFIG_PROC_CHILDREN), which on a machine
 * with many processes takes milliseconds. */
int children_find(pid_t root, pid_t *ret, size_t max, size_t *ret_count)
{
	size_t count = 0;

	if (access("/proc/thread-self/children", R_OK))
		return children_find_in_all(root, ret, max, ret_count);
	for (size_t parent = 0; parent <= count && count < max; parent++)
		children_of(parent ? ret[parent - 1] : root, ret, max, &count);
	*ret_count = count;
	return 0;
}
