/* SPDX-License-Identifier: BSD-2-Clause */
/* The BPF programs, opened and loaded the same way for every use. Private to probe/. */
#pragma once

#include "probe/ring.h"
#include "probe/session.h"

struct bpf_program;
struct events; /* the skeleton */

/* @records: places of the ring, a power of two above RING_SLACK. Set read-only data before loading.
 */
int programs_open(enum session_link link, size_t records, struct events **ret);

/* Loads, and maps the ring. On failure the programs are still only open. 0 or negative errno. */
int programs_load(struct events *programs, struct ring *ret);

/*
 * Says what @prog must know at a place where it will be attached: its @address in the memory of the
 * process, and the cookie that the link has, which on a kernel that has them makes this unneeded.
 * 0 or negative errno.
 */
int programs_place(struct events *programs, const struct bpf_program *prog, bool is_return,
		   uint64_t address, uint64_t cookie);

/* Unmaps and destroys; either may be empty. */
void programs_free(struct events *programs, struct ring *ring);
