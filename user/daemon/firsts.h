/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When a process that has come is looked at for the first time: finding its arenas, types and names
 * takes several times what it takes to look again. Some are looked at as soon as they come; where a
 * hundred come at once, they wait for their turn.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct firsts {
	double share;	 /* of a core, in the long run */
	double saved_ns; /* CPU time that may be used now; negative: was used ahead */
	double mean_ns;	 /* of a first look */
	uint64_t now_ns;
	size_t under_way;
};

/* @share: of a core; 0: no limit. */
struct firsts firsts_new(double share, uint64_t now_ns);

/* May one more begin? */
bool firsts_may(struct firsts *firsts, uint64_t now_ns);

void firsts_begin(struct firsts *firsts);

/* What it took. */
void firsts_end(struct firsts *firsts, uint64_t cpu_ns);
