/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What to probe in one target, and why. Made before anything is attached: it only reads. What it
 * covers is measured afterwards (events against the change between two censuses), never assumed.
 */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"
#include "layout/layout.h"
#include "probe/allocator.h"
#include "probe/large.h"
#include "probe/sites.h"
#include "target/memory.h"
#include "target/process.h"
#include "target/python.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct plan {
	struct allocator allocator;
	struct sites sites;  /* in the interpreter; those with .rejected are not attached */
	struct sites fresh;  /* where pools are opened: SITE_FRESH, or some SITE_OPENING (3.8); none
				with mimalloc */
	struct site realloc; /* libc's realloc, in libc_path; vaddr 0: not found */
	uint64_t libc_bias;  /* of the file that holds it */
	struct large_counter counter;
	char *image_path; /* a path in our namespace to the interpreter's file */
	char *libc_path;  /* the same for the file that holds libc's realloc; NULL where that is not
			     found */
	bool is_glibc;	  /* the word in front of a large block is glibc's chunk size */
	uint64_t bias;	  /* of the interpreter */
	uint32_t pool_size;
	uint32_t refcount_mask_high; /* which bits of the upper half of the reference count word
					count */
	bool values_prefix;	     /* instances' values begin with bytes that nobody sets */
	bool split_refcount;	     /* free-threaded: there are two */
	uint64_t duration_ns;	     /* what planning took */
};

struct plan_source {
	const struct process *proc;
	const struct python *py;
	const struct layout *layout;
	struct memory *mem;
};

/*
 * Decodes the interpreter of @source. On failure *ret is untouched: -ENOTSUP (EXIT_UNSUPPORTED)
 * where there is neither pymalloc nor mimalloc to listen to (PYTHONMALLOC=malloc) or their code was
 * not recognised, with the reason.
 */
int plan_new(const struct plan_source *source, struct plan **ret, struct error *err);
void plan_free(struct plan *plan);
DEFINE_CLEANUP(struct plan, plan_free)
#define _cleanup_plan_ cleanup(plan_freep)

/* Sites that will be attached, or that were found and rejected, of one role. */
size_t plan_count(const struct plan *plan, enum site_role role, bool rejected);

/* "small allocation", "large allocation", "free" ...: for doctor. */
const char *plan_role_name(enum site_role role);
