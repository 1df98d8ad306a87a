/* SPDX-License-Identifier: BSD-2-Clause */
/* How the facts of one class are read. Private to attribute/. */
#pragma once

#include "attribute/facts.h"
#include "attribute/names.h"
#include "attribute/types.h"
#include "attribute/whatif.h"

/* Classes of which it is known whether they are a cached_property. */
#define FACTS_COLLECT_KNOWN 8

struct facts_collect {
	struct names *names;
	struct types *types;
	const struct whatif *whatif;
	struct {
		uint64_t addr;
		bool is_cached_property;
	} known[FACTS_COLLECT_KNOWN];
	size_t known_count;
};

/*
 * Reads the facts of @type. @tally, @samples: of all its instances. What cannot be read is left
 * out: the answers are then the careful ones. 0 or -ENOMEM with nothing in *ret.
 */
int facts_collect(struct facts_collect *ctx, const struct type *type, const struct tally *tally,
		  const struct type_samples *samples, struct facts *ret);
