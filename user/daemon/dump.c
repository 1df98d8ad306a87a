/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/dump.h"

#include "base/clock.h"
#include "base/format.h"
#include "base/util.h"
#include "view/json.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>

#define PREFIX "pymemtop-"

static int count_files(const char *dir)
{
	DIR *d = opendir(dir);
	int count = 0;

	if (!d)
		return -errno;
	for (const struct dirent *e = readdir(d); e; e = readdir(d))
		count += strncmp(e->d_name, PREFIX, strlen(PREFIX)) == 0;
	closedir(d);
	return count;
}

static int write_file(const char *path, const struct picture *pic)
{
	/* A full snapshot may hold what only the owner should see. */
	_cleanup_close_ int fd =
		open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
	int r;

	if (!file)
		return -errno;
	TAKE_FD(fd);
	r = json_write_picture(file, pic, NULL, JSON_STYLE_ROWS);
	/* The machine may be about to run out of more than memory: it shall be on the disk. */
	if (!r && (fflush(file) || fsync(fileno(file))))
		r = -errno;
	if (fclose(file) && !r)
		r = -errno;
	return r;
}

int dump_write(const char *dir, const struct picture *pic, char *path, size_t cap,
	       struct error *err)
{
	char temporary[PATH_MAX], when[32];
	int r = count_files(dir);

	if (r >= DUMP_FILES_MAX)
		return error_set(
			err, EDQUOT, EXIT_INTERNAL,
			"%s holds %d snapshots already: no more are written until some are removed",
			dir, r);
	if (r >= 0) {
		format_timestamp(when, clock_realtime());
		snprintf(path, cap, "%s/" PREFIX "%d-%s.json", dir, pic->process.pid, when);
		snprintf(temporary, sizeof(temporary), "%s/." PREFIX "%d.tmp", dir,
			 pic->process.pid);
		unlink(temporary); /* of a daemon that was killed */
		r = write_file(temporary, pic);
		if (!r && rename(temporary, path))
			r = -errno;
		if (r)
			unlink(temporary);
	}
	if (!r)
		return 0;
	return error_set(err, -r, EXIT_INTERNAL, "cannot write a snapshot of %d to %s: %s",
			 pic->process.pid, dir, strerror(-r));
}
