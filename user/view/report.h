/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One HTML page that needs nothing else: a snapshot, and of a recording how it grew. Whatever names
 * the target has chosen, they are data in it and never markup.
 */
#pragma once

#include "advise/suspects.h"
#include "model/picture.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define REPORT_SERIES_MAX 8
#define REPORT_POINTS_MAX 600

/* How a recording went on, thinned out to what a chart can show. */
struct report_growth {
	size_t lines; /* of the recording */
	size_t points_count;
	double seconds[REPORT_POINTS_MAX]; /* since the first line */
	int64_t rss_bytes[REPORT_POINTS_MAX], python_bytes[REPORT_POINTS_MAX];
	const char *names[REPORT_SERIES_MAX]; /* borrowed */
	size_t series_count;
	int64_t bytes[REPORT_SERIES_MAX][REPORT_POINTS_MAX]; /* 0 where the type was not there */
};

/* @growth, @suspects: NULL where there is no recording. 0, or negative errno of the stream or
 * -ENOMEM. */
int report_write(FILE *out, const struct picture *pic, const struct report_growth *growth,
		 const struct suspects_list *suspects);
