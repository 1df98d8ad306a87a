/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An address space that is not ours. Live process, captured image and byte buffer look the same to
 * all that is built on top: the walkers are tested and fuzzed without a process and without rights.
 *
 * Nothing here ever writes to the target. Addresses are the target's.
 */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct memory;

/* One piece of a batch. @got is set by memory_read_batch(): bytes that were read, 0 if none. */
struct memory_piece {
	uint64_t addr;
	void *buf;
	uint32_t len;
	uint32_t got;
};

/* Counters since the object was made; bytes are those delivered. */
struct memory_stats {
	uint64_t bytes_read;
	uint64_t calls;
	uint64_t faults;
};

/*
 * Live process through process_vm_readv(2); falls back to /proc/PID/mem where the kernel was built
 * without CONFIG_CROSS_MEMORY_ATTACH. *ret is owned by the caller. Negative errno: -EPERM, -ESRCH,
 * -ENOMEM.
 *
 * The kernel looks the process up by @pid at each call: what was read belongs to the process that
 * was meant if process_is_alive() is still true afterwards, because a PID is not reused before its
 * owner has ended.
 */
int memory_live_new(pid_t pid, struct memory **ret);

/*
 * From now on, pages that the target shares with others by fork() stay shared: process_vm_readv()
 * pins what it reads, and the kernel gives the target a copy of its own of such a page before it is
 * pinned (Linux 6.18: gup_must_unshare() of mm/internal.h). /proc/PID/mem does not pin.
 * For other backends: nothing. -EPERM where the file's mode forbids it: all is as before.
 */
int memory_live_keep_shared(struct memory *mem);

struct memory_files;

/*
 * From now on, pages of mapped files that the target has not touched are read from the files
 * instead, so that looking at them does not make them resident. Takes a reference of its own. For
 * other backends: nothing.
 */
void memory_live_spare(struct memory *mem, struct memory_files *files);

/* @len bytes at @data, which appear at @base. Borrowed: @data must outlive the object. */
int memory_buffer_new(uint64_t base, const void *data, size_t len, struct memory **ret);

/* Adds a further segment to a buffer-backed object (tests, fuzzers). 0, -ENOMEM or -EINVAL on
 * overlap. */
int memory_buffer_add(struct memory *mem, uint64_t base, const void *data, size_t len);

/* A second handle on the same address space for another thread, with its own counters. */
int memory_clone(const struct memory *mem, struct memory **ret);

void memory_free(struct memory *mem);
DEFINE_CLEANUP(struct memory, memory_free)
#define _cleanup_memory_ cleanup(memory_freep)

/*
 * Reads exactly @len bytes. 0, or -EFAULT where any byte is not mapped, -ESRCH when the process is
 * gone, -EPERM. @buf is unspecified after a failure. Calls are interrupted by no signal (EINTR is
 * retried).
 */
int memory_read(struct memory *mem, uint64_t addr, void *buf, size_t len);

/* Reads as much of the front as is mapped. Bytes read (0 if the first byte is not), or -ESRCH,
 * -EPERM. */
ssize_t memory_read_some(struct memory *mem, uint64_t addr, void *buf, size_t len);

/*
 * Reads all pieces with as few system calls as it can. Each piece is read whole or got nothing:
 * @got is
 * @len or 0. Returns the number of whole pieces, or -ESRCH, -EPERM.
 */
ssize_t memory_read_batch(struct memory *mem, struct memory_piece *pieces, size_t count);

/* Reads a C string of at most cap-1 bytes; always terminates. Length, or negative errno as
 * memory_read. */
ssize_t memory_read_string(struct memory *mem, uint64_t addr, char *buf, size_t cap);

int memory_read_u64(struct memory *mem, uint64_t addr, uint64_t *ret);
int memory_read_u32(struct memory *mem, uint64_t addr, uint32_t *ret);

struct memory_stats memory_get_stats(const struct memory *mem);
