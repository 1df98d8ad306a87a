/* SPDX-License-Identifier: BSD-2-Clause */
/* When a window, or a look at one site, begins and ends: what the target had done by then. */
#pragma once

#include "bpf/events.h"

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct events__bss;

/* Hits of all sites so far, as events_weigh() counts them. */
uint64_t links_hits(const struct events__bss *shared);

/* Naps for some tens of microseconds. Was anything hit meanwhile? */
bool links_is_hit(const struct events__bss *shared);

/* It begins now, with probes there already; recording is still to be enabled. */
void links_note_begin(const struct events__bss *shared, pid_t pid, struct events_moment *ret);

/* It ends now; recording is disabled. */
void links_note_end(struct events__bss *shared, pid_t pid, struct events_moment *ret);

/*
 * The calling thread leaves the CPUs on which threads of @pid run, where others are left of @all,
 * those it may have: what it would take from the target there is nowhere booked while it does. Not
 * while it attaches or detaches, where an interrupt from another CPU for each site takes more.
 */
void links_stand_aside(pid_t pid, const cpu_set_t *all);
