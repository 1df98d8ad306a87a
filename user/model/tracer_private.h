/* SPDX-License-Identifier: BSD-2-Clause */
/* What tracer.c and its parts share. */
#pragma once

#include "model/blocks.h"
#include "model/forked.h"
#include "model/fresh.h"
#include "model/keeping.h"
#include "model/metronome.h"
#include "model/pace.h"
#include "model/spending.h"
#include "model/tracer.h"
#include "probe/session.h"

#include <pthread.h>
#include <uthash.h>

_Static_assert(EVENTS_COUNT_MAX <= 16, "lost_by_cause has room");

/* A block of known type that realloc has moved, until its type is known again: its old size counts
 * as freed then. */
struct moved {
	uint64_t addr, time_ns, size;
	UT_hash_handle hh;
};

/* The newest records say what is about to be done: one for each thread, of which only builds
 * without a GIL have several. */
#define TRACER_PENDING 64

struct tracer {
	struct tracer_options options;
	struct memory *mem;
	struct plan *plan;
	struct session *session;
	struct flows *flows;
	struct fresh *fresh;
	struct pools *pools;
	struct blocks blocks;
	uint64_t lost;	     /* as last looked at */
	uint64_t lost_cut;   /* when the last sample ended */
	uint64_t lost_begin; /* when the census began */
	uint64_t lost_restart[16];
	uint64_t grown[TRACER_CLASSES];
	struct spending spending;
	struct metronome metronome;
	struct keeping keeping;
	uint64_t start_ns, traced_ns,
		window_ns;  /* window_ns: when the open one was opened, or last cut */
	uint64_t now_ns;    /* as of the batch of records at hand */
	uint64_t budget_ns; /* when the budget wants to be asked again */
	size_t looked_at;   /* budget mode: sites of which it is known how much they are hit */
	struct pace pace;
	uint64_t unknown_frees, consumed;
	struct moved *moved;
	uint64_t pending[TRACER_PENDING]; /* blocks of the newest records */
	size_t pending_count;		  /* ever */
	uint64_t pending_lost;		  /* before the first of them was written, at most */
	uint64_t drained_lost;		  /* before the ring was last found empty */
	struct forked forked;
	int error;

	pthread_t thread;
	bool has_thread;
	pthread_mutex_t lock;
	int waiting; /* threads that want the lock: the consumer makes way */
	bool stop;
};

/* All of them: @arg is the tracer. What a record says goes to the ledger, the flows and the blocks
 * that wait for their types. */
int tracer_on_event(const struct session_event *e, void *arg);

void tracer_forget_moved(struct tracer *t);

/* A fresh block's type was read: it is counted, once. */
void tracer_on_typed(void *arg, uint64_t addr, uint64_t type);

/* Is the block at @addr still waiting for its type, and not one that came after it? */
bool tracer_is_wanted(void *arg, uint64_t addr, uint64_t time_ns);

/* What a lost record said, nothing repairs but a census: until then the ledger is not whole. */
void tracer_check_loss(struct tracer *t);

/* A window that ended without being asked to: see session_has_ended(). */
void tracer_mind_end(struct tracer *t);

/* All that was recorded before the call is consumed. */
void tracer_catch_up(struct tracer *t);

void tracer_take_lock(struct tracer *t);
