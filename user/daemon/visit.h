/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is done with one process each interval, in a thread of the pool: open it if need be, take a
 * census, and render whatever somebody waits for. Nothing but text stays behind, so that memory
 * does not grow with what is watched.
 */
#pragma once

#include "daemon/export.h"
#include "daemon/labels.h"
#include "daemon/threads.h"
#include "model/observer.h"
#include "target/process.h"
#include "view/rows.h"

/* Types of one process beyond these are summed up. */
#define VISIT_TYPES_MAX 5000
/* A snapshot larger than this is not sent. */
#define VISIT_RENDER_MAX (16 * MiB)

/* A snapshot that a client waits for. */
struct visit_render {
	const struct rows_key *sort;
	size_t limit; /* 0: all */
	char *text;   /* the answer: one line of JSON; NULL where @error says why not */
	size_t len;
	struct error error;
	void *owner; /* the client's; the loop clears it when the client goes */
	struct visit_render *next;
};

void visit_render_free(struct visit_render *render);

/* Text of one metric family. */
struct visit_text {
	char *text;
	size_t len;
};

/* What is known after a visit, beside the renders. */
struct visit_facts {
	struct visit_text metrics[OPENMETRICS_FAMILIES_COUNT];
	char version[24], cmdline[256]; /* empty: unknown */
	char events_error[320]; /* why there are no events; empty: there are, or none were wanted */
	int64_t rss_bytes, inuse_bytes;
	uint64_t taken_at_unix_ns; /* 0: nothing was ever read */
	uint64_t cpu_ns;	   /* time on a processor of the last census alone */
};

void visit_facts_fini(struct visit_facts *facts);

struct visit {
	struct threads_job job; /* first: the pool hands it back */

	/* Asked: set by the loop before threads_submit(). */
	pid_t pid;
	uint64_t start_time_ticks;
	struct observer_options options;
	uint64_t interval_ns; /* to the next visit, as things stand */
	bool wants_events;    /* has a turn: of the kind that the options say */
	const volatile bool *stop;
	bool reopen; /* it may be another program by now; what failed for good is tried again */
	bool close;
	struct visit_render *renders;
	const char *dump_dir; /* NULL: none; where a full snapshot goes */

	/* Kept from visit to visit. @proc and @labels do not change once a visit is over. */
	struct process *proc;
	struct labels labels;
	struct observer *obs;
	bool has_events; /* now */
	struct export *export;
	uint64_t rates_at; /* monotonic; 0: never */
	int64_t lost, lost_of_observer;

	/* Answered: the loop looks at it, and takes @facts, when the visit is over. */
	int result; /* 0 or negative errno, with @error */
	struct error error;
	struct visit_facts facts;
	uint64_t whole_ns; /* time on a processor of all of it */
	char dumped[512];  /* the file that was written; empty: none */
	struct error dump_error;
};

/* For threads_job. */
void visit_run(struct threads_job *job);
/* Closes everything: not in the loop, closing takes time. */
void visit_fini(struct visit *visit);
