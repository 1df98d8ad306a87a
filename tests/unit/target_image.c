/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/util.h"
#include "target/image.h"

#define PAGE 4096u

static char directory[] = "/tmp/target_image.XXXXXX";
static char path[64];

/* 2 MiB of ours with a page in the middle that is not mapped. */
#define REGION (2 * MiB)
#define HOLE (MiB + 3 * PAGE)
static unsigned char *region;

static int setup(void **state)
{
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/heap", directory);
	region = mmap(NULL, REGION, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (region == MAP_FAILED)
		return -1;
	for (size_t i = 0; i < REGION; i++)
		region[i] = (unsigned char)(i * 2654435761u >> 13);
	return munmap(region + HOLE, PAGE);
}

static int teardown(void **state)
{
	return rmdir(directory);
}

static struct python *make_python(void)
{
	_cleanup_process_ struct process *proc = NULL;
	struct python *py = calloc(1, sizeof(*py));

	assert_int_equal(process_open(getpid(), &proc, NULL), 0);
	assert_int_equal(maps_read(proc, &py->maps), 0);
	*py = (struct python){
		.maps = py->maps,
		.map = maps_find(py->maps, (uint64_t)&make_python),
		.hex = 0x030c00c1,
		.evidence = PYTHON_EVIDENCE_PY_VERSION,
		.debug = true,
		.stripped = true,
		.initialized = true,
		.runtimes_count = 2,
		.bias = 0x1000,
		.runtime = 0x7f0012345678,
		.path = strdup("/usr/bin/python3.12"),
	};
	return py;
}

static int write_sample(void)
{
	_cleanup_python_ struct python *py = make_python();
	_cleanup_memory_ struct memory *mem = NULL;
	struct image_range ranges[] = { { .addr = (uint64_t)region, .len = REGION } };
	struct python_symbol symbols[] = { { (char[]){ "arenas" }, 0x1234 },
					   { (char[]){ "usedpools" }, 0x7fff00001234 } };
	struct image_writer writer = {
		.py = py,
		.ranges = ranges,
		.ranges_count = 1,
		.symbols = symbols,
		.symbols_count = 2,
	};

	assert_int_equal(memory_live_new(getpid(), &mem), 0);
	writer.mem = mem;
	return image_write(&writer, path, NULL);
}

static void comes_back_as_it_was(void **state)
{
	_cleanup_python_ struct python *py = make_python();
	_cleanup_image_ struct image *image = NULL;
	_cleanup_free_ unsigned char *buf = malloc(REGION);
	struct error err = { 0 };
	uint64_t at = (uint64_t)region;
	struct stat st;

	assert_int_equal(write_sample(), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(image_open(path, &image, &err), 0);

	assert_int_equal(image->python->hex, py->hex);
	assert_string_equal(image->python->version, "3.12.0rc1");
	assert_int_equal(image->python->evidence, py->evidence);
	assert_true(image->python->debug && image->python->stripped && image->python->initialized);
	assert_false(image->python->free_threaded || image->python->is_static);
	assert_int_equal(image->python->runtimes_count, 2);
	assert_true(image->python->bias == py->bias && image->python->runtime == py->runtime);
	assert_string_equal(image->python->path, py->path);
	assert_null(image->python->image);
	assert_int_equal(image->python->map->start, py->map->start);
	assert_string_equal(image->python->map->path, py->map->path);
	assert_true(python_symbol(image->python, "usedpools") == 0x7fff00001234);
	assert_true(python_symbol(image->python, "pools") == 0);

	assert_int_equal(memory_read(image->memory, at, buf, HOLE), 0);
	assert_memory_equal(buf, region, HOLE);
	assert_int_equal(memory_read(image->memory, at + HOLE - 1, buf, 2), -EFAULT);
	assert_int_equal(memory_read(image->memory, at + HOLE + PAGE - 1, buf, 2), -EFAULT);
	assert_int_equal(memory_read(image->memory, at + HOLE + PAGE, buf, REGION - HOLE - PAGE),
			 0);
	assert_memory_equal(buf, region + HOLE + PAGE, REGION - HOLE - PAGE);
	assert_int_equal(memory_read(image->memory, at + REGION - 1, buf, 2), -EFAULT);
	assert_int_equal(unlink(path), 0);
}

static void overwrites_nothing(void **state)
{
	struct stat before, after;

	assert_int_equal(write_sample(), 0);
	assert_int_equal(stat(path, &before), 0);
	assert_int_equal(write_sample(), -EEXIST);
	assert_int_equal(stat(path, &after), 0);
	assert_true(before.st_ino == after.st_ino && before.st_size == after.st_size);
	assert_int_equal(unlink(path), 0);
}

static void leaves_no_half_file(void **state)
{
	_cleanup_python_ struct python *py = make_python();
	_cleanup_memory_ struct memory *mem = NULL;
	struct error err = { 0 };
	struct image_range backwards[] = { { .addr = 0x2000, .len = 1 },
					   { .addr = 0x1000, .len = 1 } };
	struct image_writer writer = { .py = py, .ranges = backwards, .ranges_count = 2 };

	assert_int_equal(memory_live_new(getpid(), &mem), 0);
	writer.mem = mem;
	assert_int_equal(image_write(&writer, path, &err), -EINVAL);
	assert_non_null(strstr(err.text, path));
	assert_int_equal(access(path, F_OK), -1);
}

/* The stream of the sample without its compression, which would find most damage by its checksum.
 */
static unsigned char *plain_sample(size_t *len)
{
	unsigned char *data = malloc(4 * MiB);
	gzFile file;
	int n;

	assert_int_equal(write_sample(), 0);
	file = gzopen(path, "rb");
	n = gzread(file, data, 4 * MiB);
	assert_true(n > (int)MiB);
	gzclose(file);
	unlink(path);
	*len = (size_t)n;
	return data;
}

static int open_bytes(const void *data, size_t len)
{
	_cleanup_image_ struct image *image = NULL;
	struct error err = { 0 };
	FILE *file = fopen(path, "wb");
	int r;

	fwrite(data, 1, len, file);
	fclose(file);
	r = image_open(path, &image, &err);
	assert_true((r == 0) == (image != NULL));
	assert_true((r == 0) == !error_is_set(&err));
	unlink(path);
	return r;
}

static void refuses_cut_files(void **state)
{
	size_t len;
	_cleanup_free_ unsigned char *data = plain_sample(&len);

	assert_int_equal(open_bytes(data, len), 0);
	for (size_t cut = 0; cut < len; cut += cut < 300 ? 1 : 50021)
		assert_int_equal(open_bytes(data, cut), -EBADMSG);
	assert_int_equal(open_bytes(data, len - 1), -EBADMSG);
	/* One byte too many. */
	data[len] = 0;
	assert_int_equal(open_bytes(data, len + 1), -EBADMSG);
}

static void refuses_wrong_fields(void **state)
{
	/* Offsets in the stream: see image.h. */
	static const struct {
		size_t at;
		uint32_t value;
	} fields[] = {
		{ 0, 0x41414141 },  /* magic */
		{ 8, 2 },	    /* format */
		{ 12, 0x02070cf0 }, /* Python 2 */
		{ 12, 0 },
		{ 16, 0x80 },		 /* unknown flag */
		{ 20, 99 },		 /* evidence */
		{ 48, 0x80000000 },	 /* runtimes */
		{ 52, UINT32_MAX },	 /* length of the path */
		{ 56 + 19, UINT32_MAX }, /* length of the maps */
		{ 56 + 19, 0 },		 /* their text is then read as symbols */
		{ 56 + 19 + 4, 0x41414141 },
	};
	size_t len;
	_cleanup_free_ unsigned char *data = plain_sample(&len);

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		_cleanup_free_ unsigned char *copy = malloc(len);

		memcpy(copy, data, len);
		memcpy(copy + fields[i].at, &fields[i].value, 4);
		assert_int_equal(open_bytes(copy, len), -EBADMSG);
	}
}

static void the_checksum_is_checked(void **state)
{
	_cleanup_free_ unsigned char *data = malloc(8 * MiB);
	FILE *file;
	size_t len;

	assert_int_equal(write_sample(), 0);
	file = fopen(path, "rb");
	len = fread(data, 1, 8 * MiB, file);
	fclose(file);
	unlink(path);
	/* A gzip file ends with CRC32 and length (RFC 1952). */
	data[len - 5] ^= 1;
	assert_int_equal(open_bytes(data, len), -EBADMSG);
	data[len - 5] ^= 1;
	assert_int_equal(open_bytes(data, len), 0);
	assert_int_equal(open_bytes(data, len - 9), -EBADMSG);
}

static void survives_corruption(void **state)
{
	size_t len;
	_cleanup_free_ unsigned char *data = plain_sample(&len);
	uint64_t seed = 4711;

	for (size_t round = 0; round < 200; round++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		data[(seed >> 33) % 2048] = (unsigned char)(seed >> 25);
		open_bytes(data, len);
	}
}

static void says_when_there_is_no_file(void **state)
{
	struct image *image = NULL;
	struct error err = { 0 };

	assert_int_equal(image_open("/nonexistent/heap", &image, &err), -ENOENT);
	assert_null(image);
	assert_non_null(strstr(err.text, "/nonexistent/heap"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back_as_it_was),
		cmocka_unit_test(overwrites_nothing),
		cmocka_unit_test(leaves_no_half_file),
		cmocka_unit_test(refuses_cut_files),
		cmocka_unit_test(refuses_wrong_fields),
		cmocka_unit_test(the_checksum_is_checked),
		cmocka_unit_test(survives_corruption),
		cmocka_unit_test(says_when_there_is_no_file),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
