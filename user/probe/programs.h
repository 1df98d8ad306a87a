/* SPDX-License-Identifier: BSD-2-Clause */
/* The BPF programs, opened and loaded the same way for every use. Private to probe/. */
#pragma once

#include "probe/links.h"
#include "probe/ring.h"
#include "probe/session.h"

struct events; /* the skeleton */
struct bpf_object;

/* What is opened becomes what this kernel takes; the flags are those of its read-only data. */
int programs_suit(struct bpf_object *object, volatile bool *has_cookie, volatile bool *has_fetch);

/* @records: places of the ring, a power of two above RING_SLACK. Set read-only data before loading.
 */
int programs_open(enum session_link link, size_t records, struct events **ret);

/* Loads, and maps the ring. On failure the programs are still only open. 0 or negative errno. */
int programs_load(struct events *programs, struct ring *ret);

/*
 * Says what a program must know at a place where it will be attached, by its @address in the memory
 * of the process: for kernels where the cookie that a link has does not reach it. Places at which a
 * function has returned have no address of theirs: of such roles there is one place each. 0 or
 * negative errno.
 */
int programs_place(struct events *programs, uint64_t address, struct site_cookie cookie);

/* Unmaps and destroys; either may be empty. */
void programs_free(struct events *programs, struct ring *ring);

/* Who attaches loaded programs: pymemtop-links gets them. As links_new(). */
int programs_links(const struct events *programs, enum session_link link, struct links **ret);
