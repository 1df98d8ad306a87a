/* SPDX-License-Identifier: BSD-2-Clause */
/* From what was found to what is shown: fills a picture. Private to model/. */
#pragma once

#include "attribute/heap.h"
#include "model/picture.h"
#include "model/tracer.h"
#include "target/process.h"
#include "target/python.h"

/* Identity of the target. @allocator: the contract's word, or NULL. */
int compose_process(struct picture *pic, const struct process *proc, const struct python *py,
		    const char *allocator, bool full_cmdline);

/* Types, dicts, allocator's books, census counters. @spent: @heap, where its rows are not needed
 * any more and may be given up; else NULL. */
int compose_heap(struct picture *pic, const struct heap *heap, struct heap *spent,
		 uint32_t alignment);

/* The samples of the type at @type; takes them out of @heap. */
int compose_samples(struct picture *pic, struct heap *heap, uint64_t type);
/* What advice needs: of one class, and about equal strs. 0 or -ENOMEM. */
int compose_facts(struct picture_type *to, const struct facts *from,
		  const struct tally_facts *counts);
int compose_duplicates(struct picture *pic, const struct heap_duplicates *from);

/* A copy of @text, or NULL for NULL; *failed becomes true when memory ran out. */
char *compose_copy(const char *text, bool *failed);

/* Where the RSS is, and the verdict on it. After compose_heap(). What @heap does not know stays
 * unknown. */
int compose_memory(struct picture *pic, const struct heap *heap);

/* Ages of the samples, in exact mode. The tracer must be locked. */
void compose_ages(struct picture *pic, struct tracer *tracer);

/* Rates, ledger, sites, cost; rows of types that come and go and of which nothing was alive, their
 * names read from @mem. The tracer must be locked. */
int compose_events(struct picture *pic, struct tracer *tracer, const struct blocks_drift *drift,
		   const struct layout *layout, struct memory *mem);
