/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line. One table holds every option; a command takes those that name it, so that the
 * same word means the same everywhere, and help, errors and the man page speak of the same options.
 */
#pragma once

#include "base/error.h"
#include "model/observer.h"
#include "view/rows.h"
#include "view/text.h"

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* Commands as bits: which commands take an option. */
enum options_command {
	OPTIONS_TOP = 1 << 0,
	OPTIONS_SNAPSHOT = 1 << 1,
	OPTIONS_PS = 1 << 2,
	OPTIONS_DOCTOR = 1 << 3,
	OPTIONS_DAEMON = 1 << 4,
	OPTIONS_RECORD = 1 << 5,
	OPTIONS_DIFF = 1 << 6,
	OPTIONS_ADVISE = 1 << 7,
	OPTIONS_REPORT = 1 << 8,
	OPTIONS_ALL = ~0,
};

#define OPTIONS_PIDS_MAX 64

enum options_format { OPTIONS_FORMAT_DEFAULT, OPTIONS_FORMAT_JSON, OPTIONS_FORMAT_TEXT };

#define OPTIONS_FILES_MAX 2
#define OPTIONS_GATES_MAX 32

/* --fail-growth: more growth than this fails. */
struct options_gate {
	const char *type; /* exact name, not ended by NUL; NULL: all types together */
	size_t type_len;
	uint64_t bytes;
};

/* What was asked for. `has_` tells an option that was given from its default. */
struct options {
	enum options_command command; /* that they are of */
	pid_t pid;		      /* 0: none given */
	pid_t pids[OPTIONS_PIDS_MAX]; /* of commands that take several; pid is the first */
	size_t pids_count;
	const char *socket; /* NULL: the default */
	const char *listen, *user, *pressure_dir;
	regex_t match;
	bool has_match, has_interval;
	const char *output;
	bool force;
	bool has_duration, has_limit, has_events, has_filter, has_overhead, has_max_cpu;
	uint64_t ring_bytes; /* 0: none given */
	uint64_t duration_ns, interval_ns;
	size_t limit; /* 0: all */
	const struct rows_key *sort;
	regex_t filter;
	const char *filter_text;
	enum options_format format;
	enum observer_events events;
	double max_overhead, max_cpu;
	bool full_cmdline, schema, batch, no_color;
	bool all, duplicates, values, subprocesses;
	uint64_t ceiling_bytes; /* 0: none given */
	const char *files[OPTIONS_FILES_MAX];
	size_t files_count;
	struct options_gate gates[OPTIONS_GATES_MAX];
	size_t gates_count;
};

/* How one command is called. */
struct options_usage {
	enum options_command command;
	const char *name;    /* "pymemtop snapshot" */
	const char *args;    /* "PID" or "" */
	const char *summary; /* first line of the help */
	const char *details; /* below the options; may be NULL */
};

enum options_result {
	OPTIONS_RUN,  /* go on with the command */
	OPTIONS_DONE, /* help or version was printed */
};

/*
 * Parses argv[1..]. Returns an enum options_result, or -EINVAL with @err (EXIT_USAGE). Sets the log
 * level for -v. What @ret holds is released by options_fini(), also after a failure.
 */
int options_parse(const struct options_usage *usage, int argc, char **argv, struct options *ret,
		  struct error *err);
void options_fini(struct options *opts);
#define _cleanup_options_ cleanup(options_fini)

/* How --sort, --filter and --limit choose rows; @default_limit when there is no --limit. */
struct rows_options options_rows(const struct options *opts, size_t default_limit);

/* Whether @stream gets colours: --no-color, NO_COLOR, CLICOLOR_FORCE, else whether it is a
 * terminal. */
bool options_colour(const struct options *opts, FILE *stream);

/* How text is written to @stream: its colours, and its width where it is a terminal. */
struct text_options options_text(const struct options *opts, FILE *stream);

/* -EINVAL where options of events do not fit their mode. */
int options_check_events(const struct options_usage *usage, const struct options *opts,
			 struct error *err);

/* A usage error about @usage: the text, then what to do. -EINVAL. */
int options_error(const struct options_usage *usage, struct error *err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
