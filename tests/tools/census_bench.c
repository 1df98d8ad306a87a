/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Test tool, not installed: census_bench PID ROUNDS
 *
 * Times, in turn, the bare copy of all pools of a target (one thread, an arena at a time, into one buffer) and
 * a whole census of it, and prints the best of each, their ratio, that of the medians, and what the tool itself came to
 * need.
 */
#include "attribute/heap.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/util.h"
#include "layout/layout.h"
#include "target/python.h"

#include <inttypes.h>

struct bench {
	struct process *proc;
	struct memory *mem;
	struct python *py;
	const struct layout *layout;
	struct arenas_root root;
	int pagemap_fd;
};

static double ms(uint64_t ns)
{
	return (double)ns / 1e6;
}

static uint64_t copy_once(struct bench *b, uint64_t *ret_bytes, uint64_t *cpu)
{
	uint64_t cpu_start = clock_cpu();
	_cleanup_free_ uint8_t *buf = malloc(b->layout->arena_size);
	struct arenas arenas = {};
	uint64_t start = clock_monotonic(), took;
	size_t bad;

	*ret_bytes = 0;
	if (!buf || arenas_read(&b->root, b->layout, b->mem, &arenas, &bad) < 0)
		return 0;
	for (size_t i = 0; i < arenas.count; i++) {
		uint64_t first = arenas_first_pool(&arenas.list[i], b->layout);
		size_t len = arenas_pools_count(&arenas.list[i], b->layout) * b->layout->pool_size;
		ssize_t n = memory_read_some(b->mem, first, buf, len);

		*ret_bytes += n > 0 ? (uint64_t)n : 0;
	}
	took = clock_monotonic() - start;
	*cpu = MIN(*cpu, clock_cpu() - cpu_start);
	arenas_fini(&arenas);
	return took;
}

/* *cpu becomes the least CPU time that any call took. */
static uint64_t census_once(struct bench *b, unsigned int threads, uint64_t *ret_blocks, uint64_t *cpu)
{
	uint64_t cpu_start = clock_cpu();
	_cleanup_maps_ struct maps *maps = NULL;
	uint64_t start = clock_monotonic(), took;
	struct heap *heap = NULL;
	struct heap_request request = {
		.py = b->py,
		.layout = b->layout,
		.root = &b->root,
		.mem = b->mem,
		.pagemap_fd = b->pagemap_fd,
		.threads = threads,
	};

	if (maps_read(b->proc, &maps) < 0)
		return 0;
	request.maps = maps;
	if (heap_take(&request, &heap) < 0)
		return 0;
	took = clock_monotonic() - start;
	*cpu = MIN(*cpu, clock_cpu() - cpu_start);
	*ret_blocks = heap->blocks;
	heap_free(heap);
	return took;
}

static int open_target(struct bench *b, pid_t pid, struct error *err)
{
	int r = process_open(pid, &b->proc, err);

	if (!r)
		r = memory_live_new(pid, &b->mem);
	if (!r)
		r = python_find(b->proc, b->mem, &b->py, err);
	if (r < 0)
		return r;
	b->layout = layout_find(b->py, err);
	b->pagemap_fd = process_open_file(b->proc, "pagemap");
	return b->layout ? arenas_locate(b->py, b->layout, b->mem, &b->root, err) : -1;
}

#define ROUNDS_MAX 1000

/* What one kind of work took, each time. */
struct series {
	uint64_t took[ROUNDS_MAX], cpu;
	size_t count;
};

static int compare_times(const void *left, const void *right)
{
	const uint64_t *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

/* Not from getrusage(): that keeps what the process was before exec, a Python. */
static long own_rss_kib(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	long kib = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmHWM: %ld", &kib) == 1)
			break;
	return kib;
}

static double best(const struct series *s)
{
	return ms(s->took[0]);
}

static double median(const struct series *s)
{
	return ms(s->took[s->count / 2]);
}

int main(int argc, char **argv)
{
	static struct series copy = { .cpu = UINT64_MAX }, one = { .cpu = UINT64_MAX }, two = { .cpu = UINT64_MAX };
	uint64_t bytes = 0, blocks = 0;
	struct bench b = {};
	struct error err = {};

	if (argc != 3 || atoi(argv[2]) < 1 || atoi(argv[2]) > ROUNDS_MAX || open_target(&b, atoi(argv[1]), &err) < 0) {
		fprintf(stderr, "census_bench PID ROUNDS: %s\n", err.text);
		return 2;
	}
	for (int i = 0; i < atoi(argv[2]); i++) {
		copy.took[copy.count++] = copy_once(&b, &bytes, &copy.cpu);
		two.took[two.count++] = census_once(&b, 2, &blocks, &two.cpu);
		one.took[one.count++] = census_once(&b, 1, &blocks, &one.cpu);
	}
	qsort(copy.took, copy.count, sizeof(copy.took[0]), compare_times);
	qsort(one.took, one.count, sizeof(one.took[0]), compare_times);
	qsort(two.took, two.count, sizeof(two.took[0]), compare_times);
	printf("bytes=%" PRIu64 " blocks=%" PRIu64
	       " cpu_copy_ms=%.1f copy_ms=%.1f census_1_ms=%.1f census_2_ms=%.1f ratio_1=%.2f ratio_2=%.2f median_1=%.2f "
	       "median_2=%.2f cpu_1_ms=%.1f cpu_2_ms=%.1f own_rss_kib=%ld\n",
	       bytes, blocks, ms(copy.cpu), best(&copy), best(&one), best(&two), best(&one) / best(&copy),
	       best(&two) / best(&copy), median(&one) / median(&copy), median(&two) / median(&copy), ms(one.cpu),
	       ms(two.cpu), own_rss_kib());
	return 0;
}
