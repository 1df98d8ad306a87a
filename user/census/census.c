/* SPDX-License-Identifier: BSD-2-Clause */
#include "census/census.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/util.h"

#include <errno.h>
#include <pthread.h>
#include <sys/resource.h>

/* Half of a small second-level cache. */
#define SLICE_BYTES (1024u << 10)
/* How often a pool that contradicts itself is read again. Each reading takes about 2 us. */
#define POOL_RETRIES 8
/*
 * A core that a helper has to itself lets it wait less, and one that it shares lets it wait longer:
 * for a slice of 0.7 ms times a logarithm of the number of cores (kernel/sched/fair.c,
 * sysctl_sched_base_slice and get_update_sysctl_factor).
 */
#define HELPER_WAIT_MAX_NS NSEC_PER_MSEC

/* How a thread got on: what it used, what passed meanwhile, and how often its core was taken from
 * it. */
struct census_pace {
	uint64_t cpu_ns, wall_ns;
	long taken;
};

struct census_thread {
	struct census *census;
	struct census_visitor *visitor;
	const volatile bool *stop;
	size_t *next; /* shared: the next arena or region that nobody has */
	struct memory *mem;
	struct census_books books;
	uint8_t *buf;
	size_t torn_pages;	 /* of mimalloc */
	struct census_pace pace; /* of a helper, when it was last looked at */
	int result;
	bool helper;
};

static int census_map_pools(struct census *census)
{
	const struct layout *layout = census->layout;
	uint64_t lo = UINT64_MAX, hi = 0;
	int r;

	for (size_t i = 0; i < census->arenas.count; i++) {
		lo = MIN(lo, census->arenas.list[i].address);
		hi = MAX(hi, census->arenas.list[i].address + layout->arena_size);
	}
	r = poolmap_init(&census->pools, hi ? lo : 0, hi, hi ? layout->pool_size : POOL_SIZE_MAX);
	for (size_t i = 0; !r && i < census->arenas.count; i++)
		poolmap_set_unknown(&census->pools,
				    arenas_first_pool(&census->arenas.list[i], layout),
				    arenas_pools_count(&census->arenas.list[i], layout));
	return r;
}

int census_prepare(struct census *census, const struct python *py, const struct layout *layout,
		   const struct arenas_root *root, const struct maps *maps, struct memory *mem,
		   int pagemap_fd)
{
	size_t bad = 0;
	int r = 0;

	*census = (struct census){ .py = py, .layout = layout };
	if (root)
		r = arenas_read(root, layout, mem, &census->arenas, &bad);
	census->books.bad_arenas = bad;
	if (!r)
		r = census_map_pools(census);
	if (!r)
		r = glibc_find(mem, maps, &census->arenas, layout->arena_size, pagemap_fd,
			       &census->glibc);
	if (!r)
		r = mimalloc_find(py, layout, mem, &census->mimalloc);
	if (!r)
		r = freelists_collect(py, layout, mem, &census->dead);
	census->books.mimalloc = census->mimalloc.books;
	census->books.torn_pools = census->mimalloc.bad;
	if (r < 0)
		census_fini(census);
	return r;
}

void census_fini(struct census *census)
{
	arenas_fini(&census->arenas);
	poolmap_fini(&census->pools);
	glibc_fini(&census->glibc);
	mimalloc_fini(&census->mimalloc);
	freelists_fini(&census->dead);
}

/* A pool that does not agree with itself was caught in the middle of a change: look again. */
static enum pool_state census_parse_pool(struct census_thread *t, const struct arena *arena,
					 uint64_t addr, uint8_t *data, struct pool *pool)
{
	const struct layout *layout = t->census->layout;
	enum pool_state state = POOL_BAD;

	for (int i = 0; i <= POOL_RETRIES; i++) {
		if (i && memory_read(t->mem, addr, data, layout->pool_size) < 0)
			return POOL_BAD;
		state = pool_parse(pool, layout, addr, data);
		if (state == POOL_EMPTY)
			break;
		if (state == POOL_WHOLE) {
			if (load_u32(data + layout->pool_arena_index) == arena->index)
				break;
			state = POOL_BAD;
		}
	}
	return state;
}

static void census_book_pool(struct census_books *books, const struct layout *layout,
			     const struct pool *pool)
{
	uint32_t free_blocks = pool->blocks_max - pool->inuse_count;

	books->class_pools[pool->size_class]++;
	books->class_inuse[pool->size_class] += pool->inuse_count;
	books->class_free[pool->size_class] += free_blocks;
	books->inuse_bytes += (uint64_t)pool->inuse_count * pool->block_size;
	books->free_block_bytes += (uint64_t)free_blocks * pool->block_size;
	books->overhead_bytes += layout->pool_size - (uint64_t)pool->blocks_max * pool->block_size;
}

/* The pools of the arena that have been read: [from, to) of its slots. */
static void census_walk_pools(struct census_thread *t, const struct arena *arena, size_t from,
			      size_t to)
{
	const struct layout *layout = t->census->layout;
	uint64_t first = arenas_first_pool(arena, layout);
	struct pool pool;

	for (size_t i = from; i < to; i++) {
		uint8_t *data = t->buf + i * layout->pool_size;
		enum pool_state state =
			census_parse_pool(t, arena, first + i * layout->pool_size, data, &pool);

		t->books.torn_pools += state == POOL_TORN || state == POOL_BAD;
		if (state == POOL_EMPTY)
			t->books.free_pool_bytes += layout->pool_size;
		else if (state == POOL_BAD)
			t->books.overhead_bytes += layout->pool_size;
		if (state == POOL_EMPTY || state == POOL_BAD) {
			poolmap_set(&t->census->pools, pool.addr, -1);
			continue;
		}
		poolmap_set(&t->census->pools, pool.addr, (int)pool.size_class);
		census_book_pool(&t->books, layout, &pool);
		t->visitor->pool(t->visitor, &pool);
	}
}

/*
 * In slices that stay in the processor's cache between the copy and the look at it. What was read
 * stays in the window, for look-ups, until the arena is done.
 */
static int census_walk_arena(struct census_thread *t, const struct arena *arena)
{
	const struct layout *layout = t->census->layout;
	uint64_t first = arenas_first_pool(arena, layout);
	size_t count = arenas_pools_count(arena, layout), got = 0;
	size_t slots = (arena->address + layout->arena_size - first) / layout->pool_size;
	size_t slice = MAX(SLICE_BYTES / layout->pool_size, 1u);
	ssize_t n = 0;

	t->visitor->window = (struct census_window){ first, t->buf, 0 };
	for (size_t from = 0; from < count; from = got) {
		size_t want = MIN(slice, count - from);

		n = memory_read_some(t->mem, first + from * layout->pool_size,
				     t->buf + from * layout->pool_size, want * layout->pool_size);
		if (n <= 0)
			break;
		got = from + (size_t)n / layout->pool_size;
		t->visitor->window.len = got * layout->pool_size;
		census_walk_pools(t, arena, from, got);
		if (got < from + want)
			break;
	}
	t->visitor->window.len = 0;
	if (!got && count) {
		t->books.gone_arenas++; /* given back since the list was read */
		return n < 0 ? (int)n : 0;
	}
	t->books.arenas_count++;
	t->books.arena_bytes += layout->arena_size;
	t->books.overhead_bytes += layout->arena_size - slots * layout->pool_size;
	t->books.free_pool_bytes += (slots - got) * layout->pool_size;
	return n < 0 ? (int)n : 0;
}

static void census_hand_chunk(void *ctx, const struct glibc_chunk *chunk)
{
	struct census_visitor *visitor = ctx;

	visitor->chunk(visitor, chunk);
}

static void census_hand_block(void *ctx, const struct mimalloc_block *block)
{
	struct census_visitor *visitor = ctx;

	visitor->block(visitor, block);
}

static void census_set_window(void *ctx, uint64_t addr, const uint8_t *data, size_t len)
{
	struct census_visitor *visitor = ctx;

	visitor->window = (struct census_window){ addr, data, len };
}

static int census_walk_page(struct census_thread *t, const struct mimalloc_page *page)
{
	const struct mimalloc_walk walk = {
		.block = census_hand_block,
		.window = census_set_window,
		.ctx = t->visitor,
		.mimalloc = &t->census->mimalloc,
		.books = &t->books.mimalloc,
		.torn = &t->torn_pages,
	};

	return mimalloc_walk_page(page, t->census->layout, t->mem, &walk);
}

/* Item @i of the shared work: arenas first, then malloc's regions and mimalloc's pages. 1 when
 * there is no more. */
static int census_do_item(struct census_thread *t, size_t i)
{
	const struct census *census = t->census;

	if (i < census->arenas.count)
		return census_walk_arena(t, &census->arenas.list[i]);
	i -= census->arenas.count;
	if (i < census->glibc.count)
		return glibc_walk(&census->glibc, &census->glibc.regions[i], t->mem,
				  census_hand_chunk, t->visitor, &t->books.glibc);
	i -= census->glibc.count;
	return i < census->mimalloc.count ? census_walk_page(t, &census->mimalloc.pages[i]) : 1;
}

/*
 * A helper takes only what nobody else wants: it must not push the target off its core. Where it
 * had to wait for its own, to begin with or since it was last asked, somebody else wants it. No
 * scheduling class does that as well: under SCHED_IDLE, beside two programs that compute, it stood
 * for a quarter of a second and more with the lock of the target's address space, which
 * process_vm_readv() holds while it looks up pages (mm/process_vm_access.c), and the target with it
 * as soon as it mapped memory.
 */
static bool census_is_in_the_way(struct census_thread *t)
{
	struct census_pace was = t->pace;
	struct rusage usage = {};

	(void)getrusage(RUSAGE_THREAD, &usage);
	t->pace = (struct census_pace){
		.cpu_ns = clock_read(CLOCK_THREAD_CPUTIME_ID),
		.wall_ns = clock_monotonic(),
		.taken = usage.ru_nivcsw,
	};
	return t->pace.taken != was.taken &&
	       t->pace.wall_ns - was.wall_ns > t->pace.cpu_ns - was.cpu_ns + HELPER_WAIT_MAX_NS;
}

static void *census_thread_main(void *arg)
{
	struct census_thread *t = arg;
	int r = 0;

	while (!r && !(t->helper && census_is_in_the_way(t))) {
		if (t->stop && *t->stop)
			r = -EINTR;
		else
			r = census_do_item(t, __atomic_fetch_add(t->next, 1, __ATOMIC_RELAXED));
	}
	t->result = r < 0 ? r : 0;
	t->books.torn_pools += t->torn_pages;
	t->visitor->done(t->visitor);
	if (t->helper)
		t->books.helpers_cpu_ns = clock_read(CLOCK_THREAD_CPUTIME_ID);
	return NULL;
}

static void census_add_books(struct census_books *sum, const struct census_books *b)
{
	sum->arenas_count += b->arenas_count;
	sum->arena_bytes += b->arena_bytes;
	sum->inuse_bytes += b->inuse_bytes;
	sum->free_block_bytes += b->free_block_bytes;
	sum->free_pool_bytes += b->free_pool_bytes;
	sum->overhead_bytes += b->overhead_bytes;
	sum->torn_pools += b->torn_pools;
	sum->gone_arenas += b->gone_arenas;
	sum->helpers_cpu_ns += b->helpers_cpu_ns;
	for (int i = 0; i < CENSUS_CLASSES; i++) {
		sum->class_pools[i] += b->class_pools[i];
		sum->class_inuse[i] += b->class_inuse[i];
		sum->class_free[i] += b->class_free[i];
	}
	sum->mimalloc.inuse_bytes += b->mimalloc.inuse_bytes;
	sum->mimalloc.free_block_bytes += b->mimalloc.free_block_bytes;
	sum->glibc.heap_bytes += b->glibc.heap_bytes;
	sum->glibc.inuse_bytes += b->glibc.inuse_bytes;
	sum->glibc.free_bytes += b->glibc.free_bytes;
	sum->glibc.chunks += b->glibc.chunks;
	sum->glibc.torn += b->glibc.torn;
	sum->glibc.skipped_bytes += b->glibc.skipped_bytes;
}

static int census_thread_init(struct census_thread *t, struct memory *mem)
{
	int r = memory_clone(mem, &t->mem);

	if (r < 0)
		return r;
	t->buf = malloc(t->census->layout->arena_size);
	t->visitor->mem = t->mem;
	return t->buf ? 0 : -ENOMEM;
}

static void census_thread_fini(struct census_thread *t)
{
	free(t->buf);
	memory_free(t->mem);
	t->visitor->mem = NULL;
}

/* Starts the helpers, does a share of the work, waits. */
static void census_run_threads(struct census_thread *threads, size_t count)
{
	pthread_t ids[CENSUS_THREADS_MAX];
	bool started[CENSUS_THREADS_MAX] = {};

	for (size_t i = 1; i < count; i++) {
		threads[i].pace = (struct census_pace){ .wall_ns = clock_monotonic(), .taken = -1 };
		started[i] = !pthread_create(&ids[i], NULL, census_thread_main, &threads[i]);
	}
	census_thread_main(&threads[0]);
	for (size_t i = 1; i < count; i++) {
		if (started[i])
			pthread_join(ids[i], NULL);
		else
			threads[i].visitor->done(threads[i].visitor);
	}
}

int census_walk(struct census *census, struct memory *mem, struct census_visitor *visitors,
		size_t count, const volatile bool *stop)
{
	struct census_thread threads[CENSUS_THREADS_MAX] = {};
	size_t next = 0;
	int r = 0;

	count = MIN(MAX(count, (size_t)1), (size_t)CENSUS_THREADS_MAX);
	for (size_t i = 0; i < count; i++) {
		threads[i].census = census;
		threads[i].visitor = &visitors[i];
		threads[i].stop = stop;
		threads[i].next = &next;
		threads[i].helper = i > 0;
		if (!r)
			r = census_thread_init(&threads[i], mem);
	}
	if (!r)
		census_run_threads(threads, count);
	for (size_t i = 0; i < count; i++) {
		if (threads[i].mem)
			census->books.bytes_read += memory_get_stats(threads[i].mem).bytes_read;
		census_add_books(&census->books, &threads[i].books);
		if (!r && threads[i].result < 0)
			r = threads[i].result;
		census_thread_fini(&threads[i]);
	}
	return r;
}
