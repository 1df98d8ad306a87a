/* SPDX-License-Identifier: BSD-2-Clause */
/* Single facts of a picture as short text; "-" where they are not known. Each fills @buf and
 * returns it. */
#pragma once

#include "model/picture.h"

#include <stddef.h>
#include <stdint.h>

#define CELLS_MAX 48

char *cells_size(char *buf, int64_t bytes);
char *cells_size_delta(char *buf, int64_t bytes);
char *cells_count(char *buf, int64_t n);
char *cells_count_delta(char *buf, int64_t n);

/* "1,235" objects a second; one decimal below 10, "-" for NAN. */
char *cells_rate(char *buf, double per_second);

/* "3.2%". */
char *cells_ratio(char *buf, double ratio);

/* @part of @whole as "57%". */
char *cells_share(char *buf, int64_t part, int64_t whole);

/* "12 ms", "3.4 s". */
char *cells_duration(char *buf, double ms);

/* Where most instances keep their attributes, and how many of those that keep any: "split 97%". */
char *cells_storage(char *buf, const struct picture_type *type);

/* "app.Item stopped sharing its keys before 12:00:00: 9 instances own theirs; not shared: a, b",
 * cut to CELLS_CHANGE_MAX bytes. */
#define CELLS_CHANGE_MAX 512
char *cells_layout_change(char *buf, const struct picture_layout_change *change);
