/* SPDX-License-Identifier: BSD-2-Clause */
#include "target/image.h"

#include <errno.h>
#include <fcntl.h>
#include <zlib.h>

#include "base/utf8.h"
#include "base/util.h"
#include "target/python_version.h"

#define FORMAT 1u
#define CHUNK MiB
#define PAGE_SIZE 4096u

/* Bounds of what is read. */
#define BYTES_MAX (4 * GiB)
#define SEGMENTS_MAX 1000000u
#define SYMBOLS_MAX 100000u
#define NAME_MAX_LEN 1024u
#define PATH_MAX_LEN 16384u
#define MAPS_MAX_LEN (64 * MiB)

static const char magic[8] = "pymtimg\n";

enum flag {
	FLAG_FREE_THREADED = 1 << 0,
	FLAG_DEBUG = 1 << 1,
	FLAG_STRIPPED = 1 << 2,
	FLAG_STATIC = 1 << 3,
	FLAG_INITIALIZED = 1 << 4,
	FLAG_ALL = (1 << 5) - 1,
};

static void cleanup_gzclose(gzFile *file)
{
	if (*file)
		gzclose(*file);
	*file = NULL;
}

/* ---- writing -----------------------------------------------------------------------------------
 */

static int put(gzFile file, const void *data, size_t len)
{
	/* gzwrite() takes an int; what is written here is at most the text of the maps. */
	if (len == 0)
		return 0;
	return len <= MAPS_MAX_LEN && gzwrite(file, data, (unsigned int)len) == (int)len ? 0 : -EIO;
}

static int put_u32(gzFile file, uint32_t value)
{
	return put(file, &value, sizeof(value));
}

static int put_u64(gzFile file, uint64_t value)
{
	return put(file, &value, sizeof(value));
}

static int put_text(gzFile file, const char *text, size_t len)
{
	int r = put_u32(file, (uint32_t)len);

	return r < 0 ? r : put(file, text, len);
}

static int write_header(gzFile file, const struct python *py)
{
	uint32_t flags = (py->free_threaded ? FLAG_FREE_THREADED : 0) |
			 (py->debug ? FLAG_DEBUG : 0) | (py->stripped ? FLAG_STRIPPED : 0) |
			 (py->is_static ? FLAG_STATIC : 0) |
			 (py->initialized ? FLAG_INITIALIZED : 0);
	const char *path = py->path ? py->path : "";

	if (put(file, magic, sizeof(magic)) < 0 || put_u32(file, FORMAT) < 0 ||
	    put_u32(file, py->hex) < 0 || put_u32(file, flags) < 0 ||
	    put_u32(file, py->evidence) < 0 || put_u64(file, py->runtime) < 0 ||
	    put_u64(file, py->bias) < 0 || put_u64(file, py->map ? py->map->start : 0) < 0 ||
	    put_u32(file, (uint32_t)py->runtimes_count) < 0)
		return -EIO;
	return put_text(file, path, strlen(path));
}

static int write_maps(gzFile file, const struct maps *maps)
{
	size_t len;
	_cleanup_free_ char *text = maps_format(maps, &len);

	if (!text)
		return -ENOMEM;
	return len > MAPS_MAX_LEN ? -E2BIG : put_text(file, text, len);
}

static int write_symbols(gzFile file, const struct image_writer *writer)
{
	int r = put_u32(file, (uint32_t)writer->symbols_count);

	for (size_t i = 0; r == 0 && i < writer->symbols_count; i++) {
		const struct python_symbol *sym = &writer->symbols[i];

		r = put_u64(file, sym->addr);
		if (r == 0)
			r = put_text(file, sym->name, strlen(sym->name));
	}
	return r;
}

static int write_segment(gzFile file, uint64_t addr, const void *data, uint64_t len)
{
	int r = put_u64(file, addr);

	if (r == 0)
		r = put_u64(file, len);
	return r < 0 ? r : put(file, data, len);
}

/* The pages of a range that can be read, a chunk each. */
static int write_range(gzFile file, struct memory *mem, struct image_range range, void *buf)
{
	while (range.len) {
		uint64_t want = MIN(range.len, CHUNK), skip;
		ssize_t n = memory_read_some(mem, range.addr, buf, want);
		int r = n > 0 ? write_segment(file, range.addr, buf, (uint64_t)n) : (int)n;

		if (r < 0)
			return r;
		skip = (uint64_t)n;
		if (skip < want)
			skip = MIN(want, (range.addr + skip) / PAGE_SIZE * PAGE_SIZE + PAGE_SIZE -
						 range.addr);
		range.addr += skip;
		range.len -= skip;
	}
	return 0;
}

static int write_ranges(gzFile file, const struct image_writer *writer)
{
	_cleanup_free_ void *buf = malloc(CHUNK);
	uint64_t end = 0;

	if (!buf)
		return -ENOMEM;
	for (size_t i = 0; i < writer->ranges_count; i++) {
		const struct image_range *range = &writer->ranges[i];
		int r;

		if (range->addr < end || range->addr + range->len < range->addr)
			return -EINVAL;
		end = range->addr + range->len;
		r = write_range(file, writer->mem, *range, buf);
		if (r < 0)
			return r;
	}
	return write_segment(file, 0, NULL, 0);
}

static int write_all(int fd, const struct image_writer *writer)
{
	cleanup(cleanup_gzclose) gzFile file = NULL;
	_cleanup_close_ int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	int r;

	if (writer->symbols_count > SYMBOLS_MAX)
		return -E2BIG;
	if (copy < 0)
		return -errno;
	/* Level 1: heaps shrink well at any level, and the target's owner waits. */
	file = gzdopen(copy, "wb1");
	if (!file)
		return -ENOMEM;
	(void)TAKE_FD(copy);

	r = write_header(file, writer->py);
	if (r == 0)
		r = write_maps(file, writer->py->maps);
	if (r == 0)
		r = write_symbols(file, writer);
	if (r == 0)
		r = write_ranges(file, writer);
	if (r < 0)
		return r;
	return gzclose(TAKE_PTR(file)) == Z_OK ? 0 : -EIO;
}

int image_write(const struct image_writer *writer, const char *path, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int r = fd < 0 ? -errno : write_all(fd, writer);

	if (r == 0)
		return 0;
	if (fd >= 0)
		unlink(path);
	return error_set(err, -r, EXIT_INTERNAL, "cannot write the heap image %s: %s", path,
			 strerrordesc_np(-r));
}

/* ---- reading -----------------------------------------------------------------------------------
 */

static int take(gzFile file, void *data, size_t len)
{
	return len == 0 || gzread(file, data, (unsigned int)len) == (int)len ? 0 : -EBADMSG;
}

static int take_u32(gzFile file, uint32_t *ret)
{
	return take(file, ret, sizeof(*ret));
}

static int take_u64(gzFile file, uint64_t *ret)
{
	return take(file, ret, sizeof(*ret));
}

/* Owned by the caller. Grows with what is there, not with what the length says. */
static int take_text(gzFile file, size_t max, char **ret, size_t *ret_len)
{
	_cleanup_free_ char *text = NULL;
	uint32_t len;
	size_t done = 0;

	if (take_u32(file, &len) < 0 || len > max)
		return -EBADMSG;
	do {
		size_t n = MIN(len - done, (size_t)CHUNK);
		char *bigger = realloc(text, done + n + 1);

		if (!bigger)
			return -ENOMEM;
		text = bigger;
		if (take(file, text + done, n) < 0)
			return -EBADMSG;
		done += n;
	} while (done < len);
	text[len] = '\0';
	*ret_len = len;
	*ret = TAKE_PTR(text);
	return 0;
}

static int read_header(gzFile file, struct python *py, uint64_t *map_start)
{
	uint32_t format, flags, evidence, runtimes;
	char its_magic[sizeof(magic)];

	if (take(file, its_magic, sizeof(magic)) < 0 ||
	    memcmp(its_magic, magic, sizeof(magic)) != 0 || take_u32(file, &format) < 0 ||
	    format != FORMAT || take_u32(file, &py->hex) < 0 || take_u32(file, &flags) < 0 ||
	    (flags & ~(uint32_t)FLAG_ALL) || take_u32(file, &evidence) < 0 ||
	    evidence > PYTHON_EVIDENCE_VERSION_STRING || take_u64(file, &py->runtime) < 0 ||
	    take_u64(file, &py->bias) < 0 || take_u64(file, map_start) < 0 ||
	    take_u32(file, &runtimes) < 0 || runtimes > INT16_MAX)
		return -EBADMSG;
	python_version_format(py->hex, py->version);
	if (!py->hex || python_version_parse(py->version, strlen(py->version)) != py->hex)
		return -EBADMSG;
	py->evidence = evidence;
	py->runtimes_count = (int)runtimes;
	py->free_threaded = flags & FLAG_FREE_THREADED;
	py->debug = flags & FLAG_DEBUG;
	py->stripped = flags & FLAG_STRIPPED;
	py->is_static = flags & FLAG_STATIC;
	py->initialized = flags & FLAG_INITIALIZED;
	return 0;
}

static int read_texts(gzFile file, struct python *py, uint64_t map_start)
{
	_cleanup_free_ char *path = NULL, *maps = NULL;
	size_t len, cap;
	int r = take_text(file, PATH_MAX_LEN, &path, &len);

	if (r < 0)
		return r;
	cap = 3 * len + 1;
	py->path = malloc(cap);
	if (!py->path)
		return -ENOMEM;
	utf8_sanitize(py->path, cap, path, len);

	r = take_text(file, MAPS_MAX_LEN, &maps, &len);
	if (r == 0)
		r = maps_parse(maps, len, &py->maps);
	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	py->map = map_start ? maps_find(py->maps, map_start) : NULL;
	return 0;
}

static int read_symbols(gzFile file, struct python *py)
{
	uint32_t count;

	if (take_u32(file, &count) < 0 || count > SYMBOLS_MAX)
		return -EBADMSG;
	py->symbols = calloc(count + 1, sizeof(*py->symbols));
	if (!py->symbols)
		return -ENOMEM;
	while (py->symbols_count < count) {
		struct python_symbol *sym = &py->symbols[py->symbols_count];
		size_t len;
		int r = take_u64(file, &sym->addr);

		if (r == 0)
			r = take_text(file, NAME_MAX_LEN, &sym->name, &len);
		if (r < 0)
			return r;
		py->symbols_count++;
	}
	return 0;
}

static int keep_buffer(struct image *image, void *data)
{
	size_t n = image->buffers_count;

	/* Room at powers of two. */
	if ((n & (n - 1)) == 0) {
		void **list = reallocarray(image->buffers, n ? 2 * n : 1, sizeof(*list));

		if (!list)
			return -ENOMEM;
		image->buffers = list;
	}
	image->buffers[image->buffers_count++] = data;
	return 0;
}

/* One segment, which begins at *@end or later. *len is 0 at the end. */
static int read_segment(gzFile file, struct image *image, uint64_t *end, uint64_t *ret_len)
{
	_cleanup_free_ void *data = NULL;
	uint64_t addr, len;
	int r;

	if (take_u64(file, &addr) < 0 || take_u64(file, &len) < 0 || len > CHUNK)
		return -EBADMSG;
	*ret_len = len;
	if (len == 0)
		return 0;
	if (addr < *end)
		return -EBADMSG;
	data = malloc(len);
	if (!data)
		return -ENOMEM;
	if (take(file, data, len) < 0)
		return -EBADMSG;
	r = keep_buffer(image, data);
	if (r < 0)
		return r;
	r = memory_buffer_add(image->memory, addr, TAKE_PTR(data), len);
	if (r < 0)
		return r == -EINVAL ? -EBADMSG : r;
	*end = addr + len;
	return 0;
}

static int read_segments(gzFile file, struct image *image)
{
	uint64_t end = 0, bytes = 0, len;
	int r = memory_buffer_new(0, NULL, 0, &image->memory);

	if (r < 0)
		return r;
	do {
		if (image->buffers_count == SEGMENTS_MAX || bytes > BYTES_MAX)
			return -EBADMSG;
		r = read_segment(file, image, &end, &len);
		if (r < 0)
			return r;
		bytes += len;
	} while (len);
	return 0;
}

/* Nothing behind the end, and the checksum is right. */
static int check_end(gzFile file)
{
	char byte;
	int code;

	if (gzread(file, &byte, 1) != 0)
		return -EBADMSG;
	gzerror(file, &code);
	return code == Z_OK || code == Z_STREAM_END ? 0 : -EBADMSG;
}

static int read_all(gzFile file, struct image *image)
{
	uint64_t map_start;
	int r = read_header(file, image->python, &map_start);

	if (r == 0)
		r = read_texts(file, image->python, map_start);
	if (r == 0)
		r = read_symbols(file, image->python);
	if (r == 0)
		r = read_segments(file, image);
	return r < 0 ? r : check_end(file);
}

void image_free(struct image *image)
{
	if (!image)
		return;
	memory_free(image->memory);
	python_free(image->python);
	for (size_t i = 0; i < image->buffers_count; i++)
		free(image->buffers[i]);
	free(image->buffers);
	free(image);
}

int image_open(const char *path, struct image **ret, struct error *err)
{
	cleanup(cleanup_gzclose) gzFile file = NULL;
	_cleanup_image_ struct image *image = calloc(1, sizeof(*image));
	int r;

	if (image)
		image->python = calloc(1, sizeof(*image->python));
	if (!image || !image->python)
		return error_set(err, ENOMEM, EXIT_INTERNAL, "no memory");
	file = gzopen(path, "rbe");
	r = file ? read_all(file, image) : -errno;
	if (r == -EBADMSG)
		return error_set(err, EBADMSG, EXIT_INTERNAL,
				 "%s is no heap image, or damaged: capture it again", path);
	if (r < 0)
		return error_set(err, -r, EXIT_INTERNAL, "cannot read the heap image %s: %s", path,
				 strerrordesc_np(-r));
	*ret = TAKE_PTR(image);
	return 0;
}
