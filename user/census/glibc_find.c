/* SPDX-License-Identifier: BSD-2-Clause */
/* Where glibc's chunks are: the main heap, thread heaps, mmapped chunks, the tcache key, the fast
 * bins. */
#include "base/util.h"
#include "census/glibc.h"

#include <errno.h>

#define PAGE 4096ull
#define CHUNK_FRONT 16
/* malloc/arena.c, HEAP_MAX_SIZE: 2 * DEFAULT_MMAP_THRESHOLD_MAX = 64 MiB on 64-bit, and aligned to
 * it. */
#define HEAP_MAX (64 * MiB)
/* malloc_state since 2.27: mutex, flags, have_fastchunks, fastbinsY[10], top, last_remainder,
 * bins[254], binmap[4], next, ... (malloc/malloc.c). */
#define STATE_FASTBINS 16
#define STATE_FASTBINS_COUNT 10
#define STATE_TOP 96
#define STATE_BINS 112
#define STATE_SIZE 2200
#define REGIONS_MAX 1000000
#define FASTBIN_CHUNKS_MAX (1u << 20)
#define PROBE_PAGES 1024
/* tcache_perthread_struct's chunk: 2.42+: 76 bins; 2.30+: 64 bins, u16 counts; 2.26 to 2.29: u8
 * counts. */
static const uint64_t tcache_chunk_sizes[] = { 0x300, 0x290, 0x250 };
/* From 2.43 on a thread's tcache comes with its first free(): a few chunks are older. */
#define TCACHE_CHUNKS_BEFORE 64
#define FIRST_BYTES 8192

struct finder {
	struct memory *mem;
	const struct maps *maps;
	uint64_t arena_size;
	int pagemap_fd;
	struct glibc *out;
	uint64_t *skip; /* pymalloc arenas, sorted */
	size_t skip_count;
	uint64_t tcache; /* the main thread's tcache, 0: not found */
};

static int add_region(struct glibc *glibc, enum glibc_region_kind kind, uint64_t start,
		      uint64_t end)
{
	struct glibc_region *list;

	if (glibc->count >= REGIONS_MAX)
		return -E2BIG;
	if (!(glibc->count & (glibc->count - 1))) { /* grow at powers of two */
		list = reallocarray(glibc->regions, glibc->count ? glibc->count * 2 : 1,
				    sizeof(*list));
		if (!list)
			return -ENOMEM;
		glibc->regions = list;
	}
	glibc->regions[glibc->count++] = (struct glibc_region){ kind, start, end };
	return 0;
}

/* The tcache among the first chunks from @at on, or 0 where these are no chunks or it is not among
 * them. */
static uint64_t find_tcache(const struct finder *f, uint64_t at)
{
	uint8_t bytes[FIRST_BYTES];
	ssize_t n = memory_read_some(f->mem, at, bytes, sizeof(bytes));
	size_t offset = 0;

	/* Nothing is in front of the first chunk: no size of it, and it is not free. */
	if (n < 16 || load_u64(bytes) || !(load_u64(bytes + 8) & 1))
		return 0;
	for (int i = 0; i < TCACHE_CHUNKS_BEFORE && offset + 16 <= (size_t)n; i++) {
		uint64_t size = load_u64(bytes + offset + 8) & ~7ull;

		for (size_t k = 0; k < ARRAY_SIZE(tcache_chunk_sizes); k++)
			if (size == tcache_chunk_sizes[k])
				return at + offset + 16;
		if (size < 32 || size % 16 || size > sizeof(bytes))
			return 0;
		offset += size;
	}
	return 0;
}

/* The main heap is where the first thread's tcache is near: at the start of [heap], or on a later
 * page where bss and heap share a mapping (no address randomisation). */
static int find_main_heap(struct finder *f, const struct mapping *map)
{
	uint64_t end = maps_run_end(map);

	for (uint64_t at = map->start; at + 2 * PAGE <= end && at < map->start + 4 * MiB;
	     at += PAGE) {
		uint64_t tcache = find_tcache(f, at);

		if (!tcache)
			continue;
		f->tcache = tcache;
		f->out->present = true;
		return add_region(f->out, GLIBC_MAIN, at, end);
	}
	return 0;
}

/* Which of @count pages from @at are there: reading others would make the kernel map zero pages for
 * them. */
static void resident_pages(const struct finder *f, uint64_t at, size_t count, bool *ret)
{
	uint64_t entries[PROBE_PAGES];
	ssize_t n = -1;

	if (f->pagemap_fd >= 0)
		n = pread(f->pagemap_fd, entries, count * 8, (off_t)(at / PAGE * 8));
	for (size_t i = 0; i < count; i++)
		ret[i] = n < (ssize_t)(8 * (i + 1)) ||
			 entries[i] >> 62; /* present (63) or swapped (62) */
}

/* heap_info {ar_ptr, prev, size, mprotect_size, [pagesize]} at a 64 MiB border (malloc/arena.c). */
static int find_thread_heap(struct finder *f, const struct mapping *map, uint64_t at)
{
	uint64_t info[4], start, arena, info_size;
	bool resident;

	resident_pages(f, at, 1, &resident);
	if (!resident || memory_read(f->mem, at, info, sizeof(info)) < 0)
		return 0;
	arena = info[0];
	if (info[2] < PAGE || info[2] > HEAP_MAX || info[2] % PAGE || info[3] < info[2] ||
	    info[3] > HEAP_MAX || at + info[2] > maps_run_end(map))
		return 0;
	info_size = arena % HEAP_MAX;
	if ((info_size != 32 && info_size != 48) || (info[1] && info[1] % HEAP_MAX))
		return 0;
	start = arena - info_size == at ? round_up(arena + STATE_SIZE, 16) : at + info_size;
	f->out->present = true;
	return add_region(f->out, GLIBC_THREAD, start, at + info[2]);
}

static int find_thread_heaps(struct finder *f)
{
	for (size_t i = 0; i < f->maps->count; i++) {
		const struct mapping *map = &f->maps->list[i];

		if (map->kind != MAPPING_ANON || !map->write)
			continue;
		for (uint64_t at = round_up(map->start, HEAP_MAX); at < map->end; at += HEAP_MAX) {
			int r = find_thread_heap(f, map, at);

			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* End of the pymalloc arena around @at, or 0. */
static uint64_t arena_end(const struct finder *f, uint64_t at)
{
	size_t lo = 0, hi = f->skip_count;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (f->skip[mid] <= at)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && at < f->skip[lo - 1] + f->arena_size ? f->skip[lo - 1] + f->arena_size : 0;
}

/* The thread heap around @at: where it ends, or 0. (Few of them: a plain search.) */
static uint64_t thread_heap_end(const struct finder *f, uint64_t at, size_t threads_count)
{
	for (size_t i = 0; i < threads_count; i++) {
		const struct glibc_region *r = &f->out->regions[i];

		if (r->kind == GLIBC_THREAD && at >= (r->start & ~(HEAP_MAX - 1)) && at < r->end)
			return r->end;
	}
	return 0;
}

static bool is_mmapped_chunk(const uint64_t words[2], uint64_t at, uint64_t end)
{
	uint64_t size = words[1] & ~7ull;

	/* prev_size holds the leading pad of memalign(); what was mapped is a whole number of
	 * pages. From 2.43 on the size leaves out what is in front of the contents, as that of
	 * other chunks does. */
	return (words[1] & 7) == 2 && size >= PAGE - CHUNK_FRONT && words[0] < HEAP_MAX &&
	       (!((size + words[0]) % PAGE) || !((size + words[0] + CHUNK_FRONT) % PAGE)) &&
	       round_up(size, PAGE) <= end - at;
}

/* Looks at up to PROBE_PAGES page starts from @at; sets *next to where to go on: behind them, and
 * behind the chunks that begin there. */
static int probe_pages(struct finder *f, uint64_t at, uint64_t end, uint64_t *next)
{
	size_t count = MIN((end - at) / PAGE, (uint64_t)PROBE_PAGES), asked = 0;
	struct memory_piece pieces[PROBE_PAGES];
	uint64_t words[PROBE_PAGES][2];
	bool resident[PROBE_PAGES];
	uint64_t behind = at;
	ssize_t r;

	resident_pages(f, at, count, resident);
	for (size_t i = 0; i < count; i++) {
		if (!resident[i])
			continue;
		pieces[asked] = (struct memory_piece){ at + i * PAGE, words[asked], 16, 0 };
		asked++;
	}
	*next = at + count * PAGE;
	r = asked ? memory_read_batch(f->mem, pieces, asked) : 0;
	if (r < 0)
		return (int)r;
	for (size_t i = 0; i < asked; i++) {
		uint64_t start = pieces[i].addr;

		/* What lies inside a chunk is its owner's and may look like anything. */
		if (start < behind || !pieces[i].got || !is_mmapped_chunk(words[i], start, end))
			continue;
		behind = start + round_up(words[i][1] & ~7ull, PAGE);
		f->out->present = true;
		r = add_region(f->out, GLIBC_MMAPPED, start, behind);
		if (r < 0)
			return (int)r;
	}
	*next = MAX(*next, behind);
	return 0;
}

static int find_mmapped(struct finder *f, const struct mapping *map, size_t threads_count)
{
	uint64_t at = map->start, end = maps_run_end(map);

	while (at + PAGE <= end) {
		uint64_t skip = arena_end(f, at), stop = end;
		int r;

		if (!skip)
			skip = thread_heap_end(f, at, threads_count);
		if (skip) {
			at = MAX(round_up(skip, PAGE), at + PAGE);
			continue;
		}
		/* Up to the next arena; a thread heap starts at a border that no chunk crosses. */
		for (size_t lo = 0, hi = f->skip_count; lo < hi;) {
			size_t mid = (lo + hi) / 2;

			if (f->skip[mid] > at) {
				stop = MIN(stop, f->skip[mid] & ~(PAGE - 1));
				hi = mid;
			} else {
				lo = mid + 1;
			}
		}
		if (stop < at + PAGE) {
			at += PAGE;
			continue;
		}
		r = probe_pages(f, at, stop, &at);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The key that 2.34+ writes into the second word of every chunk in a tcache (before: the tcache's
 * address). */
static void find_tcache_key(struct finder *f)
{
	uint64_t tcache[0x280 / 8];
	size_t entries = 128 / 8; /* behind u16 counts[64]; the few more of 2.42 are no addresses */

	if (!f->tcache || memory_read(f->mem, f->tcache, tcache, sizeof(tcache)) < 0)
		return;
	for (size_t i = entries; i < ARRAY_SIZE(tcache); i++) {
		uint64_t words[2];

		if (tcache[i] % 16 || !tcache[i] || memory_read(f->mem, tcache[i], words, 16) < 0)
			continue;
		if (words[1]) {
			f->out->tcache_key = words[1];
			return;
		}
	}
}

/* Follows one fast bin; links are mangled with their own address >> 12 since 2.32 (PROTECT_PTR). */
static int walk_fastbin(struct finder *f, uint64_t head)
{
	struct glibc *g = f->out;

	for (uint64_t at = head; at && !(at % 16) && g->fastbins_count < FASTBIN_CHUNKS_MAX;) {
		uint64_t words[3], next;

		if (memory_read(f->mem, at, words, sizeof(words)) < 0 || (words[1] & ~7ull) > 256)
			return 0;
		if (!(g->fastbins_count & (g->fastbins_count - 1))) {
			uint64_t *list = reallocarray(g->fastbin_chunks,
						      g->fastbins_count ? 2 * g->fastbins_count : 1,
						      8);
			if (!list)
				return -ENOMEM;
			g->fastbin_chunks = list;
		}
		g->fastbin_chunks[g->fastbins_count++] = at;
		next = words[2] ^ ((at + 16) >> 12);
		at = next % 16 ? words[2] : next;
	}
	return 0;
}

static int walk_state(struct finder *f, const uint8_t *state)
{
	for (int i = 0; i < STATE_FASTBINS_COUNT; i++) {
		int r = walk_fastbin(f, load_u64(state + STATE_FASTBINS + 8 * i));

		if (r < 0)
			return r;
	}
	return 0;
}

/* main_arena has no exported symbol: it is where bins[0] points to itself and top lies in the main
 * heap. */
static bool looks_like_state(const uint8_t *at, uint64_t addr, uint64_t heap_start,
			     uint64_t heap_end)
{
	uint64_t top = load_u64(at + STATE_TOP);
	int self = 0;

	if (top < heap_start || top >= heap_end || top % 16)
		return false;
	for (int bin = 0; bin < 127; bin++) {
		uint64_t want = addr + STATE_BINS + 16ull * bin - 16;
		uint64_t fd = load_u64(at + STATE_BINS + 16 * bin),
			 bk = load_u64(at + STATE_BINS + 16 * bin + 8);

		self += fd == want && bk == want;
		if ((fd == want) != (bk == want) || fd % 8 || bk % 8)
			return false;
	}
	return self > 8; /* in a small heap nearly all, in any heap many */
}

static int find_main_arena(struct finder *f, const struct mapping *map, uint64_t heap_start,
			   uint64_t heap_end)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	size_t len = map->end - map->start;
	ssize_t n;

	if (len > MiB)
		return 0;
	bytes = malloc(len);
	if (!bytes)
		return -ENOMEM;
	n = memory_read_some(f->mem, map->start, bytes, len);
	for (size_t at = 0; n > 0 && at + STATE_SIZE <= (size_t)n; at += 16)
		if (looks_like_state(bytes + at, map->start + at, heap_start, heap_end))
			return walk_state(f, bytes + at);
	return 0;
}

static int find_fastbins(struct finder *f)
{
	uint64_t heap_start = 0, heap_end = 0;
	int r = 0;

	for (size_t i = 0; i < f->out->count; i++) {
		if (f->out->regions[i].kind == GLIBC_MAIN) {
			heap_start = f->out->regions[i].start;
			heap_end = f->out->regions[i].end;
		}
		if (f->out->regions[i].kind == GLIBC_THREAD) {
			uint64_t base = f->out->regions[i].start & ~(HEAP_MAX - 1);
			uint64_t info_size = f->out->regions[i].start - base - STATE_SIZE;
			uint8_t state[STATE_TOP];

			if (info_size > 64 || memory_read(f->mem, base + (info_size & ~15ull),
							  state, sizeof(state)) < 0)
				continue;
			r = walk_state(f, state);
		}
	}
	for (size_t i = 0; !r && heap_end && i < f->maps->count; i++) {
		const struct mapping *map = &f->maps->list[i];

		if (map->kind == MAPPING_FILE && map->write && !map->exec &&
		    strstr(map->path, "libc"))
			r = find_main_arena(f, map, heap_start, heap_end);
	}
	if (f->out->fastbins_count)
		qsort(f->out->fastbin_chunks, f->out->fastbins_count, 8, compare_u64);
	return r;
}

int glibc_find(struct memory *mem, const struct maps *maps, const struct arenas *arenas,
	       uint64_t arena_size, int pagemap_fd, struct glibc *ret)
{
	struct glibc out = {};
	struct finder f = {
		.mem = mem,
		.maps = maps,
		.arena_size = arena_size,
		.pagemap_fd = pagemap_fd,
		.out = &out,
	};
	_cleanup_free_ uint64_t *skip = calloc(arenas->count + 1, sizeof(*skip));
	size_t threads_count;
	int r = 0;

	if (!skip)
		return -ENOMEM;
	for (size_t i = 0; i < arenas->count; i++)
		skip[i] = arenas->list[i].address;
	qsort(skip, arenas->count, sizeof(*skip), compare_u64);
	f.skip = skip;
	f.skip_count = arenas->count;

	for (size_t i = 0; !r && i < maps->count; i++)
		if (maps->list[i].kind == MAPPING_HEAP && maps_begins_run(maps, &maps->list[i]))
			r = find_main_heap(&f, &maps->list[i]);
	if (!r)
		r = find_thread_heaps(&f);
	threads_count = out.count;
	for (size_t i = 0; !r && i < maps->count; i++)
		if (maps->list[i].kind == MAPPING_ANON && maps->list[i].write &&
		    !maps->list[i].shared && maps_begins_run(maps, &maps->list[i]))
			r = find_mmapped(&f, &maps->list[i], threads_count);
	if (!r) {
		find_tcache_key(&f);
		r = find_fastbins(&f);
	}
	if (r < 0) {
		glibc_fini(&out);
		return r;
	}
	*ret = out;
	return 0;
}

void glibc_fini(struct glibc *glibc)
{
	free(glibc->regions);
	free(glibc->fastbin_chunks);
	*glibc = (struct glibc){};
}
