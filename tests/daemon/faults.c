/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Preloaded into pymemtop: makes what it calls fail as the machine may.
 *
 *   FAULT_ALLOC=N        the N-th allocation fails, and with FAULT_ALLOC_EVERY=M each M-th after it
 *   FAULT_INTERRUPT=N    each N-th call that may wait is interrupted, before it has done anything
 *   FAULT_CLOCK=1        whoever asks for the time of day gets hours that jump to and fro
 */
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define NEXT(name) ((__typeof__(&name))next(#name))

static unsigned long allocations, interruptions, clocks;
static long fail_at = -1, fail_every, interrupt_every, clock_jumps;

static void *next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

static long number(const char *name)
{
	const char *text = getenv(name);

	return text ? strtol(text, NULL, 10) : 0;
}

__attribute__((constructor)) static void set_up(void)
{
	fail_every = number("FAULT_ALLOC_EVERY");
	interrupt_every = number("FAULT_INTERRUPT");
	clock_jumps = number("FAULT_CLOCK");
	fail_at = number("FAULT_ALLOC") ?: -1;
}

static int allocation_fails(void)
{
	long at = (long)__atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED);

	if (fail_at < 0 || at < fail_at)
		return 0;
	if (at > fail_at && (!fail_every || (at - fail_at) % fail_every))
		return 0;
	errno = ENOMEM;
	return 1;
}

/* glibc's own names: dlsym() itself allocates. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);

void *malloc(size_t size)
{
	return allocation_fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return allocation_fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *block, size_t size)
{
	return allocation_fails() ? NULL : __libc_realloc(block, size);
}

static int interrupted(void)
{
	if (!interrupt_every || __atomic_add_fetch(&interruptions, 1, __ATOMIC_RELAXED) % (unsigned long)interrupt_every)
		return 0;
	errno = EINTR;
	return 1;
}

ssize_t read(int fd, void *buf, size_t len)
{
	return interrupted() ? -1 : NEXT(read)(fd, buf, len);
}

ssize_t pread(int fd, void *buf, size_t len, off_t at)
{
	return interrupted() ? -1 : NEXT(pread)(fd, buf, len, at);
}

ssize_t process_vm_readv(pid_t pid, const struct iovec *to, unsigned long to_count, const struct iovec *from,
			 unsigned long from_count, unsigned long flags)
{
	return interrupted() ? -1 : NEXT(process_vm_readv)(pid, to, to_count, from, from_count, flags);
}

int poll(struct pollfd *fds, nfds_t count, int timeout)
{
	return interrupted() ? -1 : NEXT(poll)(fds, count, timeout);
}

int epoll_wait(int fd, struct epoll_event *events, int count, int timeout)
{
	return interrupted() ? -1 : NEXT(epoll_wait)(fd, events, count, timeout);
}

int nanosleep(const struct timespec *time, struct timespec *left)
{
	if (!interrupted())
		return NEXT(nanosleep)(time, left);
	if (left)
		*left = *time;
	return -1;
}

int clock_gettime(clockid_t id, struct timespec *ret)
{
	int r = NEXT(clock_gettime)(id, ret);

	if (!r && clock_jumps && id == CLOCK_REALTIME)
		ret->tv_sec += __atomic_add_fetch(&clocks, 1, __ATOMIC_RELAXED) % 2 ? 7200 : -7200;
	return r;
}
