/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/files.h"

#include "base/util.h"
#include "view/json_read.h"

#include <errno.h>
#include <sys/stat.h>

int files_open(const char *path, FILE **ret, struct error *err)
{
	FILE *in = streq(path, "-") ? stdin : fopen(path, "re");
	struct stat st;

	if (in && (fstat(fileno(in), &st) || !S_ISDIR(st.st_mode))) {
		*ret = in;
		return 0;
	}
	if (in) {
		fclose(in);
		errno = EISDIR;
	}
	return error_set(err, errno, errno == EACCES ? EXIT_NO_PERMISSION : EXIT_USAGE,
			 "cannot read %.120s: %s; give a file of pymemtop snapshot or record", path,
			 strerror(errno));
}

int files_read(const char *path, files_each *each, void *ctx, struct picture **ret_first,
	       struct picture **ret_last, struct error *err)
{
	_cleanup_picture_ struct picture *first = NULL, *last = NULL;
	_cleanup_fclose_ FILE *in = NULL;
	int r = files_open(path, &in, err);

	while (!r) {
		struct picture *pic;

		r = json_read_picture(in, path, &pic, err);
		if (r)
			break;
		if (!first)
			first = TAKE_PTR(last);
		else
			picture_freep(&last);
		last = pic;
		if (each)
			r = each(ctx, pic);
	}
	if (r != -ENODATA)
		return r;
	if (!last)
		return error_set(err, EBADMSG, EXIT_USAGE, "%.120s holds no snapshot", path);
	if (ret_first)
		*ret_first = TAKE_PTR(first);
	if (ret_last)
		*ret_last = TAKE_PTR(last);
	return 0;
}
