/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bounded pool of threads for work that may take long, so that the loop never waits. A job whose
 * thread hangs (a process can make those hang that read its memory: userfaultfd, FUSE) is given
 * another thread in its place, up to a limit; it comes back, late, when the process lets go or
 * ends.
 */
#pragma once

#include "base/cleanup.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define THREADS_STUCK_MAX 32

/* To be embedded. Belongs to the pool from threads_submit() until @done. */
struct threads_job {
	void (*run)(struct threads_job *job);  /* in a thread of the pool */
	void (*done)(struct threads_job *job); /* in the loop */
	struct threads_job *next;
	uint64_t started; /* monotonic; 0: waits */
	bool stuck;
};

struct threads;

/* 0 or negative errno. Threads take no signals. */
int threads_new(struct event_base *base, size_t count, struct threads **ret);
void threads_submit(struct threads *threads, struct threads_job *job);

/*
 * Jobs that have run longer than @limit_ns become stuck, once: @found (may be NULL) is told. How
 * many are stuck now.
 */
size_t threads_check(struct threads *threads, uint64_t limit_ns,
		     void (*found)(struct threads_job *job, void *arg), void *arg);

/*
 * Takes no more jobs, forgets those that wait, and lets those that run finish within @wait_ns;
 * their @done is not called. True when no thread is left: else the memory of the pool and of its
 * jobs must stay.
 */
bool threads_stop(struct threads *threads, uint64_t wait_ns);
/* After a threads_stop() that was true. */
void threads_free(struct threads *threads);
