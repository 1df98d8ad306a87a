/* SPDX-License-Identifier: BSD-2-Clause */
#include "target/memory_files.h"

#include "base/clock.h"
#include "base/util.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sys/stat.h>

#define PAGE 4096ull
/* Documentation/admin-guide/mm/pagemap.rst: present, or swapped out. */
#define PM_THERE (3ull << 62)
#define FD_NOT_OPENED (-1)
#define FD_CANNOT (-2)
/* One read tells of so many pages; so many answers are kept, for so long. */
#define ROW_PAGES 64
#define ROWS 64
#define ROWS_LAST_NS NSEC_PER_SEC

struct file_range {
	uint64_t start, end, offset, inode;
	char *path;
	int fd;
};

/* What was there of 64 pages in a row. */
struct pages_row {
	uint64_t number; /* of the first page, in rows */
	uint64_t there;
};

struct memory_files {
	const struct process *proc;
	struct file_range *list; /* by address */
	size_t count;
	int pagemap;
	unsigned int users;
	struct pages_row rows[ROWS];
	uint64_t rows_ns;     /* the oldest may be from then */
	pthread_mutex_t lock; /* of the fds, which are opened when first needed, and the rows */
};

static int files_add(struct memory_files *files, const struct mapping *map)
{
	struct file_range *range = &files->list[files->count];

	*range = (struct file_range){
		.start = map->start,
		.end = map->end,
		.offset = map->offset,
		.inode = map->inode,
		.path = strdup(map->path),
		.fd = FD_NOT_OPENED,
	};
	if (!range->path)
		return -ENOMEM;
	files->count++;
	return 0;
}

int memory_files_new(const struct process *proc, const struct maps *maps, struct memory_files **ret)
{
	cleanup(memory_files_freep) struct memory_files *files = calloc(1, sizeof(*files));
	int r = 0;

	if (!files)
		return -ENOMEM;
	pthread_mutex_init(&files->lock, NULL);
	files->users = 1;
	files->proc = proc;
	files->pagemap = -1;
	files->list = calloc(maps->count + 1, sizeof(*files->list));
	if (!files->list)
		return -ENOMEM;
	for (size_t i = 0; !r && i < maps->count; i++) {
		const struct mapping *map = &maps->list[i];

		if (map->kind == MAPPING_FILE && map->read && !map->shared)
			r = files_add(files, map);
	}
	if (r < 0)
		return r;
	files->pagemap = process_open_file(proc, "pagemap");
	if (files->pagemap < 0)
		return files->pagemap;
	*ret = TAKE_PTR(files);
	return 0;
}

struct memory_files *memory_files_ref(struct memory_files *files)
{
	__atomic_add_fetch(&files->users, 1, __ATOMIC_RELAXED);
	return files;
}

void memory_files_free(struct memory_files *files)
{
	if (__atomic_sub_fetch(&files->users, 1, __ATOMIC_ACQ_REL))
		return;
	for (size_t i = 0; i < files->count; i++) {
		if (files->list[i].fd >= 0)
			close(files->list[i].fd);
		free(files->list[i].path);
	}
	free(files->list);
	if (files->pagemap >= 0)
		close(files->pagemap);
	pthread_mutex_destroy(&files->lock);
	free(files);
}

/* The first range that ends behind @addr, or NULL. */
static struct file_range *files_after(const struct memory_files *files, uint64_t addr)
{
	size_t low = 0, high = files->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (files->list[mid].end > addr)
			high = mid;
		else
			low = mid + 1;
	}
	return low < files->count ? &files->list[low] : NULL;
}

bool memory_files_touches(const struct memory_files *files, uint64_t addr, size_t len)
{
	const struct file_range *range = files_after(files, addr);

	return range && range->start < addr + len;
}

static bool is_same_file(int fd, const struct file_range *range)
{
	struct stat st;

	return !fstat(fd, &st) && st.st_ino == range->inode && S_ISREG(st.st_mode);
}

/* By the mapping itself, which finds deleted files too, else by name from the target's own root. */
static int files_open(const struct memory_files *files, const struct file_range *range)
{
	char name[64], path[4096];
	int fd;

	snprintf(name, sizeof(name), "map_files/%" PRIx64 "-%" PRIx64, range->start, range->end);
	fd = process_open_file(files->proc, name);
	if (fd < 0 && snprintf(path, sizeof(path), "root%s", range->path) < (int)sizeof(path))
		fd = process_open_file(files->proc, path);
	if (fd >= 0 && !is_same_file(fd, range)) {
		close(fd);
		fd = FD_CANNOT;
	}
	return fd < 0 ? FD_CANNOT : fd;
}

static int files_fd(struct memory_files *files, struct file_range *range)
{
	int fd;

	pthread_mutex_lock(&files->lock);
	if (range->fd == FD_NOT_OPENED)
		range->fd = files_open(files, range);
	fd = range->fd;
	pthread_mutex_unlock(&files->lock);
	return fd;
}

/* A page that was there will be there: it may have been given back since, which costs a fault. What
 * was not is asked again: it may have been written to. */
static bool was_there(struct memory_files *files, uint64_t page)
{
	const struct pages_row *row = &files->rows[page / ROW_PAGES % ROWS];
	uint64_t now = clock_monotonic();
	bool there;

	pthread_mutex_lock(&files->lock);
	if (now - files->rows_ns > ROWS_LAST_NS) {
		memset(files->rows, 0, sizeof(files->rows));
		files->rows_ns = now;
	}
	there = row->number == page / ROW_PAGES && row->there >> page % ROW_PAGES & 1;
	pthread_mutex_unlock(&files->lock);
	return there;
}

static bool is_there(struct memory_files *files, uint64_t addr)
{
	uint64_t entries[ROW_PAGES], page = addr / PAGE;
	struct pages_row row = { .number = page / ROW_PAGES };
	ssize_t n;

	if (was_there(files, page))
		return true;
	n = pread(files->pagemap, entries, sizeof(entries), (off_t)(row.number * sizeof(entries)));
	if (n < (ssize_t)((page % ROW_PAGES + 1) * sizeof(*entries)))
		return true;
	for (size_t i = 0; i < (size_t)n / sizeof(*entries); i++)
		row.there |= (uint64_t) !!(entries[i] & PM_THERE) << i;
	pthread_mutex_lock(&files->lock);
	files->rows[row.number % ROWS] = row;
	pthread_mutex_unlock(&files->lock);
	return row.there >> page % ROW_PAGES & 1;
}

bool memory_files_spares(struct memory_files *files, uint64_t addr)
{
	const struct file_range *range = files_after(files, addr);

	return range && range->start <= addr && !is_there(files, addr);
}

ssize_t memory_files_read(struct memory_files *files, uint64_t addr, void *buf, size_t len)
{
	struct file_range *range = files_after(files, addr);
	size_t want = MIN(len, (size_t)(PAGE - addr % PAGE));
	ssize_t n;
	int fd;

	if (!memory_files_spares(files, addr))
		return -EAGAIN;
	fd = files_fd(files, range);
	if (fd < 0)
		return -EAGAIN;
	n = pread(fd, buf, want, (off_t)(range->offset + (addr - range->start)));
	if (n <= 0)
		return -EAGAIN; /* beyond the file's end there is nothing to fault in either */
	memset((char *)buf + n, 0, want - (size_t)n); /* the rest of the file's last page */
	return (ssize_t)want;
}
