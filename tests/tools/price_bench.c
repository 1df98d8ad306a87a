/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Test tool, not installed: what a hit costs against an empty program at the same instruction.
 *
 *   price_bench [rounds]
 *
 * The lowest of all rounds, whose programs follow each other: a slow moment of the machine only
 * adds.
 */
#include "base/util.h"
#include "probe/cost.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 20;
	struct cost best = { 1e12, 1e12, 1e12 };
	struct error err = { 0 };

	for (int i = 0; i < rounds; i++) {
		struct cost cost;

		if (cost_measure(SESSION_LINK_AUTO, &cost, &err)) {
			fprintf(stderr, "price_bench: %s\n", err.text);
			return 1;
		}
		best.empty_ns = MIN(best.empty_ns, cost.empty_ns);
		best.alloc_ns = MIN(best.alloc_ns, cost.alloc_ns);
		best.turn_ns = MAX(best.turn_ns, cost.turn_ns);
		best.free_ns = MIN(best.free_ns, cost.free_ns);
	}
	printf("turn of a site %.0f ns; empty program %.0f ns; allocation %.0f ns (%.3f); free "
	       "%.0f ns (%.3f); mean of both %.3f\n",
	       best.turn_ns, best.empty_ns, best.alloc_ns, best.alloc_ns / best.empty_ns,
	       best.free_ns, best.free_ns / best.empty_ns,
	       (best.alloc_ns + best.free_ns) / 2 / best.empty_ns);
	return 0;
}
