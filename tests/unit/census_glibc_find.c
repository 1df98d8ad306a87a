/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/util.h"
#include "census/glibc.h"
#include "fake.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#define HEAP 0x20000000ull
#define THREAD 0x7f0004000000ull /* a multiple of 64 MiB */
#define ANON 0x7f1000000000ull
#define LIBC 0x7f2000000000ull
#define STATE (LIBC + 0x400)
#define KEY 0x1122334455667788ull

static const char text[] = "20000000-20010000 rw-p 00000000 00:00 0 [heap]\n"
			   "7f0004000000-7f0004021000 rw-p 00000000 00:00 0 \n"
			   "7f1000000000-7f1000200000 rw-p 00000000 00:00 0 \n"
			   "7f2000000000-7f2000002000 rw-p 00000000 08:01 7 /usr/lib/libc.so.6\n";

static struct fake fake;
static struct maps *maps;
static struct arenas none;
static struct glibc glibc;

static int setup(void **state)
{
	fake = (struct fake){};
	maps = fake_maps(text);
	fake_map(&fake, HEAP, 0x10000);
	fake_map(&fake, THREAD, 0x21000);
	fake_map(&fake, ANON, 0x200000);
	fake_map(&fake, LIBC, 0x2000);
	return 0;
}

static int teardown(void **state)
{
	glibc_fini(&glibc);
	maps_freep(&maps);
	fake_fini(&fake);
	return 0;
}

static void find(const struct arenas *arenas)
{
	glibc_fini(&glibc);
	assert_int_equal(glibc_find(fake.mem, maps, arenas, 1 << 20, -1, &glibc), 0);
}

static void mmapped(uint64_t at, uint64_t pad, uint64_t size)
{
	fake_u64(&fake, at, pad);
	fake_u64(&fake, at + 8, size | 2);
}

static void assert_region(size_t i, enum glibc_region_kind kind, uint64_t start, uint64_t end)
{
	assert_true(i < glibc.count);
	assert_int_equal(glibc.regions[i].kind, kind);
	assert_int_equal(glibc.regions[i].start, start);
	assert_int_equal(glibc.regions[i].end, end);
}

static void nothing_is_nothing(void **state)
{
	find(&none);
	assert_false(glibc.present);
	assert_int_equal(glibc.count, 0);
}

/* The tcache is the first chunk; without address randomisation bss is in front of it. */
static void the_main_heap_begins_with_the_tcache(void **state)
{
	static const uint64_t sizes[] = { 0x291, 0x251 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		fake_u64(&fake, HEAP + 0x3008, sizes[i]);
		find(&none);
		assert_true(glibc.present);
		assert_int_equal(glibc.count, 1);
		assert_region(0, GLIBC_MAIN, HEAP + 0x3000, HEAP + 0x10000);
	}
}

static void a_thread_heap_begins_behind_its_arena(void **state)
{
	fake_u64(&fake, THREAD, THREAD + 32);
	fake_u64(&fake, THREAD + 16, 0x21000);
	fake_u64(&fake, THREAD + 24, 0x21000);
	find(&none);
	assert_int_equal(glibc.count, 1);
	assert_region(0, GLIBC_THREAD, THREAD + 2240, THREAD + 0x21000);
	fake_u64(&fake, THREAD, THREAD - (64 << 20) + 48); /* a further heap of another's arena */
	fake_u64(&fake, THREAD + 8, THREAD - (64 << 20));
	find(&none);
	assert_region(0, GLIBC_THREAD, THREAD + 48, THREAD + 0x21000);
	fake_u64(&fake, THREAD + 16, 0x22000); /* more than is mapped */
	fake_u64(&fake, THREAD + 24, 0x22000);
	find(&none);
	assert_int_equal(glibc.count, 0);
}

static void mmapped_chunks_are_found_side_by_side(void **state)
{
	mmapped(ANON + 0x1000, 0, 0x21000);
	mmapped(ANON + 0x22000, 0, 0x30000);
	mmapped(ANON + 0x30000, 0, 0x1000);	 /* inside the second: its owner's data */
	mmapped(ANON + 0x60000, 0x1000, 0x2000); /* memalign() moved it by a page */
	mmapped(ANON + 0x70000, 0, 0x1010);	 /* not whole pages */
	mmapped(ANON + 0x80000, 0, 0x200000);	 /* past the mapping's end */
	fake_u64(&fake, ANON + 0x90008, 0x1001); /* a chunk of a heap, not mapped */
	find(&none);
	assert_int_equal(glibc.count, 3);
	assert_region(0, GLIBC_MMAPPED, ANON + 0x1000, ANON + 0x22000);
	assert_region(1, GLIBC_MMAPPED, ANON + 0x22000, ANON + 0x52000);
	assert_region(2, GLIBC_MMAPPED, ANON + 0x60000, ANON + 0x62000);
}

static void arenas_hold_no_chunks(void **state)
{
	struct arena list[] = { { .address = ANON + 0x100000 } };
	struct arenas arenas = { list, 1 };

	mmapped(ANON + 0x180000, 0, 0x1000);
	mmapped(ANON + 0x80000, 0, 0x100000); /* would reach into the arena */
	find(&arenas);
	assert_int_equal(glibc.count, 0);
	find(&none);
	assert_int_equal(glibc.count, 2);
}

static void the_tcache_tells_its_key(void **state)
{
	uint64_t chunk = HEAP + 0x2010;

	fake_u64(&fake, HEAP + 8, 0x291);
	fake_u64(&fake, HEAP + 16 + 128 + 8 * 3, chunk);
	fake_u64(&fake, HEAP + 16 + 128 + 8 * 1, 0xdead0000); /* unreadable: passed over */
	fake_u64(&fake, chunk + 8, KEY);
	find(&none);
	assert_int_equal(glibc.tcache_key, KEY);
}

/* main_arena: bins that are empty point to themselves, top lies in the heap. */
static void put_state(uint64_t fastbin)
{
	fake_u64(&fake, HEAP + 8, 0x291);
	fake_u64(&fake, STATE + 96, HEAP + 0x8000);
	for (unsigned int bin = 0; bin < 127; bin++) {
		fake_u64(&fake, STATE + 112 + 16 * bin, STATE + 96 + 16 * bin);
		fake_u64(&fake, STATE + 120 + 16 * bin, STATE + 96 + 16 * bin);
	}
	fake_u64(&fake, STATE + 16 + 8, fastbin);
}

static void fast_bins_are_followed(void **state)
{
	uint64_t a = HEAP + 0x1000, b = HEAP + 0x1100, c = HEAP + 0x1200;

	put_state(b);
	fake_u64(&fake, b + 8, 49);
	fake_u64(&fake, b + 16, a ^ ((b + 16) >> 12)); /* mangled, 2.32+ */
	fake_u64(&fake, a + 8, 49);
	fake_u64(&fake, a + 16, c ^ ((a + 16) >> 12));
	fake_u64(&fake, c + 8, 49);
	fake_u64(&fake, c + 16, 0 ^ ((c + 16) >> 12));
	find(&none);
	assert_int_equal(glibc.fastbins_count, 3);
	assert_int_equal(glibc.fastbin_chunks[0], a);
	assert_int_equal(glibc.fastbin_chunks[2], c);
}

static void a_circle_of_fast_chunks_ends(void **state)
{
	uint64_t a = HEAP + 0x1000;

	put_state(a);
	fake_u64(&fake, a + 8, 49);
	fake_u64(&fake, a + 16, a ^ ((a + 16) >> 12));
	find(&none);
	assert_true(glibc.fastbins_count > 0);
	fake_u64(&fake, a + 8, 4096 | 1); /* no fast bin holds such */
	find(&none);
	assert_int_equal(glibc.fastbins_count, 0);
}

/* ---- this process's own malloc ----------------------------------------------------------------
 */

#define BLOCKS 600
#define SEEN_MAX 400000

static uint64_t seen[SEEN_MAX], sizes[SEEN_MAX];
static size_t seen_count;

static void see(void *ctx, const struct glibc_chunk *chunk)
{
	if (seen_count < SEEN_MAX) {
		seen[seen_count] = chunk->addr;
		sizes[seen_count++] = chunk->size;
	}
}

static bool is_seen(const void *p, size_t size)
{
	for (size_t i = 0; i < seen_count; i++)
		if (seen[i] == (uint64_t)p)
			return sizes[i] >= size + 8 && sizes[i] < size + 4096 + 32;
	return false;
}

static void walk_self(struct glibc_stats *stats)
{
	_cleanup_process_ struct process *proc = NULL;
	_cleanup_memory_ struct memory *mem = NULL;
	_cleanup_maps_ struct maps *own = NULL;
	struct glibc g;

	seen_count = 0;
	assert_int_equal(process_open(getpid(), &proc, NULL), 0);
	assert_int_equal(memory_live_new(getpid(), &mem), 0);
	assert_int_equal(maps_read(proc, &own), 0);
	assert_int_equal(glibc_find(mem, own, &none, 1 << 20, -1, &g), 0);
	assert_true(g.present);
	for (size_t i = 0; i < g.count; i++)
		assert_int_equal(glibc_walk(&g, &g.regions[i], mem, see, NULL, stats), 0);
	assert_true(seen_count < SEEN_MAX);
	glibc_fini(&g);
}

/* Where a thread's heap could begin there is nothing yet: looking would make the kernel map a page.
 */
static void pages_that_are_not_there_are_left_alone(void **state)
{
	uint64_t border = 64 << 20, entry = 0;
	uint8_t *map =
		mmap(NULL, 2 * border, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t at = round_up((uint64_t)(uintptr_t)map, border);
	_cleanup_close_ int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	_cleanup_process_ struct process *proc = NULL;
	_cleanup_memory_ struct memory *mem = NULL;
	_cleanup_maps_ struct maps *own = NULL;
	struct glibc g;

	assert_true(map != MAP_FAILED && fd >= 0);
	assert_int_equal(process_open(getpid(), &proc, NULL), 0);
	assert_int_equal(memory_live_new(getpid(), &mem), 0);
	assert_int_equal(maps_read(proc, &own), 0);
	assert_int_equal(glibc_find(mem, own, &none, 1 << 20, fd, &g), 0);
	glibc_fini(&g);
	assert_int_equal(pread(fd, &entry, 8, (off_t)(at / 4096 * 8)), 8);
	assert_int_equal(entry >> 62, 0);
	munmap(map, 2 * border);
}

static size_t size_of(size_t i)
{
	static const size_t shapes[] = { 24, 56, 200, 1000, 4000, 30000, 300000 };

	return shapes[i % ARRAY_SIZE(shapes)] + i / 7 % 3 * 16;
}

/* What malloc gave out is there with its size, what was freed is not. */
static void own_blocks_are_found(void **state)
{
	static void *blocks[BLOCKS];
	struct glibc_stats stats = {};
	size_t reused = 0;

#ifdef __SANITIZE_ADDRESS__
	skip(); /* the sanitizer brings a malloc of its own */
#endif
	for (size_t i = 0; i < BLOCKS; i++)
		blocks[i] = malloc(size_of(i));
	for (size_t i = 0; i < BLOCKS; i += 3)
		free(blocks[i]);
	walk_self(&stats);
	for (size_t i = 0; i < BLOCKS; i++) {
		if (i % 3)
			assert_true(is_seen(blocks[i], size_of(i)));
		else
			reused += is_seen(blocks[i], size_of(i));
	}
	assert_true(reused < 20); /* the walk itself allocates a little */
	assert_int_equal(stats.torn, 0);
	for (size_t i = 0; i < BLOCKS; i++)
		if (i % 3)
			free(blocks[i]);
}

static pthread_barrier_t barrier;

static void *allocate_in_thread(void *arg)
{
	void **blocks = arg;

	for (size_t i = 0; i < 100; i++)
		blocks[i] = malloc(2000);
	for (size_t i = 0; i < 100; i += 2)
		free(blocks[i]);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return NULL;
}

static void blocks_of_another_thread_are_found(void **state)
{
	static void *blocks[100];
	struct glibc_stats stats = {};
	pthread_t thread;

#ifdef __SANITIZE_ADDRESS__
	skip();
#endif
	mallopt(M_ARENA_MAX, 8);
	pthread_barrier_init(&barrier, NULL, 2);
	assert_int_equal(pthread_create(&thread, NULL, allocate_in_thread, blocks), 0);
	pthread_barrier_wait(&barrier);
	walk_self(&stats);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(is_seen(blocks[i], 2000), i % 2 != 0);
	assert_int_equal(stats.torn, 0);
	pthread_barrier_wait(&barrier);
	pthread_join(thread, NULL);
	for (size_t i = 1; i < 100; i += 2)
		free(blocks[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_is_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(the_main_heap_begins_with_the_tcache, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_thread_heap_begins_behind_its_arena, setup,
						teardown),
		cmocka_unit_test_setup_teardown(mmapped_chunks_are_found_side_by_side, setup,
						teardown),
		cmocka_unit_test_setup_teardown(arenas_hold_no_chunks, setup, teardown),
		cmocka_unit_test_setup_teardown(the_tcache_tells_its_key, setup, teardown),
		cmocka_unit_test_setup_teardown(fast_bins_are_followed, setup, teardown),
		cmocka_unit_test_setup_teardown(a_circle_of_fast_chunks_ends, setup, teardown),
		cmocka_unit_test(pages_that_are_not_there_are_left_alone),
		cmocka_unit_test(own_blocks_are_found),
		cmocka_unit_test(blocks_of_another_thread_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
