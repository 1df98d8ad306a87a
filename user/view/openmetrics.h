/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Metrics as text, for Prometheus and everything that reads its formats. The names are fixed:
 * docs/daemon.md.
 *
 * Both formats want all samples of a family side by side, so a family is rendered for one process
 * at a time: head, then the samples of each process, then the next family.
 */
#pragma once

#include "model/picture.h"

#include <stdbool.h>
#include <stdio.h>

enum openmetrics_family {
	OPENMETRICS_UP,
	OPENMETRICS_INUSE_BYTES,
	OPENMETRICS_INUSE_OBJECTS,
	OPENMETRICS_ALLOC_BYTES,
	OPENMETRICS_FREED_BYTES,
	OPENMETRICS_INSTANCES,
	OPENMETRICS_MEMORY_BYTES,
	OPENMETRICS_CENSUS_DURATION,
	OPENMETRICS_CENSUS_TIMESTAMP,
	OPENMETRICS_EVENTS_LOST,
	OPENMETRICS_OVERHEAD_RATIO,
	OPENMETRICS_FAMILIES_COUNT,
};

enum openmetrics_format {
	OPENMETRICS_FORMAT_TEXT, /* Prometheus text 0.0.4, what promtool reads */
	OPENMETRICS_FORMAT_OPEN, /* OpenMetrics 1.0 */
};

/* One value of the label `type`. Names differ from row to row. */
struct openmetrics_row {
	const char *name;
	int64_t inuse_bytes, inuse_objects;
	int64_t storage[PICTURE_STORAGES_COUNT];
	double alloc_bytes, freed_bytes; /* since we watch; NAN: never known */
};

struct openmetrics_process {
	pid_t pid;
	const char *service;
	const char *pod, *container; /* NULL: none, and no label */
	bool up;
	const struct picture *pic; /* NULL: only `up` is known */
	const struct openmetrics_row *rows;
	size_t rows_count;
	int64_t lost; /* since we watch; PICTURE_UNKNOWN: no events were on */
};

/* HELP and TYPE of a family. Stream errors show in ferror(@out), here and below. */
void openmetrics_write_head(FILE *out, enum openmetrics_family family,
			    enum openmetrics_format format);
/* The samples of one process, the same in both formats. What is unknown has no sample. */
void openmetrics_write_samples(FILE *out, enum openmetrics_family family,
			       const struct openmetrics_process *proc);
/* "# EOF": OpenMetrics asks for it, to the text format it is a comment. */
void openmetrics_write_end(FILE *out);

/* What HTTP calls the format. */
const char *openmetrics_content_type(enum openmetrics_format format);
/* Which format an Accept header (may be NULL) asks for. */
enum openmetrics_format openmetrics_negotiate(const char *accept);
