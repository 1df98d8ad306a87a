/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/output.h"

#include "base/util.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

static bool is_stdout(const char *path)
{
	return !path || streq(path, "-");
}

/* The name for people. */
static const char *name_of(const struct output *out)
{
	return out->path ? out->path : "standard output";
}

/*
 * Follows symbolic links to where the file is or will be, so that a rename replaces the file and
 * not the link. NULL with errno where a folder on the way is missing.
 */
static char *resolve(const char *path)
{
	_cleanup_free_ char *folder = NULL, *real = NULL;
	const char *slash = strrchr(path, '/');
	char *found = realpath(path, NULL), *joined;

	if (found || errno != ENOENT)
		return found;
	folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	real = folder ? realpath(folder, NULL) : NULL;
	if (!real || asprintf(&joined, "%s/%s", real, slash ? slash + 1 : path) < 0)
		return NULL;
	return joined;
}

static int cannot_write(const char *path, int errnum, struct error *err)
{
	bool denied = errnum == EACCES || errnum == EPERM;

	return error_set(err, errnum, denied ? EXIT_NO_PERMISSION : EXIT_USAGE,
			 "cannot write %s: %s; choose another file with --output", path,
			 strerror(errnum));
}

static int exists(const char *path, struct error *err)
{
	return error_set(err, EEXIST, EXIT_USAGE, "%s exists already; --force overwrites it", path);
}

/* A file that may be replaced, or nothing yet. *direct: a device, a pipe: nothing to replace. */
static int check_place(const char *path, bool force, bool *direct, struct error *err)
{
	struct stat st;

	*direct = false;
	if (stat(path, &st))
		return errno == ENOENT ? 0 : cannot_write(path, errno, err);
	if (S_ISDIR(st.st_mode))
		return cannot_write(path, EISDIR, err);
	*direct = !S_ISREG(st.st_mode);
	return *direct || force ? 0 : exists(path, err);
}

int output_check(const char *path, bool force, struct error *err)
{
	_cleanup_free_ char *real = NULL, *folder = NULL;
	bool direct;
	int r;

	if (is_stdout(path))
		return 0;
	r = check_place(path, force, &direct, err);
	if (r || direct)
		return r;
	real = resolve(path);
	if (!real || strlen(path) == 0 || path[strlen(path) - 1] == '/')
		return cannot_write(path, real ? EISDIR : errno, err);
	folder = strndup(real, MAX((size_t)(strrchr(real, '/') - real), (size_t)1));
	if (!folder)
		return error_set(err, ENOMEM, EXIT_INTERNAL, "out of memory");
	return access(folder, W_OK | X_OK) ? cannot_write(path, errno, err) : 0;
}

/* With the rights that a plain creat() gives, or those of the file that is replaced. */
static int set_mode(int fd, const char *path)
{
	struct stat st;
	mode_t mask;

	if (!stat(path, &st))
		return fchmod(fd, st.st_mode & 0777);
	mask = umask(0);
	umask(mask);
	return fchmod(fd, 0666 & ~mask);
}

static int open_temporary(struct output *out, struct error *err)
{
	const char *slash = strrchr(out->path, '/');
	_cleanup_close_ int fd = -1;
	char *name;

	if (asprintf(&name, "%.*s.%.200s.XXXXXX", (int)(slash - out->path + 1), out->path,
		     slash + 1) < 0)
		return error_set(err, ENOMEM, EXIT_INTERNAL, "out of memory");
	fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0) {
		free(name);
		return cannot_write(out->path, errno, err);
	}
	out->temporary = name;
	if (set_mode(fd, out->path))
		return cannot_write(out->path, errno, err);
	out->stream = fdopen(fd, "w");
	if (!out->stream)
		return cannot_write(out->path, errno, err);
	(void)TAKE_FD(fd); /* the stream's now */
	return 0;
}

/* What both ways of opening begin with. @direct: not a file of its own, or stdout, which is open
 * then. */
static int start(struct output *ret, const char *path, bool force, bool *direct, struct error *err)
{
	*ret = (struct output){ .force = force };
	*direct = true;
	if (!is_stdout(path))
		return check_place(path, force, direct, err);
	ret->stream = stdout;
	return 0;
}

int output_open(struct output *ret, const char *path, bool force, struct error *err)
{
	bool direct;
	int r = start(ret, path, force, &direct, err);

	if (r || ret->stream)
		return r;
	ret->path = direct ? strdup(path) : resolve(path);
	if (!ret->path)
		return cannot_write(path, errno, err);
	if (!direct)
		return open_temporary(ret, err);
	ret->stream = fopen(path, "we");
	return ret->stream ? 0 : cannot_write(path, errno, err);
}

int output_open_stream(struct output *ret, const char *path, bool force, struct error *err)
{
	bool direct;
	int r = start(ret, path, force, &direct, err);

	if (r || ret->stream)
		return r;
	ret->path = strdup(path);
	if (!ret->path)
		return error_set(err, ENOMEM, EXIT_INTERNAL, "out of memory");
	ret->stream = fopen(path, direct || force ? "we" : "wxe");
	if (ret->stream)
		return 0;
	return errno == EEXIST ? exists(path, err) : cannot_write(path, errno, err);
}

int output_append(struct output *out, const char *text, size_t len)
{
	int fd = fileno(out->stream), r;
	off_t before = lseek(fd, 0, SEEK_CUR);
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(fd, text + done, len - done);

		if (n > 0)
			done += (size_t)n;
		else if (errno != EINTR)
			break;
	}
	if (done == len)
		return 0;
	r = -errno;
	/* Part of a line may be there: it goes. What is no file keeps it. */
	if (before >= 0 && !ftruncate(fd, before))
		lseek(fd, before, SEEK_SET);
	return r;
}

int output_failed(const struct output *out, int r, struct error *err)
{
	if (r == -EPIPE)
		return r; /* who read has had enough */
	return error_set(err, -r, EXIT_INTERNAL, "cannot write %s: %s", name_of(out), strerror(-r));
}

static int close_stream(struct output *out)
{
	FILE *stream = TAKE_PTR(out->stream);
	int r = 0;

	errno = 0;
	if (fflush(stream) || ferror(stream))
		r = errno ? -errno : -EIO;
	if (stream != stdout && fclose(stream) && !r)
		r = errno ? -errno : -EIO;
	return r;
}

/* The file itself is renamed only once its bytes are on the disk: a crash leaves the old or the new
 * one. */
static int sync_file(FILE *stream)
{
	errno = 0;
	if (fflush(stream) || fsync(fileno(stream)))
		return errno ? -errno : -EIO;
	return 0;
}

int output_commit(struct output *out, struct error *err)
{
	int r = out->temporary ? sync_file(out->stream) : 0;
	int closed = close_stream(out);

	if (!r)
		r = closed;
	if (r)
		return output_failed(out, r, err);
	if (!out->temporary)
		return 0;
	if (!out->force &&
	    !renameat2(AT_FDCWD, out->temporary, AT_FDCWD, out->path, RENAME_NOREPLACE)) {
		free(TAKE_PTR(out->temporary));
		return 0;
	}
	if (!out->force && errno == EEXIST)
		return exists(out->path, err);
	/* Forced, or a file system that has no RENAME_NOREPLACE. */
	if (!out->force && errno != EINVAL)
		return output_failed(out, -errno, err);
	if (rename(out->temporary, out->path))
		return output_failed(out, -errno, err);
	free(TAKE_PTR(out->temporary));
	return 0;
}

void output_fini(struct output *out)
{
	if (out->stream && out->stream != stdout)
		fclose(out->stream);
	if (out->temporary)
		unlink(out->temporary);
	free(out->temporary);
	free(out->path);
	*out = (struct output){ 0 };
}
