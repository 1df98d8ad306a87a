/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/access.h"

#include "base/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

int access_read_peer(int fd, struct access_peer *ret)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		return -errno;
	*ret = (struct access_peer){ .pid = cred.pid, .uid = cred.uid, .gid = cred.gid };
	return 0;
}

/* "Uid:" or "Gid:" of /proc/PID/status: real, effective, saved and file system ID are all @id. */
static bool ids_are(const char *status, const char *key, unsigned int id)
{
	const char *line = strstr(status, key);
	unsigned int ids[4];

	if (!line ||
	    sscanf(line + strlen(key), "%u %u %u %u", &ids[0], &ids[1], &ids[2], &ids[3]) != 4)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		if (ids[i] != id)
			return false;
	}
	return true;
}

/*
 * Files below /proc/PID belong to root where the process is not dumpable: task_dump_owner() of
 * fs/proc/base.c (6.1). The directory itself does not say so.
 */
static bool is_dumpable(const struct process *proc, uid_t uid)
{
	struct stat st;

	return !fstatat(proc->proc_fd, "environ", &st, AT_SYMLINK_NOFOLLOW) && st.st_uid == uid;
}

bool access_allows(const struct access_peer *peer, const struct process *proc)
{
	_cleanup_free_ char *status = NULL;
	size_t len;

	if (peer->uid == 0)
		return true;
	if (process_read_file(proc, "status", 64 * KiB, &status, &len))
		return false;
	/* With the newline: the first line is a name that the process chose, in which newlines are
	 * escaped. */
	return ids_are(status, "\nUid:\t", peer->uid) && ids_are(status, "\nGid:\t", peer->gid) &&
	       is_dumpable(proc, peer->uid);
}
