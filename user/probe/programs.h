/* SPDX-License-Identifier: BSD-2-Clause */
/* The BPF programs, opened and loaded the same way for every use. Private to probe/. */
#pragma once

#include "probe/links.h"
#include "probe/ring.h"
#include "probe/session.h"

struct events; /* the skeleton */

/* @records: places of the ring, a power of two above RING_SLACK. Set read-only data before loading.
 */
int programs_open(enum session_link link, size_t records, struct events **ret);

/* Loads, and maps the ring. On failure the programs are still only open. 0 or negative errno. */
int programs_load(struct events *programs, struct ring *ret);

/* Unmaps and destroys; either may be empty. */
void programs_free(struct events *programs, struct ring *ring);

/* Who attaches loaded programs: pymemtop-links gets them. As links_new(). */
int programs_links(const struct events *programs, enum session_link link, struct links **ret);
