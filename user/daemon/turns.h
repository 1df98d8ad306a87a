/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events take a ring of several MiB, a thread and time for each process, so only some have them on
 * at once and they take turns. Where there are no more processes than places, each keeps its own.
 */
#pragma once

#include "daemon/watch.h"

#define TURNS_PLACES 2
#define TURNS_LENGTH (180 * NSEC_PER_SEC)

/* Takes the turns of those that had theirs, where others wait, and gives out what is free. */
void turns_assign(struct watch_table *table, uint64_t now);
