/* SPDX-License-Identifier: BSD-2-Clause */
#include "census/arenas.h"

#include "base/util.h"
#include "census/interpreters.h"
#include "census/scan.h"

#include <errno.h>

#define ARENAS_PROOF_POOLS 256
/* A target at full speed changes what is being proved; each try takes well under a millisecond. */
#define PROOF_TRIES 30
/* And these some milliseconds each. */
#define SCAN_TRIES 20
/* Debug hooks: a domain's letter and this in front of each block, 24 bytes around it in all
 * (Objects/obmalloc.c). */
#define HOOKS_GUARD 0xfdfdfdfdfdfdfdull
#define HOOKS_FRONT 16
#define HOOKS_EXTRA 24
/* Room for struct arena_object of any version (48 bytes). */
#define ARENA_OBJECT_MAX 64

/* Bytes of the array of @count arena objects at @array, or NULL with *ret_err. */
static uint8_t *arenas_read_array(uint64_t array, size_t count, const struct layout *layout,
				  struct memory *mem, int *ret_err)
{
	uint8_t *bytes = calloc(count ? count : 1, layout->sizeof_arena);

	*ret_err = bytes ? memory_read(mem, array, bytes, count * layout->sizeof_arena) : -ENOMEM;
	if (*ret_err < 0) {
		free(bytes);
		return NULL;
	}
	return bytes;
}

static void arenas_decode(const uint8_t *object, uint32_t index, const struct layout *layout,
			  struct arena *ret)
{
	*ret = (struct arena){
		.address = load_u64(object + layout->arena_address),
		.pool_address = load_u64(object + layout->arena_pool_address),
		.free_pools_count = load_u32(object + layout->arena_free_pools_count),
		.total_pools = load_u32(object + layout->arena_total_pools),
		.index = index,
	};
}

static bool arenas_is_sane(const struct arena *a, const struct layout *layout)
{
	uint64_t end = a->address + layout->arena_size;

	return a->address >= 4096 && !(a->address % 16) &&
	       a->address < (1ull << 47) - layout->arena_size && a->pool_address >= a->address &&
	       a->pool_address <= end && !(a->pool_address % layout->pool_size) &&
	       a->free_pools_count <= a->total_pools &&
	       a->total_pools <= layout->arena_size / layout->pool_size;
}

/* The array and its length; count 0 where there is no arena yet. */
static int arenas_array_of(const struct arenas_state *state, const struct layout *layout,
			   struct memory *mem, uint64_t *ret_array, uint32_t *ret_count)
{
	uint64_t array = 0, chunk = 0;
	uint32_t count = 0;
	int r;

	r = memory_read_u64(mem, state->arenas, &array);
	if (!r && array && state->maxarenas)
		r = memory_read_u32(mem, state->maxarenas, &count);
	else if (!r && array) {
		/* The array comes from malloc: its chunk (size word in front, low bits flags)
		 * bounds it. */
		r = memory_read_u64(mem, array - 8, &chunk);
		if (!r && chunk >> 8 == HOOKS_GUARD) {
			r = memory_read_u64(mem, array - HOOKS_FRONT - 8, &chunk);
			chunk -= r ? 0 : MIN(chunk, (uint64_t)HOOKS_EXTRA);
		}
		if (!r && (chunk & ~7ull) > 8)
			count = (uint32_t)MIN(((chunk & ~7ull) - 8) / layout->sizeof_arena,
					      ARENAS_MAX);
	}
	if (r < 0)
		return r;
	if (count > ARENAS_MAX)
		return -ERANGE;
	*ret_array = array;
	*ret_count = array ? count : 0;
	return 0;
}

/* Every pool on the usedpools rings must lie in the arena that it names. */
static int arenas_prove(const struct arenas_state *state, const struct layout *layout,
			struct memory *mem)
{
	struct scan_pool pools[ARENAS_PROOF_POOLS];
	uint8_t object[ARENA_OBJECT_MAX];
	uint64_t array;
	uint32_t count;
	ssize_t n;
	int r;

	n = scan_rings(state->usedpools, layout, mem, pools, ARENAS_PROOF_POOLS);
	if (n < 0)
		return (int)n;
	r = arenas_array_of(state, layout, mem, &array, &count);
	if (r < 0)
		return r;
	for (ssize_t i = 0; i < n; i++) {
		uint32_t index = pools[i].arena_index;
		struct arena a;

		if (index >= count)
			return -EPROTO;
		/* One at a time: the array is as long as the target says. */
		r = memory_read(mem, array + (uint64_t)index * layout->sizeof_arena, object,
				layout->sizeof_arena);
		if (r < 0)
			return r;
		arenas_decode(object, index, layout, &a);
		if (!arenas_is_sane(&a, layout) || pools[i].addr < a.address ||
		    pools[i].addr >= a.address + layout->arena_size)
			return -EPROTO;
	}
	return 0;
}

/* A ring can change under the reader: a proof may fail by bad luck, not many times in a row. */
static int arenas_prove_patiently(const struct arenas_state *state, const struct layout *layout,
				  struct memory *mem)
{
	int r = -EPROTO;

	for (int i = 0; i < PROOF_TRIES; i++) {
		r = arenas_prove(state, layout, mem);
		if (!r || r == -ESRCH || r == -EPERM || r == -ENOMEM)
			break;
	}
	return r;
}

static int arenas_locate_static(const struct python *py, const struct layout *layout,
				struct memory *mem, struct arenas_root *root)
{
	struct arenas_state *state = &root->states[0];
	int r;

	root->states_count = 1;
	*state = (struct arenas_state){
		.usedpools = python_symbol(py, "usedpools"),
		.arenas = python_symbol(py, "arenas"),
		.maxarenas = python_symbol(py, "maxarenas"),
	};
	if (state->usedpools && state->arenas && state->maxarenas) {
		root->evidence = ARENAS_BY_SYMBOL;
		r = arenas_prove_patiently(state, layout, mem);
		if (r != -EPROTO && r != -EINVAL)
			return r;
	}
	root->evidence = ARENAS_BY_SCAN;
	r = -ENOENT;
	for (int i = 0; i < SCAN_TRIES && r == -ENOENT; i++)
		r = scan_obmalloc(py, layout, mem, &state->usedpools, &state->arenas,
				  &state->maxarenas);
	return r < 0 ? r : arenas_prove_patiently(state, layout, mem);
}

/* Of a list of interpreters, never 0. */
static uint64_t digest(const uint64_t *interps, int count)
{
	uint64_t sum = 1;

	for (int i = 0; i < count; i++)
		sum = (sum ^ interps[i]) * 0x100000001b3ull;
	return sum | 1;
}

/* 3.12 on: one state an interpreter, or one that several share (3.13+ sub-interpreters without
 * their own). */
static int arenas_locate_interpreters(const struct python *py, const struct layout *layout,
				      struct memory *mem, struct arenas_root *root)
{
	uint64_t interps[INTERPRETERS_MAX];
	int count = interpreters_list(py, layout, mem, interps);

	if (count < 0)
		return count;
	root->evidence = ARENAS_BY_INTERPRETER;
	root->interpreters = digest(interps, count);
	for (int i = 0; i < count && root->states_count < ARENAS_STATES_MAX; i++) {
		uint64_t at = interps[i] + layout->obmalloc_offset;
		bool known = false;
		int r = 0;

		if (layout->obmalloc == LAYOUT_OBMALLOC_POINTER)
			r = memory_read_u64(mem, at, &at);
		if (r < 0 || !at) { /* one that is being made */
			root->interpreters = 0;
			continue;
		}
		for (size_t k = 0; k < root->states_count; k++)
			known |= root->states[k].usedpools == at + layout->obmalloc_usedpools;
		if (known)
			continue;
		root->states[root->states_count] = (struct arenas_state){
			.usedpools = at + layout->obmalloc_usedpools,
			.arenas = at + layout->obmalloc_arenas,
			.maxarenas = at + layout->obmalloc_maxarenas,
		};
		r = arenas_prove_patiently(&root->states[root->states_count], layout, mem);
		if (r < 0 && i == 0)
			return r;
		if (!r)
			root->states_count++;
	}
	return root->states_count ? 0 : -ENOENT;
}

int arenas_locate(const struct python *py, const struct layout *layout, struct memory *mem,
		  struct arenas_root *ret, struct error *err)
{
	struct arenas_root root = {};
	int r;

	if (layout->obmalloc == LAYOUT_OBMALLOC_MIMALLOC)
		return -ENOTSUP;
	r = layout->obmalloc == LAYOUT_OBMALLOC_STATIC
		    ? arenas_locate_static(py, layout, mem, &root)
		    : arenas_locate_interpreters(py, layout, mem, &root);
	if (r == -EPERM || r == -ESRCH || r == -ENOMEM)
		return r;
	if (r < 0)
		return error_set(
			err, ENOENT, EXIT_UNSUPPORTED,
			"cannot find the memory allocator's arenas in Python %s (%s): no candidate "
			"proved itself; please report this build with the output of 'pymemtop "
			"doctor'",
			py->version, py->path ? py->path : "?");
	*ret = root;
	return 0;
}

int arenas_refresh(const struct python *py, const struct layout *layout, struct memory *mem,
		   struct arenas_root *root)
{
	uint64_t interps[INTERPRETERS_MAX];
	struct arenas_root fresh = {};
	int r;

	if (root->evidence != ARENAS_BY_INTERPRETER)
		return 0;
	r = interpreters_list(py, layout, mem, interps);
	if (r < 0 || root->interpreters == digest(interps, r))
		return MIN(r, 0);
	r = arenas_locate_interpreters(py, layout, mem, &fresh);
	if (!r)
		*root = fresh;
	return r;
}

static int arenas_append(struct arenas *all, const struct arenas_state *state,
			 const struct layout *layout, struct memory *mem, size_t *bad)
{
	_cleanup_free_ uint8_t *objects = NULL;
	struct arena *list;
	uint64_t array;
	uint32_t count;
	int r;

	r = arenas_array_of(state, layout, mem, &array, &count);
	if (r < 0 || !count)
		return r;
	if (all->count + count > ARENAS_MAX)
		return -ERANGE;
	objects = arenas_read_array(array, count, layout, mem, &r);
	if (!objects)
		return r;
	list = reallocarray(all->list, all->count + count, sizeof(*list));
	if (!list)
		return -ENOMEM;
	all->list = list;
	for (uint32_t i = 0; i < count; i++) {
		struct arena a;

		arenas_decode(objects + (size_t)i * layout->sizeof_arena, i, layout, &a);
		if (!a.address)
			continue; /* an unused slot */
		if (arenas_is_sane(&a, layout))
			all->list[all->count++] = a;
		else
			(*bad)++;
	}
	return 0;
}

int arenas_read(const struct arenas_root *root, const struct layout *layout, struct memory *mem,
		struct arenas *ret, size_t *ret_bad)
{
	struct arenas all = {};
	size_t bad = 0;

	for (size_t i = 0; i < root->states_count; i++) {
		int r = arenas_append(&all, &root->states[i], layout, mem, &bad);

		/* The array moves when it grows: once more before giving up. */
		if (r == -EFAULT)
			r = arenas_append(&all, &root->states[i], layout, mem, &bad);
		if (r < 0) {
			arenas_fini(&all);
			return r;
		}
	}
	*ret = all;
	*ret_bad = bad;
	return 0;
}

void arenas_fini(struct arenas *arenas)
{
	free(arenas->list);
	*arenas = (struct arenas){};
}

uint64_t arenas_first_pool(const struct arena *arena, const struct layout *layout)
{
	return round_up(arena->address, layout->pool_size);
}

size_t arenas_pools_count(const struct arena *arena, const struct layout *layout)
{
	uint64_t first = arenas_first_pool(arena, layout);
	uint64_t last = arena->address + layout->arena_size;
	uint64_t end = MIN(arena->pool_address, last & ~((uint64_t)layout->pool_size - 1));

	return end > first ? (end - first) / layout->pool_size : 0;
}
