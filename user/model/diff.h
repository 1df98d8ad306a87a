/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What changed from one picture to another, type by type. Types are the same where their names are:
 * pictures of different processes, hosts and Python versions can be compared.
 */
#pragma once

#include "base/cleanup.h"
#include "model/picture.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct diff_type {
	const char *name;	      /* borrowed from one of the pictures */
	int64_t objects[2], bytes[2]; /* before, after */
	int64_t delta_objects, delta_bytes;
	bool is_new, is_gone;
};

struct diff {
	const struct picture *before, *after; /* borrowed: they must outlive the diff */
	struct diff_type *types; /* those that changed, largest growth first, ties by name */
	size_t types_count;
	int64_t delta_bytes; /* of all types */
};

/* 0 or -ENOMEM. */
int diff_new(const struct picture *before, const struct picture *after, struct diff **ret);
void diff_free(struct diff *diff);
DEFINE_CLEANUP(struct diff, diff_free)
#define _cleanup_diff_ cleanup(diff_freep)

/* By how much the type of this name grew; 0 where it did not change. */
int64_t diff_growth_of(const struct diff *diff, const char *name, size_t len);
