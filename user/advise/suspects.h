/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Leak suspects: types that keep growing from snapshot to snapshot of a recording. Takes one
 * snapshot at a time and keeps sums only, whatever the length of the recording.
 */
#pragma once

#include "base/cleanup.h"
#include "model/picture.h"

#include <stddef.h>
#include <stdint.h>

struct suspects;

struct suspects_row {
	char *type;
	double grew_ratio;	 /* of all intervals, those in which it grew */
	double bytes_per_second; /* slope of a line through all snapshots */
	double objects_per_second;
	int64_t grown_bytes, grown_objects; /* from the first snapshot to the last */
	double seconds_to_ceiling; /* until the process reaches it at this slope; NAN: no ceiling,
				      or never */
};

struct suspects_list {
	struct suspects_row *rows; /* the first is the first suspect */
	size_t count;
	size_t intervals; /* seen; with too few of them there is no suspect */
	double seconds;	  /* from the first to the last */
};

/* NULL when out of memory. */
struct suspects *suspects_new(void);
void suspects_free(struct suspects *suspects);
DEFINE_CLEANUP(struct suspects, suspects_free)
#define _cleanup_suspects_ cleanup(suspects_freep)

/* The next snapshot of the recording. 0 or -ENOMEM. */
int suspects_add(struct suspects *suspects, const struct picture *pic);

/* @ceiling_bytes: of the process, as its RSS counts; 0: none. 0 or -ENOMEM. */
int suspects_find(const struct suspects *suspects, uint64_t ceiling_bytes,
		  struct suspects_list *ret);
void suspects_list_fini(struct suspects_list *list);
