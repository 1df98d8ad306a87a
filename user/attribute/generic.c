/* SPDX-License-Identifier: BSD-2-Clause */
#include "attribute/generic.h"

#include "attribute/classify.h"
#include "base/util.h"

#define DEPTH_MAX 3

static void scan_words(struct worker *w, struct type *type, const uint8_t *data, uint32_t len,
		       uint64_t depth);

/* data: the first bytes of a block that a word of an object (or of its buffer) points to. a: depth.
 */
static void run_block(struct worker *w, const struct fetch *f, const uint8_t *data)
{
	uint64_t size = worker_block_size(w, f->addr);
	struct type *type;

	if (size <= w->shared->hooks.extra)
		return; /* its pool was given up since */
	if (classify_block(w, data, f->len, size - w->shared->hooks.extra, &type) != BLOCK_RAW)
		return; /* an object has a row of its own */
	worker_find(w, f->charge.to, size);
	if (f->a < DEPTH_MAX)
		scan_words(w, f->charge.to, data, f->len, f->a + 1);
}

static void scan_words(struct worker *w, struct type *type, const uint8_t *data, uint32_t len,
		       uint64_t depth)
{
	for (uint32_t at = 0; at + 8 <= len; at += 8) {
		uint64_t word = load_u64(data + at);
		uint64_t size = word % 16 ? 0 : worker_block_at(w, word);
		struct fetch f = {
			.addr = word, .run = run_block, .charge = { .to = type }, .a = depth
		};

		/* Inside a block: a reference to an object behind its header. Many have the same
		 * one. */
		if (size <= w->shared->hooks.extra || !addrcache_add(w->shared->found, word))
			continue;
		f.len = (uint16_t)MIN(size - w->shared->hooks.extra, (uint64_t)FETCH_MAX);
		worker_fetch(w, &f);
	}
}

void generic_visit(struct worker *worker, struct type *type, const struct object *obj)
{
	uint32_t start = worker->layout->sizeof_object;
	uint32_t len = (uint32_t)MIN((uint64_t)obj->len, (uint64_t)type->basicsize);

	if (len > start)
		scan_words(worker, type, obj->data + start, len - start, 1);
}
