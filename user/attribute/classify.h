/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a block is: an object of which type, a dead object, or raw bytes. And the visitor of a
 * census that books every block to a row. Private to attribute/.
 */
#pragma once

#include "attribute/worker.h"

enum block_kind {
	BLOCK_RAW,  /* no object: somebody's buffer, or nobody's */
	BLOCK_DEAD, /* on a free list, or being deallocated */
	BLOCK_OBJECT,
};

/*
 * Looks at a block of @size bytes of which @len are at @data. For BLOCK_OBJECT *ret_type is set;
 * type->pre bytes lie in front of the object.
 */
enum block_kind classify_block(struct worker *worker, const uint8_t *data, uint32_t len,
			       uint64_t size, struct type **ret_type);

/* The census_visitor functions; visitor->ctx is the worker. */
void classify_pool(struct census_visitor *visitor, const struct pool *pool);
void classify_chunk(struct census_visitor *visitor, const struct glibc_chunk *chunk);
void classify_mimalloc(struct census_visitor *visitor, const struct mimalloc_block *block);
void classify_done(struct census_visitor *visitor);
