/* SPDX-License-Identifier: BSD-2-Clause */
#include "target/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/uio.h>

#include "base/util.h"
#include "target/memory_files.h"

/* User space ends here unless a process asks for more by address hint
 * (Documentation/arch/x86/x86_64/mm.rst). */
#define ADDRESS_END ((uint64_t)1 << 47)

/* One call moves at most MAX_RW_COUNT, 2 GiB - 4 KiB (linux/fs.h); what is above is cut off
 * silently. */
#define CALL_BYTES_MAX GiB
/* UIO_MAXIOV of linux/uio.h. */
#define CALL_PIECES_MAX 1024
#define TARGET_PAGE 4096u

/*
 * What a backend does. @read: as much of the front of one piece as it can; 0 where the first byte
 * is not mapped. @batch: fills the fronts of @count pieces in order; the sum of bytes up to the
 * first one that is not whole. Both: or -ESRCH, -EPERM. Addresses and sizes were checked.
 */
struct memory_ops {
	ssize_t (*read)(struct memory *mem, uint64_t addr, void *buf, size_t len);
	ssize_t (*batch)(struct memory *mem, const struct memory_piece *pieces, size_t count);
};

struct segment {
	uint64_t base;
	const unsigned char *data;
	size_t len;
};

struct memory {
	const struct memory_ops *ops;
	struct memory_stats stats;
	pid_t pid;
	int fd; /* /proc/PID/mem where it is read instead of process_vm_readv(); else -1 */
	struct segment *segments;
	size_t segments_count;
	struct memory_files *files; /* live: NULL until memory_live_spare() */
};

static bool in_range(uint64_t addr, size_t len)
{
	return addr < ADDRESS_END && len <= ADDRESS_END - addr;
}

/* ---- live: process_vm_readv ------------------------------------------------------------------ */

/* A call that moved nothing: a fault is 0 bytes, all else is an error of the whole process. */
static ssize_t live_result(ssize_t n)
{
	if (n >= 0)
		return n;
	return errno == EFAULT ? 0 : -errno;
}

static ssize_t live_readv(struct memory *mem, const struct iovec *local, const struct iovec *remote,
			  size_t count)
{
	ssize_t n;

	do {
		mem->stats.calls++;
		n = process_vm_readv(mem->pid, local, count, remote, count, 0);
	} while (n < 0 && errno == EINTR);
	return live_result(n);
}

static ssize_t live_read_file(struct memory *mem, uint64_t addr, void *buf, size_t len)
{
	ssize_t n;

	do {
		mem->stats.calls++;
		n = pread(mem->fd, buf, len, (off_t)addr);
	} while (n < 0 && errno == EINTR);

	/* mem_rw() of fs/proc/base.c: 0 when the address space is gone, EIO when nothing could be
	 * read. */
	if (n == 0 && len > 0)
		return -ESRCH;
	if (n < 0)
		return errno == EIO || errno == EFAULT ? 0 : -errno;
	return n;
}

static ssize_t live_read_plain(struct memory *mem, uint64_t addr, void *buf, size_t len)
{
	struct iovec local = { .iov_base = buf, .iov_len = len };
	struct iovec remote = { .iov_base = (void *)addr, .iov_len = len };

	if (mem->fd >= 0)
		return live_read_file(mem, addr, buf, len);
	return live_readv(mem, &local, &remote, 1);
}

/* Up to the next page that is not to be touched. */
static size_t live_plain_run(struct memory *mem, uint64_t addr, size_t run, size_t len)
{
	while (run < len && !memory_files_spares(mem->files, addr + run))
		run += MIN(len - run, (size_t)TARGET_PAGE);
	return run;
}

/* Page by page where files are mapped: what the target has not touched comes from the file. */
static ssize_t live_read_sparing(struct memory *mem, uint64_t addr, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		size_t want = MIN(len - done, (size_t)(TARGET_PAGE - (addr + done) % TARGET_PAGE));
		ssize_t n = memory_files_read(mem->files, addr + done, (char *)buf + done, want);

		if (n < 0) {
			want = live_plain_run(mem, addr + done, want, len - done);
			n = live_read_plain(mem, addr + done, (char *)buf + done, want);
		}
		if (n < 0)
			return n;
		done += (size_t)n;
		if ((size_t)n < want)
			break;
	}
	return (ssize_t)done;
}

static ssize_t live_read(struct memory *mem, uint64_t addr, void *buf, size_t len)
{
	if (mem->files && memory_files_touches(mem->files, addr, len))
		return live_read_sparing(mem, addr, buf, len);
	return live_read_plain(mem, addr, buf, len);
}

static ssize_t one_by_one(struct memory *mem, const struct memory_piece *pieces, size_t count);

/* How many pieces from the first on touch no file: one call reads them. */
static size_t live_run(const struct memory *mem, const struct memory_piece *pieces, size_t count)
{
	size_t n = 0;

	while (n < count &&
	       !(mem->files && memory_files_touches(mem->files, pieces[n].addr, pieces[n].len)))
		n++;
	return n;
}

static ssize_t live_read_run(struct memory *mem, const struct memory_piece *pieces, size_t count)
{
	struct iovec local[CALL_PIECES_MAX], remote[CALL_PIECES_MAX];

	for (size_t i = 0; i < count; i++) {
		local[i] = (struct iovec){ .iov_base = pieces[i].buf, .iov_len = pieces[i].len };
		remote[i] = (struct iovec){ .iov_base = (void *)pieces[i].addr,
					    .iov_len = pieces[i].len };
	}
	return live_readv(mem, local, remote, count);
}

static ssize_t live_batch(struct memory *mem, const struct memory_piece *pieces, size_t count)
{
	size_t done = 0, sum = 0, want = 0;

	while (done < count && sum == want) {
		size_t run = mem->fd < 0 ? live_run(mem, pieces + done, count - done) : 0;
		ssize_t n = run ? live_read_run(mem, pieces + done, run)
				: one_by_one(mem, pieces + done, 1);

		if (n < 0)
			return n;
		sum += (size_t)n;
		for (size_t end = done + MAX(run, (size_t)1); done < end; done++)
			want += pieces[done].len;
	}
	return (ssize_t)sum;
}

static const struct memory_ops live_ops = { .read = live_read, .batch = live_batch };

/* The batch of backends that have none. */
static ssize_t one_by_one(struct memory *mem, const struct memory_piece *pieces, size_t count)
{
	ssize_t sum = 0;

	for (size_t i = 0; i < count; i++) {
		ssize_t n = pieces[i].len ? mem->ops->read(mem, pieces[i].addr, pieces[i].buf,
							   pieces[i].len)
					  : 0;

		if (n < 0)
			return n;
		sum += n;
		if ((size_t)n < pieces[i].len)
			break;
	}
	return sum;
}

/* ---- buffer ---------------------------------------------------------------------------------- */

/* Index of the first segment that ends behind @addr. */
static size_t segment_after(const struct memory *mem, uint64_t addr)
{
	size_t low = 0, high = mem->segments_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (mem->segments[mid].base + mem->segments[mid].len > addr)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

static ssize_t buffer_read(struct memory *mem, uint64_t addr, void *buf, size_t len)
{
	size_t done = 0;

	mem->stats.calls++;
	for (size_t i = segment_after(mem, addr); i < mem->segments_count && done < len; i++) {
		const struct segment *seg = &mem->segments[i];
		uint64_t at = addr + done - seg->base;
		size_t n;

		if (seg->base > addr + done)
			break;
		n = MIN(len - done, (size_t)(seg->len - at));
		memcpy((char *)buf + done, seg->data + at, n);
		done += n;
	}
	return (ssize_t)done;
}

static const struct memory_ops buffer_ops = { .read = buffer_read, .batch = one_by_one };

/* ---- life ------------------------------------------------------------------------------------ */

void memory_free(struct memory *mem)
{
	if (!mem)
		return;
	cleanup_close(&mem->fd);
	memory_files_freep(&mem->files);
	free(mem->segments);
	free(mem);
}

static struct memory *memory_alloc(const struct memory_ops *ops)
{
	struct memory *mem = calloc(1, sizeof(*mem));

	if (mem) {
		mem->ops = ops;
		mem->fd = -1;
	}
	return mem;
}

static int use_mem_file(struct memory *mem)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/mem", mem->pid);
	mem->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (mem->fd >= 0)
		return 0;
	if (errno == EACCES)
		return -EPERM;
	return errno == ENOENT ? -ESRCH : -errno;
}

int memory_live_new(pid_t pid, struct memory **ret)
{
	_cleanup_memory_ struct memory *mem = memory_alloc(&live_ops);
	ssize_t r;
	char byte;

	if (!mem)
		return -ENOMEM;
	mem->pid = pid;

	/*
	 * One byte at address 0, which nobody has mapped: the kernel looks up the process and
	 * checks the rights before it touches memory (process_vm_rw_core() of
	 * mm/process_vm_access.c).
	 */
	r = live_read(mem, 0, &byte, 1);
	if (r == -ENOSYS)
		r = use_mem_file(mem);
	if (r < 0)
		return (int)r;

	mem->stats = (struct memory_stats){ 0 };
	*ret = TAKE_PTR(mem);
	return 0;
}

int memory_live_keep_shared(struct memory *mem)
{
	return mem->ops == &live_ops && mem->fd < 0 ? use_mem_file(mem) : 0;
}

void memory_live_spare(struct memory *mem, struct memory_files *files)
{
	if (mem->ops != &live_ops)
		return;
	memory_files_freep(&mem->files);
	mem->files = memory_files_ref(files);
}

int memory_buffer_new(uint64_t base, const void *data, size_t len, struct memory **ret)
{
	_cleanup_memory_ struct memory *mem = memory_alloc(&buffer_ops);
	int r;

	if (!mem)
		return -ENOMEM;
	r = memory_buffer_add(mem, base, data, len);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(mem);
	return 0;
}

int memory_buffer_add(struct memory *mem, uint64_t base, const void *data, size_t len)
{
	size_t at = segment_after(mem, base), count = mem->segments_count;
	struct segment *list;

	if (mem->ops != &buffer_ops || !in_range(base, len))
		return -EINVAL;
	if (len == 0)
		return 0;
	if (at < count && mem->segments[at].base < base + len)
		return -EINVAL;

	/* Grows at powers of two, so that many segments cost no quadratic copying. */
	if ((count & (count - 1)) == 0) {
		list = reallocarray(mem->segments, count ? 2 * count : 1, sizeof(*list));
		if (!list)
			return -ENOMEM;
		mem->segments = list;
	}
	memmove(&mem->segments[at + 1], &mem->segments[at], (count - at) * sizeof(*mem->segments));
	mem->segments[at] = (struct segment){ .base = base, .data = data, .len = len };
	mem->segments_count++;
	return 0;
}

int memory_clone(const struct memory *mem, struct memory **ret)
{
	_cleanup_memory_ struct memory *copy = memory_alloc(mem->ops);

	if (!copy)
		return -ENOMEM;
	copy->pid = mem->pid;
	copy->files = mem->files ? memory_files_ref(mem->files) : NULL;
	if (mem->fd >= 0) {
		copy->fd = fcntl(mem->fd, F_DUPFD_CLOEXEC, 0);
		if (copy->fd < 0)
			return -errno;
	}
	/* One by one: the copy's capacity is what its own memory_buffer_add() expects. */
	for (size_t i = 0; i < mem->segments_count; i++) {
		const struct segment *seg = &mem->segments[i];
		int r = memory_buffer_add(copy, seg->base, seg->data, seg->len);

		if (r < 0)
			return r;
	}
	*ret = TAKE_PTR(copy);
	return 0;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* memory_read_some() without the books. */
static ssize_t read_front(struct memory *mem, uint64_t addr, void *buf, size_t len)
{
	size_t done = 0;
	bool stepping = false;

	if (addr >= ADDRESS_END)
		return 0;
	len = MIN(len, (size_t)(ADDRESS_END - addr));

	while (done < len) {
		uint64_t at = addr + done;
		size_t want = MIN(len - done, (size_t)CALL_BYTES_MAX);
		ssize_t n;

		if (stepping)
			want = MIN(want, (size_t)(TARGET_PAGE - at % TARGET_PAGE));
		n = mem->ops->read(mem, at, (char *)buf + done, want);
		if (n < 0)
			return n;
		done += (size_t)n;
		/*
		 * process_vm_readv(2) promises no partial transfer inside one iovec, although the
		 * kernel does make them by pages: after a fault, ask page by page before giving up.
		 */
		if ((size_t)n == want)
			continue;
		if (n == 0 && (stepping || want <= TARGET_PAGE - at % TARGET_PAGE))
			break;
		stepping = true;
	}
	return (ssize_t)done;
}

int memory_read(struct memory *mem, uint64_t addr, void *buf, size_t len)
{
	size_t done = 0;

	if (!in_range(addr, len)) {
		mem->stats.faults++;
		return -EFAULT;
	}
	while (done < len) {
		size_t want = MIN(len - done, (size_t)CALL_BYTES_MAX);
		ssize_t n = mem->ops->read(mem, addr + done, (char *)buf + done, want);

		if (n < 0)
			return (int)n;
		if (n == 0) {
			mem->stats.faults++;
			return -EFAULT;
		}
		done += (size_t)n;
	}
	mem->stats.bytes_read += len;
	return 0;
}

ssize_t memory_read_some(struct memory *mem, uint64_t addr, void *buf, size_t len)
{
	ssize_t n = read_front(mem, addr, buf, len);

	if (n < 0)
		return n;
	if ((size_t)n < len)
		mem->stats.faults++;
	mem->stats.bytes_read += (uint64_t)n;
	return n;
}

/* How many pieces from the front of @pieces fit into one call. */
static size_t batch_length(const struct memory_piece *pieces, size_t count)
{
	uint64_t bytes = 0;
	size_t n;

	for (n = 0; n < MIN(count, (size_t)CALL_PIECES_MAX); n++) {
		bytes += pieces[n].len;
		if (bytes > CALL_BYTES_MAX || !in_range(pieces[n].addr, pieces[n].len))
			break;
	}
	return n;
}

/* Marks what the first @bytes bytes of a batch cover whole; returns the number of those pieces. */
static size_t batch_mark(struct memory *mem, struct memory_piece *pieces, size_t count,
			 uint64_t bytes)
{
	size_t n;

	for (n = 0; n < count && pieces[n].len <= bytes; n++) {
		bytes -= pieces[n].len;
		pieces[n].got = pieces[n].len;
		mem->stats.bytes_read += pieces[n].len;
	}
	return n;
}

/* A piece that is too big for a batch, or whose address is no address: 1 if it was read. */
static ssize_t batch_single(struct memory *mem, struct memory_piece *piece)
{
	int r = memory_read(mem, piece->addr, piece->buf, piece->len);

	if (r == -EFAULT)
		return 0;
	if (r < 0)
		return r;
	piece->got = piece->len;
	return 1;
}

ssize_t memory_read_batch(struct memory *mem, struct memory_piece *pieces, size_t count)
{
	size_t i = 0;
	ssize_t whole = 0;

	for (size_t k = 0; k < count; k++)
		pieces[k].got = 0;

	while (i < count) {
		size_t want = batch_length(&pieces[i], count - i), got;
		ssize_t n;

		if (want == 0) {
			n = batch_single(mem, &pieces[i++]);
			if (n < 0)
				return n;
			whole += n;
			continue;
		}
		n = mem->ops->batch(mem, &pieces[i], want);
		if (n < 0)
			return n;
		got = batch_mark(mem, &pieces[i], want, (uint64_t)n);
		whole += (ssize_t)got;
		i += got;
		/* The transfer ends at the first fault: go on behind the piece that has it. */
		if (got < want) {
			mem->stats.faults++;
			i++;
		}
	}
	return whole;
}

ssize_t memory_read_string(struct memory *mem, uint64_t addr, char *buf, size_t cap)
{
	size_t done = 0;

	if (cap == 0)
		return -EINVAL;
	buf[0] = '\0';
	while (done < cap - 1) {
		uint64_t at = addr + done;
		/* Never past the page: the string may end on the last page that is mapped. */
		size_t want = MIN(cap - 1 - done, (size_t)(TARGET_PAGE - at % TARGET_PAGE));
		ssize_t n = memory_read_some(mem, at, buf + done, want);
		const char *end;

		if (n < 0)
			return n;
		buf[done + (size_t)n] = '\0';
		end = memchr(buf + done, '\0', (size_t)n);
		if (end)
			return end - buf;
		if ((size_t)n < want)
			return -EFAULT;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int memory_read_u64(struct memory *mem, uint64_t addr, uint64_t *ret)
{
	uint64_t value;
	int r = memory_read(mem, addr, &value, sizeof(value));

	if (r == 0)
		*ret = value;
	return r;
}

int memory_read_u32(struct memory *mem, uint64_t addr, uint32_t *ret)
{
	uint32_t value;
	int r = memory_read(mem, addr, &value, sizeof(value));

	if (r == 0)
		*ret = value;
	return r;
}

struct memory_stats memory_get_stats(const struct memory *mem)
{
	return mem->stats;
}
