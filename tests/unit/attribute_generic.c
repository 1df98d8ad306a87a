/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "attribute/generic.h"
#include "fake_python.h"

#define THING (WORLD_STATIC + 0x5000)

static struct world w;
static struct type *thing;
static uint64_t block;

static int setup(void **state)
{
	world_init(&w, "3.11");
	world_put_type(&w, THING, "lib.Thing", 0, 48);
	thing = world_type(&w, THING);
	block = world_pool(&w, 0, 3);
	fake_u64(&w.fake, block, 1);
	fake_u64(&w.fake, block + 8, THING);
	return 0;
}

static int teardown(void **state)
{
	world_fini(&w);
	return 0;
}

static int64_t visit(void)
{
	struct object obj = world_object(&w, block, 0, 64);

	generic_visit(&w.worker, thing, &obj);
	worker_flush(&w.worker);
	return world_tally(&w, thing)->parts[TALLY_BUFFER];
}

static void raw_blocks_go_to_who_points_to_them(void **state)
{
	uint64_t raw = world_pool(&w, 1, 7);

	fake_u64(&w.fake, block + 16, raw);
	fake_u64(&w.fake, block + 24, raw);    /* twice is once */
	fake_u64(&w.fake, raw + 8, raw + 128); /* and what that one points to */
	fake_u64(&w.fake, raw + 128, raw + 256);
	fake_u64(&w.fake, raw + 256, raw + 384); /* too deep */
	fake_u64(&w.fake, raw + 384, raw);	 /* a circle */
	assert_int_equal(visit(), 3 * 128);
	assert_int_equal(w.worker.found_blocks[7], 3);
}

static void objects_have_rows_of_their_own(void **state)
{
	fake_u64(&w.fake, block + 16, block + 64);
	fake_u64(&w.fake, block + 64, 1);
	fake_u64(&w.fake, block + 64 + 8, THING);
	assert_int_equal(visit(), 0);
}

static void only_the_start_of_a_block_counts(void **state)
{
	uint64_t raw = world_pool(&w, 1, 7);

	fake_u64(&w.fake, block + 16, raw + 16);
	fake_u64(&w.fake, block + 24, raw - 16);
	fake_u64(&w.fake, block + 32, raw + 3);
	fake_u64(&w.fake, block + 40, WORLD_HEAP + 64); /* malloc's: not known to be ours */
	fake_u64(&w.fake, block + 48, raw);		/* behind basicsize: not of the struct */
	assert_int_equal(visit(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(raw_blocks_go_to_who_points_to_them, setup,
						teardown),
		cmocka_unit_test_setup_teardown(objects_have_rows_of_their_own, setup, teardown),
		cmocka_unit_test_setup_teardown(only_the_start_of_a_block_counts, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
