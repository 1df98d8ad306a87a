/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "census/arenas.h"
#include "fake.h"

#include <errno.h>

#define DATA 0x10000000ull
#define USEDPOOLS (DATA + 0x1000)
#define ARENAS (DATA + 0x2000)
#define MAXARENAS (DATA + 0x2008)
#define INTERP 0x18000000ull
#define ARRAY 0x20000010ull
#define ARENA 0x30000000ull

static struct fake fake;
static const struct layout *layout;
static struct python_symbol symbols[] = {
	{ (char[]){ "usedpools" }, USEDPOOLS },
	{ (char[]){ "arenas" }, ARENAS },
	{ (char[]){ "maxarenas" }, MAXARENAS },
};
static struct python py;
static struct arenas_root root;
static struct arenas arenas;
static size_t bad;

/* Two arenas in slots 0 and 3 of 16, a pool in each, on the ring. */
static void build(const char *name, uint64_t usedpools, uint64_t arenas_at, uint64_t maxarenas)
{
	layout = fake_layout(name);
	fake_map(&fake, ARRAY - 16, 0x1000);
	fake_map(&fake, ARENA, 4 * layout->arena_size);
	fake_usedpools(&fake, layout, usedpools);
	fake_u64(&fake, arenas_at, ARRAY);
	fake_u32(&fake, maxarenas, 16);
	fake_u64(&fake, ARRAY - 8, (16 * layout->sizeof_arena + 8 + 15) / 16 * 16 + 1);
	fake_arena(&fake, layout, ARRAY, 0, ARENA, 2);
	fake_arena(&fake, layout, ARRAY, 3, ARENA + 2 * layout->arena_size, 1);
	fake_pool(&fake, layout, ARENA, 4, 0, 10);
	fake_pool(&fake, layout, ARENA + 2 * layout->arena_size, 4, 3, 10);
	fake_link_pool(&fake, layout, usedpools, ARENA);
	fake_link_pool(&fake, layout, usedpools, ARENA + 2 * layout->arena_size);
}

static int setup(void **state)
{
	fake = (struct fake){};
	fake_map(&fake, DATA, 0x10000);
	py = (struct python){
		.version = "3.8.0", .symbols = symbols, .symbols_count = 3, .runtime = DATA
	};
	root = (struct arenas_root){};
	arenas = (struct arenas){};
	return 0;
}

static int teardown(void **state)
{
	arenas_fini(&arenas);
	fake_fini(&fake);
	return 0;
}

static void static_variables_are_found_by_symbol(void **state)
{
	build("3.8", USEDPOOLS, ARENAS, MAXARENAS);
	assert_int_equal(arenas_locate(&py, layout, fake.mem, &root, NULL), 0);
	assert_int_equal(root.evidence, ARENAS_BY_SYMBOL);
	assert_int_equal(root.states_count, 1);
	assert_int_equal(root.states[0].usedpools, USEDPOOLS);
	assert_int_equal(arenas_read(&root, layout, fake.mem, &arenas, &bad), 0);
	assert_int_equal(bad, 0);
	assert_int_equal(arenas.count, 2);
	assert_int_equal(arenas.list[0].address, ARENA);
	assert_int_equal(arenas.list[1].index, 3);
	assert_int_equal(arenas_pools_count(&arenas.list[0], layout), 2);
	assert_int_equal(arenas_pools_count(&arenas.list[1], layout), 1);
}

static void build_interpreter(void)
{
	uint64_t state = INTERP + fake_layout("3.12")->obmalloc_offset;
	const struct layout *l = fake_layout("3.12");

	fake_map(&fake, INTERP, 0x80000);
	fake_u64(&fake, DATA + l->runtime_interpreters_main, INTERP);
	fake_u64(&fake, DATA + l->runtime_interpreters_head, INTERP);
	build("3.12", state + l->obmalloc_usedpools, state + l->obmalloc_arenas,
	      state + l->obmalloc_maxarenas);
}

static void interpreters_lead_to_their_state(void **state)
{
	build_interpreter();
	assert_int_equal(arenas_locate(&py, layout, fake.mem, &root, NULL), 0);
	assert_int_equal(root.evidence, ARENAS_BY_INTERPRETER);
	assert_int_equal(root.states_count, 1);
	assert_int_equal(arenas_read(&root, layout, fake.mem, &arenas, &bad), 0);
	assert_int_equal(arenas.count, 2);
}

/* 3.13: a pointer; sub-interpreters that share it count once. */
static void a_state_that_two_share_counts_once(void **state)
{
	const struct layout *l = fake_layout("3.13");
	uint64_t shared = INTERP + 0x60000;

	fake_map(&fake, INTERP, 0x80000);
	fake_u64(&fake, DATA + l->runtime_interpreters_main, INTERP);
	fake_u64(&fake, DATA + l->runtime_interpreters_head, INTERP + 0x20000);
	fake_u64(&fake, INTERP + 0x20000 + l->interp_next, INTERP);
	fake_u64(&fake, INTERP + l->obmalloc_offset, shared);
	fake_u64(&fake, INTERP + 0x20000 + l->obmalloc_offset, shared);
	build("3.13", shared + l->obmalloc_usedpools, shared + l->obmalloc_arenas,
	      shared + l->obmalloc_maxarenas);
	assert_int_equal(arenas_locate(&py, layout, fake.mem, &root, NULL), 0);
	assert_int_equal(root.states_count, 1);
}

static void no_pymalloc_is_said(void **state)
{
	assert_int_equal(arenas_locate(&py, fake_layout("3.14.10t"), fake.mem, &root, NULL),
			 -ENOTSUP);
}

/* A pool on a ring that its arena does not hold, or that names an arena which is not there: no
 * proof. */
static void what_does_not_prove_itself_is_refused(void **state)
{
	struct error err = {};

	build("3.8", USEDPOOLS, ARENAS, MAXARENAS);
	fake_u32(&fake, ARENA + layout->pool_arena_index, 3);
	assert_int_equal(arenas_locate(&py, layout, fake.mem, &root, &err), -ENOENT);
	assert_int_equal(err.exit_code, EXIT_UNSUPPORTED);
	assert_non_null(strstr(err.text, "3.8.0"));
	fake_u32(&fake, ARENA + layout->pool_arena_index, 16);
	assert_int_equal(arenas_locate(&py, layout, fake.mem, &root, NULL), -ENOENT);
	fake_u32(&fake, ARENA + layout->pool_arena_index, 0);
	assert_int_equal(arenas_locate(&py, layout, fake.mem, &root, NULL), 0);
	fake_u64(&fake, USEDPOOLS + 16 * 7, ARENA); /* a pool of another class */
	assert_int_equal(arenas_locate(&py, layout, fake.mem, &root, NULL), -ENOENT);
}

static void insane_entries_are_counted_and_left_out(void **state)
{
	const uint64_t slot = 48;

	build("3.8", USEDPOOLS, ARENAS, MAXARENAS);
	assert_int_equal(arenas_locate(&py, layout, fake.mem, &root, NULL), 0);
	for (uint32_t i = 5; i < 12; i++)
		fake_arena(&fake, layout, ARRAY, i, ARENA, 2);
	fake_u64(&fake, ARRAY + 5 * slot + layout->arena_address, 8);
	fake_u64(&fake, ARRAY + 6 * slot + layout->arena_address, UINT64_MAX & ~15ull);
	fake_u64(&fake, ARRAY + 7 * slot + layout->arena_address, ARENA + 1);
	fake_u64(&fake, ARRAY + 8 * slot + layout->arena_pool_address, ARENA - 4096);
	fake_u64(&fake, ARRAY + 9 * slot + layout->arena_pool_address,
		 ARENA + layout->arena_size + 4096);
	fake_u32(&fake, ARRAY + 10 * slot + layout->arena_total_pools, 65);
	fake_u32(&fake, ARRAY + 11 * slot + layout->arena_free_pools_count, 65);
	assert_int_equal(arenas_read(&root, layout, fake.mem, &arenas, &bad), 0);
	assert_int_equal(arenas.count, 2);
	assert_int_equal(bad, 7);
}

static void the_chunk_bounds_an_array_of_unknown_length(void **state)
{
	build("3.8", USEDPOOLS, ARENAS, MAXARENAS);
	assert_int_equal(arenas_locate(&py, layout, fake.mem, &root, NULL), 0);
	root.states[0].maxarenas = 0;
	assert_int_equal(arenas_read(&root, layout, fake.mem, &arenas, &bad), 0);
	assert_int_equal(arenas.count, 2);
}

static void an_array_that_moved_is_found_at_its_new_place(void **state)
{
	build("3.8", USEDPOOLS, ARENAS, MAXARENAS);
	assert_int_equal(arenas_locate(&py, layout, fake.mem, &root, NULL), 0);
	fake_bytes(&fake, DATA + 0x8000, fake_at(&fake, ARRAY, 16 * 48), 16 * 48);
	memset(fake_at(&fake, ARRAY, 16 * 48), 0xee, 16 * 48);
	fake_u64(&fake, ARENAS, DATA + 0x8000);
	fake_u32(&fake, MAXARENAS, 32);
	assert_int_equal(arenas_read(&root, layout, fake.mem, &arenas, &bad), 0);
	assert_int_equal(arenas.count, 2);
	fake_u64(&fake, ARENAS, 0xdead0000);
	arenas_fini(&arenas);
	assert_int_equal(arenas_read(&root, layout, fake.mem, &arenas, &bad), -EFAULT);
}

static void a_length_that_cannot_be_is_refused(void **state)
{
	build("3.8", USEDPOOLS, ARENAS, MAXARENAS);
	assert_int_equal(arenas_locate(&py, layout, fake.mem, &root, NULL), 0);
	fake_u32(&fake, MAXARENAS, UINT32_MAX);
	assert_int_equal(arenas_read(&root, layout, fake.mem, &arenas, &bad), -ERANGE);
}

static void an_arena_off_its_border_loses_a_pool(void **state)
{
	struct arena a = { .address = ARENA + 4096,
			   .pool_address = ARENA + (1 << 20),
			   .total_pools = 63 };

	layout = fake_layout("3.11");
	assert_int_equal(arenas_first_pool(&a, layout), ARENA + 16384);
	assert_int_equal(arenas_pools_count(&a, layout), 63);
	a.pool_address = ARENA;
	assert_int_equal(arenas_pools_count(&a, layout), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(static_variables_are_found_by_symbol, setup,
						teardown),
		cmocka_unit_test_setup_teardown(interpreters_lead_to_their_state, setup, teardown),
		cmocka_unit_test_setup_teardown(a_state_that_two_share_counts_once, setup,
						teardown),
		cmocka_unit_test_setup_teardown(no_pymalloc_is_said, setup, teardown),
		cmocka_unit_test_setup_teardown(what_does_not_prove_itself_is_refused, setup,
						teardown),
		cmocka_unit_test_setup_teardown(insane_entries_are_counted_and_left_out, setup,
						teardown),
		cmocka_unit_test_setup_teardown(the_chunk_bounds_an_array_of_unknown_length, setup,
						teardown),
		cmocka_unit_test_setup_teardown(an_array_that_moved_is_found_at_its_new_place,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_length_that_cannot_be_is_refused, setup,
						teardown),
		cmocka_unit_test_setup_teardown(an_arena_off_its_border_loses_a_pool, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
