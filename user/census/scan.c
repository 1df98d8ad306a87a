/* SPDX-License-Identifier: BSD-2-Clause */
#include "census/scan.h"

#include "base/cleanup.h"
#include "base/util.h"

#include <errno.h>

/* An interpreter's writable data is 0.25 to 2 MiB; more than this is not one. */
#define SCAN_DATA_MAX (64 * MiB)
/* As many pools as prove something; a long walk only meets more rings that change under it. */
#define SCAN_POOLS_MAX 512
#define SCAN_RING_TRIES 30
/* Reads that looking at candidates may cost in all: honest data has a handful of decoys. */
#define SCAN_READS_MAX 4000000
/* Words that were looked at and are remembered. */
#define REFUSED 1024
#define AT_ONCE 256
/* Room for struct arena_object of any version (48 bytes). */
#define OBJECT_MAX 64

struct scan_data {
	uint64_t base;
	uint8_t *bytes;
	size_t len;
	uint64_t image_lo, image_hi; /* the whole file it is of */
	const struct maps *maps;     /* NULL: any address may be one of the target's */
};

static uint32_t scan_classes(const struct layout *layout)
{
	return layout->small_request_max / layout->alignment;
}

/* Head words of class i sit where a pool header at (its address - pool_next) would have nextpool,
 * prevpool. */
static uint64_t scan_ring_self(uint64_t usedpools, const struct layout *layout, uint32_t i)
{
	return usedpools + 16ull * i - layout->pool_next;
}

/* One ring; appends to @ret. */
static int scan_ring(uint64_t usedpools, const struct layout *layout, struct memory *mem,
		     uint32_t class, struct scan_pool *ret, size_t *count, size_t max)
{
	uint64_t self = scan_ring_self(usedpools, layout, class), pool;
	size_t first = *count;
	uint8_t header[64];
	int r;

	r = memory_read_u64(mem, usedpools + 16ull * class, &pool);
	while (!r && pool != self) {
		/* A busy target takes pools off the ring while it is walked: what was met before
		 * stands. */
		int broken = *count > first ? 0 : -EINVAL;

		if (pool % layout->pool_size || !pool)
			return broken;
		r = memory_read(mem, pool, header, layout->pool_overhead);
		if (r < 0)
			return r == -EFAULT ? broken : r;
		if (load_u32(header + layout->pool_size_index) != class ||
		    !load_u32(header + layout->pool_count))
			return broken;
		if (*count >= max)
			return 0;
		ret[(*count)++] =
			(struct scan_pool){ pool, load_u32(header + layout->pool_arena_index) };
		pool = load_u64(header + layout->pool_next);
	}
	return r;
}

ssize_t scan_rings(uint64_t usedpools, const struct layout *layout, struct memory *mem,
		   struct scan_pool *ret, size_t max)
{
	size_t count = 0;

	for (uint32_t class = 0; class < scan_classes(layout); class ++) {
		int r = scan_ring(usedpools, layout, mem, class, ret, &count, max);

		if (r < 0)
			return r;
	}
	return (ssize_t)count;
}

/* Do the words at @w look like usedpools at @addr? Cheap: no reads. *ret_rings: classes that have
 * pools. */
static bool scan_looks_like_usedpools(const uint64_t *w, uint64_t addr, const struct layout *layout,
				      uint32_t *ret_rings)
{
	uint32_t rings = 0;

	for (uint32_t class = 0; class < scan_classes(layout); class ++) {
		uint64_t self = scan_ring_self(addr, layout, class);
		uint64_t next = w[2 * class], prev = w[2 * class + 1];

		if (next == self && prev == self)
			continue;
		if (next == self || prev == self || !next || !prev || next % layout->pool_size ||
		    prev % layout->pool_size)
			return false;
		rings++;
	}
	*ret_rings = rings;
	return true;
}

/* malloc has its memory from nowhere else. What was mapped since is not in the list. */
static bool scan_may_be_malloc(const struct scan_data *data, uint64_t addr)
{
	const struct mapping *map;

	/* Most words point to static objects. */
	if (addr >= data->image_lo && addr < data->image_hi)
		return false;
	map = data->maps ? maps_find(data->maps, addr) : NULL;
	return !data->maps || (map && map->write && map->kind != MAPPING_FILE);
}

/* The lowest address that passes: with all classes in use a second candidate stands 8 bytes behind
 * the first. */
static int scan_find_usedpools(const struct scan_data *data, const struct layout *layout,
			       struct memory *mem, uint64_t *ret, struct scan_pool *pools,
			       size_t *pools_count)
{
	size_t words = data->len / 8, need = 2ull * scan_classes(layout);
	const uint64_t *w = (const uint64_t *)data->bytes;
	uint64_t calls = memory_get_stats(mem).calls;

	for (size_t i = 0; i + need <= words; i++) {
		uint64_t addr = data->base + 8 * i;
		uint32_t rings;
		ssize_t n;

		if (!scan_looks_like_usedpools(w + i, addr, layout, &rings) || !rings)
			continue;
		if (memory_get_stats(mem).calls - calls > SCAN_READS_MAX)
			break;
		/* A busy target moves pools on and off its rings while they are walked. */
		n = -EINVAL;
		for (int try = 0; try < SCAN_RING_TRIES && n == -EINVAL; try++)
			n = scan_rings(addr, layout, mem, pools, SCAN_POOLS_MAX);
		if (n == -ESRCH || n == -EPERM)
			return (int)n;
		if (n <= 0)
			continue;
		*ret = addr;
		*pools_count = (size_t)n;
		return 0;
	}
	return -ENOENT;
}

/* The arena of an arena object, as far as that makes sense: its address, else 0. */
static uint64_t scan_arena_of(const uint8_t *object, const struct layout *layout)
{
	uint64_t address, carved;
	uint32_t nfree, ntotal;

	address = load_u64(object + layout->arena_address);
	carved = load_u64(object + layout->arena_pool_address);
	nfree = load_u32(object + layout->arena_free_pools_count);
	ntotal = load_u32(object + layout->arena_total_pools);
	if (!ntotal || ntotal > layout->arena_size / layout->pool_size || nfree > ntotal ||
	    carved < address || carved > address + layout->arena_size)
		return 0;
	return address;
}

static uint64_t scan_arena_address(uint64_t at, const struct layout *layout, struct memory *mem)
{
	uint8_t object[OBJECT_MAX];

	return memory_read(mem, at, object, layout->sizeof_arena) < 0
		       ? 0
		       : scan_arena_of(object, layout);
}

static int compare_arenas(const void *left, const void *right)
{
	const struct scan_pool *a = left, *b = right;

	return (a->arena_index > b->arena_index) - (a->arena_index < b->arena_index);
}

/* Does the array at @array hold, at the index of each pool, the arena around that pool? Of a few
 * pools the arena may be gone since, or another in its place: most must agree. Pools of one arena
 * stand together: one read for all. */
static bool scan_explains_pools(uint64_t array, const struct layout *layout, struct memory *mem,
				const struct scan_pool *pools, size_t count)
{
	uint32_t last = UINT32_MAX;
	uint64_t address = 0;
	size_t agree = 0;

	for (size_t i = 0; i < count; i++) {
		if (pools[i].arena_index != last)
			address = scan_arena_address(array + (uint64_t)pools[i].arena_index *
								     layout->sizeof_arena,
						     layout, mem);
		last = pools[i].arena_index;
		agree += address && pools[i].addr >= address &&
			 pools[i].addr < address + layout->arena_size;
		if (i + 1 - agree > count / 8 + 1)
			return false;
	}
	return agree * 8 >= count * 7 && agree;
}

/* maxarenas stands near `arenas`, starts at 16 and doubles, and is more than every index seen. */
static uint64_t scan_find_maxarenas(const struct scan_data *data, size_t arenas_word,
				    const struct scan_pool *pools, size_t count)
{
	uint32_t highest = 0;
	size_t from = arenas_word > 8 ? arenas_word - 8 : 0;
	uint64_t found = 0;

	for (size_t i = 0; i < count; i++)
		highest = MAX(highest, pools[i].arena_index);
	for (size_t at = from * 8; at + 4 <= data->len && at < (arenas_word + 9) * 8; at += 4) {
		uint32_t v = load_u32(data->bytes + at);

		if (v < 16 || (v & (v - 1)) || v <= highest || v > (1u << 22))
			continue;
		if (found)
			return 0; /* two candidates prove nothing */
		found = data->base + at;
	}
	return found;
}

/* Words that may point to the array, and what is there for the first pool. */
struct scan_words {
	size_t at[AT_ONCE], count;
	struct memory_piece pieces[AT_ONCE];
	uint8_t objects[AT_ONCE][OBJECT_MAX];
	uint64_t refused[REFUSED]; /* data repeats itself: by the word, the last of each */
};

static void scan_add_word(struct scan_words *words, size_t at, uint64_t word, uint64_t object,
			  const struct layout *layout)
{
	if (words->refused[word / 16 % REFUSED] == word)
		return;
	words->refused[word / 16 % REFUSED] = word;
	words->pieces[words->count] = (struct memory_piece){ .addr = object,
							     .buf = words->objects[words->count],
							     .len = layout->sizeof_arena };
	words->at[words->count++] = at;
}

/* One read for all, then a closer look at the few that may be it. Is one? Its place is *@ret. */
static bool scan_try_words(struct scan_words *words, const struct scan_data *data,
			   const struct layout *layout, struct memory *mem,
			   const struct scan_pool *pools, size_t count, size_t *ret)
{
	const uint64_t *w = (const uint64_t *)data->bytes;
	size_t tried = words->count;

	words->count = 0;
	if (!tried || memory_read_batch(mem, words->pieces, tried) <= 0)
		return false;
	for (size_t i = 0; i < tried; i++) {
		if (!words->pieces[i].got || !scan_arena_of(words->objects[i], layout) ||
		    !scan_explains_pools(w[words->at[i]], layout, mem, pools, count))
			continue;
		*ret = words->at[i];
		return true;
	}
	return false;
}

static int scan_find_arenas(const struct scan_data *data, const struct layout *layout,
			    struct memory *mem, struct scan_pool *pools, size_t count,
			    uint64_t *ret_arenas, uint64_t *ret_maxarenas)
{
	_cleanup_free_ struct scan_words *words = calloc(1, sizeof(*words));
	const uint64_t *w = (const uint64_t *)data->bytes;
	uint64_t calls = memory_get_stats(mem).calls;
	size_t found = SIZE_MAX, all = data->len / 8;

	if (!words)
		return -ENOMEM;
	qsort(pools, count, sizeof(*pools), compare_arenas);
	for (size_t i = 0; i < all && memory_get_stats(mem).calls - calls < SCAN_READS_MAX; i++) {
		bool is_last = i + 1 == all;

		if (w[i] && !(w[i] % 16) && !(w[i] >> 47) && scan_may_be_malloc(data, w[i]))
			scan_add_word(words, i, w[i],
				      w[i] + (uint64_t)pools->arena_index * layout->sizeof_arena,
				      layout);
		if (words->count < AT_ONCE && !is_last)
			continue;
		if (!scan_try_words(words, data, layout, mem, pools, count, &found))
			continue;
		*ret_arenas = data->base + 8 * found;
		*ret_maxarenas = scan_find_maxarenas(data, found, pools, count);
		return 0;
	}
	return -ENOENT;
}

/* From the lowest to the highest address of all segments. */
static void scan_image(struct scan_data *data, const struct python *py)
{
	size_t count;
	const struct elf_segment *segs = elf_segments(py->image, &count);

	data->image_lo = UINT64_MAX;
	for (size_t i = 0; i < count; i++) {
		uint64_t start = segs[i].vaddr + py->bias;

		data->image_lo = MIN(data->image_lo, start);
		data->image_hi = MAX(data->image_hi, start + segs[i].memsz);
	}
}

static int scan_segment(const struct elf_segment *seg, const struct python *py,
			const struct layout *layout, struct memory *mem, uint64_t ret[3])
{
	_cleanup_free_ struct scan_pool *pools = NULL;
	_cleanup_free_ uint8_t *bytes = NULL;
	struct scan_data data = { 0 };
	size_t count;
	ssize_t n;
	int r;

	if (!seg->write || !seg->memsz || seg->memsz > SCAN_DATA_MAX)
		return -ENOENT;
	bytes = malloc(round_up(seg->memsz, 8) + 8);
	pools = calloc(SCAN_POOLS_MAX, sizeof(*pools));
	if (!bytes || !pools)
		return -ENOMEM;

	data.base = round_up(seg->vaddr + py->bias, 8);
	n = memory_read_some(mem, data.base, bytes, seg->memsz & ~7ull);
	if (n < 0)
		return (int)n;
	data.bytes = bytes;
	data.len = (size_t)n & ~7ull;
	scan_image(&data, py);

	r = scan_find_usedpools(&data, layout, mem, &ret[0], pools, &count);
	if (r < 0)
		return r;
	data.maps = py->maps;
	r = scan_find_arenas(&data, layout, mem, pools, count, &ret[1], &ret[2]);
	if (r != -ENOENT || !py->maps)
		return r;
	data.maps = NULL;
	return scan_find_arenas(&data, layout, mem, pools, count, &ret[1], &ret[2]);
}

int scan_obmalloc(const struct python *py, const struct layout *layout, struct memory *mem,
		  uint64_t *ret_usedpools, uint64_t *ret_arenas, uint64_t *ret_maxarenas)
{
	const struct elf_segment *segs;
	size_t count = 0;

	if (!py->image)
		return -ENOENT;
	segs = elf_segments(py->image, &count);
	for (size_t i = 0; i < count; i++) {
		uint64_t found[3] = {};
		int r = scan_segment(&segs[i], py, layout, mem, found);

		if (r == -ENOENT)
			continue;
		if (r < 0)
			return r;
		*ret_usedpools = found[0];
		*ret_arenas = found[1];
		*ret_maxarenas = found[2];
		return 0;
	}
	return -ENOENT;
}
