/* SPDX-License-Identifier: BSD-2-Clause */
#include "census/glibc.h"

#include "base/util.h"

#include <errno.h>

#define CHUNK_HEADER 16u
#define CHUNK_MIN 32u
#define CHUNK_PREV_INUSE 1u
#define CHUNK_IS_MMAPPED 2u
#define CHUNK_FLAGS 7u
/* Two fence posts and what alignment adds. */
#define FENCE_MAX 64
#ifndef WINDOW_MAX /* the fuzzers have a smaller one */
#define WINDOW_MAX (1u << 20)
#endif
#define WINDOW_MIN 4096u
#define WINDOW_RETRIES 6
#define GROWTH_MAX GiB
/* A chain that is found again must hold this many chunks in a row, or a few up to what cannot be
 * read. */
#define RESYNC_CHUNKS 16
#define RESYNC_CHUNKS_MIN 4
#define RESYNC_WINDOW (64 * 1024u)
/* In a region: large chunks lie far apart. */
#define FAR_READS_MAX 100000u
/* Largest request that a tcache keeps (MAX_TCACHE_SIZE) with its header. */
#define TCACHE_CHUNK_MAX 1056

struct walk {
	const struct glibc *glibc;
	const struct glibc_region *region;
	struct memory *mem;
	void (*chunk)(void *ctx, const struct glibc_chunk *chunk);
	void *ctx;
	struct glibc_stats *stats;
	uint8_t *buf;
	uint64_t base; /* address of buf[0] */
	size_t len;
	unsigned int far_reads; /* of headers beyond the window, while a chain is looked for */
};

static bool size_is_sane(uint64_t size_word, uint64_t header, uint64_t end)
{
	uint64_t size = size_word & ~(uint64_t)CHUNK_FLAGS;

	return size >= CHUNK_MIN && !(size % 16) && size <= end - header;
}

/*
 * sysmalloc() puts two such words behind the old top when it starts elsewhere: at the end of a
 * thread's heap, or in the main heap in front of what somebody else got from sbrk().
 */
static bool is_fence(uint64_t size_word)
{
	return size_word == (CHUNK_HEADER | CHUNK_PREV_INUSE) || size_word == CHUNK_PREV_INUSE;
}

static int fastbin_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* In a tcache or a fast bin: free, though the next chunk says otherwise. */
static bool chunk_is_cached(const struct walk *w, uint64_t header, uint64_t size,
			    const uint8_t *data)
{
	if (size <= TCACHE_CHUNK_MAX && w->glibc->tcache_key &&
	    load_u64(data + 8) == w->glibc->tcache_key)
		return true;
	return w->glibc->fastbins_count &&
	       bsearch(&header, w->glibc->fastbin_chunks, w->glibc->fastbins_count,
		       sizeof(uint64_t), fastbin_compare);
}

/*
 * Does a chunk reach beyond the region's end because the heap has grown since? Then either it is
 * the new top, which ends with a page, or a chunk follows it.
 */
static bool window_end_has_moved(const struct walk *w, uint64_t word, uint64_t header)
{
	uint64_t size = word & ~(uint64_t)CHUNK_FLAGS, next;

	if (size % 16 || size - (w->region->end - header) > GROWTH_MAX || (word & CHUNK_IS_MMAPPED))
		return false;
	if ((word & CHUNK_PREV_INUSE) && !((header + size) % WINDOW_MIN))
		return true;
	return !memory_read_u64(w->mem, header + size + 8, &next) &&
	       size_is_sane(next, 0, GROWTH_MAX) && (next & CHUNK_PREV_INUSE);
}

/*
 * How far the chain of headers from the window's first byte makes sense. Sets *ret_next to the
 * first header that is beyond what the window can judge, *ret_end where the region's last chunk was
 * met. False: broken, and *ret_next is the chunk that leads to nowhere.
 */
static bool window_check(const struct walk *w, uint64_t *ret_next, bool *ret_end)
{
	uint64_t at = w->base, stop = w->base + w->len;

	*ret_end = false;
	*ret_next = at;
	while (at + CHUNK_HEADER <= stop) {
		uint64_t word = load_u64(w->buf + (at - w->base) + 8);
		uint64_t size = word & ~(uint64_t)CHUNK_FLAGS, peek;

		if (is_fence(word)) {
			*ret_next = at;
			*ret_end = w->region->end - at <= FENCE_MAX;
			return *ret_end;
		}
		if (size > w->region->end - at && window_end_has_moved(w, word, at)) {
			*ret_end = true;
			break;
		}
		if (!size_is_sane(word, at, w->region->end))
			return false;
		peek = CHUNK_HEADER + MIN(size, (uint64_t)GLIBC_PEEK) + 8;
		peek = MIN(peek, w->region->end - at);
		if (at + size == w->region->end) {
			*ret_end = true;
			break;
		}
		if (at + peek > stop)
			break;
		*ret_next = at;
		at += size;
	}
	*ret_next = at;
	return true;
}

/* Hands out the chunks in [base, next), which window_check() has seen whole. */
static void window_emit(struct walk *w, uint64_t next)
{
	uint64_t at = w->base;

	while (at < next) {
		const uint8_t *header = w->buf + (at - w->base);
		uint64_t size = load_u64(header + 8) & ~(uint64_t)CHUNK_FLAGS, after = at + size;
		uint64_t next_word = 0;
		bool inuse;

		/* The flag stands in the next chunk's size word: in the window, or one read away.
		 */
		if (after + 16 <= w->base + w->len)
			next_word = load_u64(w->buf + (after - w->base) + 8);
		else
			memory_read_u64(w->mem, after + 8, &next_word);
		inuse = (next_word & CHUNK_PREV_INUSE) &&
			!chunk_is_cached(w, at, size, header + CHUNK_HEADER);
		w->stats->heap_bytes += size;
		w->stats->chunks++;
		if (inuse) {
			struct glibc_chunk chunk = {
				.addr = at + CHUNK_HEADER,
				.size = size,
				.data = header + CHUNK_HEADER,
				.data_len = (uint32_t)MIN(size - 8, (uint64_t)GLIBC_PEEK),
			};

			w->stats->inuse_bytes += size;
			w->chunk(w->ctx, &chunk);
		} else {
			w->stats->free_bytes += size;
		}
		at = after;
	}
}

static int window_read(struct walk *w, uint64_t at, size_t want)
{
	ssize_t n = memory_read_some(w->mem, at, w->buf, MIN((uint64_t)want, w->region->end - at));

	if (n < 0)
		return (int)n;
	w->base = at;
	w->len = (size_t)n;
	return n < (ssize_t)CHUNK_HEADER ? -EFAULT : 0;
}

/*
 * Do chunks follow each other from @at on? Arrays of small numbers look like sizes too, so the
 * flags must agree: free chunks are never neighbours, and what follows one repeats its size
 * (malloc.c, "boundary tags").
 */
static bool window_has_chain(struct walk *w, uint64_t at)
{
	uint64_t stop = w->base + w->len, size = 0;
	bool inuse = false;

	for (int n = 0; n < RESYNC_CHUNKS; n++) {
		uint64_t words[2], word;

		if (at == w->region->end)
			return n > 0;
		if (at + CHUNK_HEADER <= stop)
			memcpy(words, w->buf + (at - w->base), sizeof(words));
		else if (w->far_reads++ >= FAR_READS_MAX ||
			 memory_read(w->mem, at, words, sizeof(words)) < 0)
			return n >= RESYNC_CHUNKS_MIN;
		word = words[1];
		if (!size_is_sane(word, at, w->region->end) || (word & CHUNK_IS_MMAPPED))
			return false;
		if (!(word & CHUNK_PREV_INUSE) && (!inuse || words[0] != size))
			return false;
		inuse = word & CHUNK_PREV_INUSE;
		size = word & ~(uint64_t)CHUNK_FLAGS;
		at += size;
	}
	return true;
}

/* The next 16-byte step from @from on at which a chain starts. 0: none in this window. */
static uint64_t window_resync(struct walk *w, uint64_t from)
{
	for (; from + CHUNK_HEADER <= w->base + w->len; from += 16)
		if (window_has_chain(w, from))
			return from;
	return 0;
}

/* Leaves out what cannot be understood, up to @to. */
static void walk_skip(struct walk *w, uint64_t *at, uint64_t to)
{
	w->stats->skipped_bytes += to - *at;
	w->stats->heap_bytes += to - *at;
	*at = to;
}

/* The chunk at *at, in the window, leads to nowhere: goes on where a chain starts again. 1 when it
 * nowhere does. */
static int walk_resync(struct walk *w, uint64_t *at)
{
	uint64_t found = window_resync(w, *at + 16), next = w->base + (w->len & ~15ull);

	w->stats->torn++;
	while (!found && next < w->region->end) {
		int r = window_read(w, next, RESYNC_WINDOW);

		if (r == -ESRCH || r == -EPERM)
			return r;
		if (r < 0)
			break;
		found = window_resync(w, next);
		next += w->len & ~15ull;
	}
	walk_skip(w, at, found ? found : w->region->end);
	return !found;
}

/* One window at *at; moves *at on. 1 at the region's end, 0 to go on. */
static int walk_window(struct walk *w, uint64_t *at, size_t want)
{
	uint64_t next = 0;
	bool end = false, whole = false;
	int r = 0;

	for (int i = 0; i < WINDOW_RETRIES && !whole; i++) {
		r = window_read(w, *at, want);
		if (r < 0)
			break;
		whole = window_check(w, &next, &end);
	}
	if (r == -ESRCH || r == -EPERM)
		return r;
	if (r < 0 || (whole && !end && next == *at)) { /* not all of it is mapped (any more) */
		w->stats->torn++;
		walk_skip(w, at, w->region->end);
		return 1;
	}
	window_emit(w, next);
	*at = next;
	if (!whole)
		return walk_resync(w, at);
	if (end) { /* top, or the fence */
		w->stats->heap_bytes += w->region->end - next;
		w->stats->free_bytes += w->region->end - next;
	}
	return end;
}

/* The chunk has the size that its own word says: from 2.43 on that is less than what is mapped. */
static int walk_mmapped(const struct glibc_region *region, struct walk *w)
{
	uint64_t mapped = region->end - region->start;
	struct glibc_chunk chunk = { .addr = region->start + CHUNK_HEADER };
	ssize_t n = memory_read_some(w->mem, region->start, w->buf, CHUNK_HEADER + GLIBC_PEEK);

	if (n == -ESRCH || n == -EPERM)
		return (int)n;
	if (n < CHUNK_HEADER + 64)
		return 0; /* unmapped since */
	chunk.size = load_u64(w->buf + 8) & ~(uint64_t)CHUNK_FLAGS;
	if (chunk.size > mapped || mapped - chunk.size > CHUNK_HEADER)
		chunk.size = mapped; /* another since */
	chunk.data = w->buf + CHUNK_HEADER;
	chunk.data_len = (uint32_t)n - CHUNK_HEADER;
	w->stats->heap_bytes += mapped;
	w->stats->inuse_bytes += mapped;
	w->stats->chunks++;
	w->chunk(w->ctx, &chunk);
	return 0;
}

int glibc_walk(const struct glibc *glibc, const struct glibc_region *region, struct memory *mem,
	       void (*chunk)(void *ctx, const struct glibc_chunk *chunk), void *ctx,
	       struct glibc_stats *stats)
{
	_cleanup_free_ uint8_t *buf = malloc(WINDOW_MAX);
	struct walk w = {
		.glibc = glibc,
		.region = region,
		.mem = mem,
		.chunk = chunk,
		.ctx = ctx,
		.stats = stats,
		.buf = buf,
	};
	uint64_t at = region->start;
	size_t want = WINDOW_MAX;
	int r = 0;

	if (!buf)
		return -ENOMEM;
	if (region->kind == GLIBC_MMAPPED)
		return walk_mmapped(region, &w);
	while (!r && at < region->end) {
		uint64_t from = at, torn = stats->torn;

		r = walk_window(&w, &at, want);
		/* Chunks larger than the window make whole windows a waste, and so do broken ones:
		 * read small ones. */
		want = at - from > WINDOW_MAX || stats->torn > torn
			       ? WINDOW_MIN
			       : MIN(4 * want, (size_t)WINDOW_MAX);
	}
	return r < 0 ? r : 0;
}
