/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events of one target, turned into flows per type and, in exact mode, a ledger of live blocks.
 * Private to model/.
 *
 * A thread of its own consumes the ring. At an allocation the object's header is not written yet:
 * its type is read some milliseconds later, or comes with the free if that is first.
 */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"
#include "layout/layout.h"
#include "model/blocks.h"
#include "model/flows.h"
#include "probe/plan.h"
#include "target/process.h"
#include "target/python.h"

#include <stdbool.h>
#include <stdint.h>

struct tracer;

struct tracer_options {
	const struct process *proc;
	const struct python *py;
	const struct layout *layout;
	struct memory *mem; /* cloned */
	bool exact;
	double max_overhead; /* budget mode */
	uint64_t ring_bytes; /* 0: as the mode needs */
};

struct tracer_stats {
	uint64_t duration_ns, traced_ns; /* wall time since the start; in open windows */
	uint64_t records, lost, hits, windows;
	double cost_ns, overhead;   /* of a hit; estimated share of the target's time */
	uint64_t lost_by_cause[16]; /* by enum event_count; since the last tracer_restart() */
	const uint64_t *grown;	    /* TRACER_CLASSES: pools opened by size class, since then */
	double growth_coverage;	    /* share of the time in which those were counted; NAN: there are
				       no pools */
	size_t left_out;	    /* sites that another tool keeps from us */
	uint64_t unknown_frees;	    /* exact: frees of blocks that the ledger did not have */
	bool failed;		    /* consuming ended by an error: see error */
	int error;
};

/* Plans and loads; places no probe. Errors as the contract's. */
int tracer_new(const struct tracer_options *options, struct tracer **ret, struct error *err);
/* Ends the thread, removes every probe. */
void tracer_free(struct tracer *tracer);
DEFINE_CLEANUP(struct tracer, tracer_free)

/* Opens the first window and starts the thread. */
int tracer_start(struct tracer *tracer, struct error *err);

/*
 * Exact mode, around a census: _begin, wait TRACER_SETTLE_NS, take the census with
 * tracer_census_block(), _end. See model/blocks.h.
 */
#define TRACER_SETTLE_NS 50000000ull
#define TRACER_CLASSES 64

int tracer_census_begin(struct tracer *tracer);
void tracer_census_block(void *arg, uint64_t addr, uint64_t size, bool sure);
int tracer_census_end(struct tracer *tracer, struct blocks_drift *ret_drift);
void tracer_census_abort(struct tracer *tracer);

/* Cuts the sample at hand, and holds the thread still until tracer_unlock(): for reading flows and
 * stats. */
void tracer_lock(struct tracer *tracer);
void tracer_unlock(struct tracer *tracer);

/* Exact mode: the ledger. */
const struct blocks *tracer_blocks(const struct tracer *tracer);
const struct flows *tracer_flows(const struct tracer *tracer);
void tracer_get_stats(struct tracer *tracer, struct tracer_stats *ret);
const struct plan *tracer_plan(const struct tracer *tracer);
uint64_t tracer_site_hits(struct tracer *tracer, size_t site);
/* As session_refusal(). */
const char *tracer_site_refusal(struct tracer *tracer, size_t site);
/* Losses and growth count from here, and in exact mode the rates. */
void tracer_restart(struct tracer *tracer);
