/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "census/pool.h"
#include "fake.h"

#define POOL 0x30000000ull
#define CLASS 2 /* 48 bytes */
#define CARVED 40

static const char *const sizes[] = { "3.8", "3.11" }; /* 4 KiB, 16 KiB */

struct fixture {
	struct fake fake;
	const struct layout *layout;
	struct pool pool;
};

static void build(struct fixture *f, const char *name)
{
	*f = (struct fixture){ .layout = fake_layout(name) };
	fake_map(&f->fake, POOL, f->layout->pool_size);
	fake_pool(&f->fake, f->layout, POOL, CLASS, 0, CARVED);
}

static enum pool_state parse(struct fixture *f)
{
	return pool_parse(&f->pool, f->layout, POOL, fake_at(&f->fake, POOL, f->layout->pool_size));
}

static void a_whole_pool_has_its_blocks(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct fixture f;

		build(&f, sizes[i]);
		fake_pool_free(&f.fake, f.layout, POOL, 3);
		fake_pool_free(&f.fake, f.layout, POOL, 39);
		fake_pool_free(&f.fake, f.layout, POOL, 0);
		assert_int_equal(parse(&f), POOL_WHOLE);
		assert_int_equal(f.pool.size_class, CLASS);
		assert_int_equal(f.pool.block_size, 48);
		assert_int_equal(f.pool.blocks_count, CARVED);
		assert_int_equal(f.pool.blocks_max, (f.layout->pool_size - 48) / 48);
		assert_int_equal(f.pool.inuse_count, CARVED - 3);
		for (uint32_t k = 0; k < CARVED; k++)
			assert_int_equal(pool_is_free(&f.pool, k), k == 3 || k == 39 || k == 0);
		assert_int_equal(pool_block_addr(&f.pool, f.layout, 2), POOL + 48 + 2 * 48);
		fake_fini(&f.fake);
	}
}

static void the_smallest_blocks_fit_the_bitmap(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct fixture f;
		uint32_t blocks;

		build(&f, sizes[i]);
		blocks = (f.layout->pool_size - 48) / 16;
		assert_true(blocks <= POOL_BLOCKS_MAX);
		fake_pool(&f.fake, f.layout, POOL, 0, 0, blocks);
		fake_pool_free(&f.fake, f.layout, POOL, blocks - 1);
		assert_int_equal(parse(&f), POOL_WHOLE);
		assert_int_equal(f.pool.inuse_count, blocks - 1);
		assert_true(pool_is_free(&f.pool, blocks - 1));
		fake_fini(&f.fake);
	}
}

static void an_empty_pool_means_nothing(void **state)
{
	struct fixture f;

	build(&f, "3.11");
	memset(fake_at(&f.fake, POOL, 16384), 0xff, 16384);
	fake_u32(&f.fake, POOL, 0);
	assert_int_equal(parse(&f), POOL_EMPTY);
	assert_int_equal(f.pool.addr, POOL);
	fake_fini(&f.fake);
}

/* What the free list's head can be that it must not. */
static void a_free_list_that_leaves_the_pool_is_torn(void **state)
{
	static const uint64_t heads[] = {
		POOL,			 /* the header */
		POOL + 48 + 8,		 /* inside a block */
		POOL + 48 + 48 * CARVED, /* not carved yet */
		POOL + 16384,		 /* beyond */
		POOL - 48,		 /* in front */
		1,
		UINT64_MAX,
		0x8000000000000000ull,
	};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(heads); k++) {
			struct fixture f;

			build(&f, sizes[i]);
			fake_u64(&f.fake, POOL + f.layout->pool_freeblock, heads[k]);
			assert_int_equal(parse(&f), POOL_TORN);
			assert_int_equal(f.pool.inuse_count, CARVED);
			fake_fini(&f.fake);
		}
	}
}

static void a_circle_ends(void **state)
{
	struct fixture f;

	build(&f, "3.11");
	fake_pool_free(&f.fake, f.layout, POOL, 1);
	fake_pool_free(&f.fake, f.layout, POOL, 2);
	fake_u64(&f.fake, fake_block(f.layout, POOL, CLASS, 1),
		 fake_block(f.layout, POOL, CLASS, 2));
	assert_int_equal(parse(&f), POOL_TORN);
	assert_int_equal(f.pool.inuse_count, CARVED - 2);
	fake_fini(&f.fake);
}

static void a_count_that_disagrees_is_torn(void **state)
{
	struct fixture f;

	build(&f, "3.8");
	fake_u32(&f.fake, POOL + f.layout->pool_count, CARVED - 1);
	assert_int_equal(parse(&f), POOL_TORN);
	assert_int_equal(f.pool.inuse_count, CARVED);
	fake_fini(&f.fake);
}

static void headers_that_make_no_sense_are_bad(void **state)
{
	static const struct {
		uint32_t class, next, max;
	} bad[] = {
		{ 32, 48 + 48, 16384 - 48 }, /* no such size class */
		{ UINT32_MAX, 48 + 48, 16384 - 48 },
		{ CLASS, 48 + 48, 16384 - 64 },	   /* not this class's limit */
		{ CLASS, 47, 16384 - 48 },	   /* in the header */
		{ CLASS, 48 + 47, 16384 - 48 },	   /* inside a block */
		{ CLASS, 16384 + 48, 16384 - 48 }, /* beyond */
		{ CLASS, UINT32_MAX - 15, 16384 - 48 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct fixture f;

		build(&f, "3.11");
		fake_u32(&f.fake, POOL + f.layout->pool_size_index, bad[i].class);
		fake_u32(&f.fake, POOL + f.layout->pool_next_offset, bad[i].next);
		fake_u32(&f.fake, POOL + f.layout->pool_max_next_offset, bad[i].max);
		assert_int_equal(parse(&f), POOL_BAD);
		fake_fini(&f.fake);
	}
}

/* Whatever bytes: no crash (sanitizers), and never more blocks than there is room for. */
static void noise_is_survived(void **state)
{
	struct fixture f;
	uint8_t *bytes;

	build(&f, "3.11");
	bytes = fake_at(&f.fake, POOL, 16384);
	srand(1);
	for (int round = 0; round < 20000; round++) {
		for (int i = 0; i < 8; i++)
			bytes[rand() % (round % 2 ? 48 : 16384)] = (uint8_t)rand();
		if (round % 16 == 0)
			fake_pool(&f.fake, f.layout, POOL, (uint32_t)(round / 16) % 32, 0, 20);
		if (parse(&f) != POOL_EMPTY)
			assert_true(f.pool.blocks_count <= POOL_BLOCKS_MAX);
	}
	fake_fini(&f.fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_pool_has_its_blocks),
		cmocka_unit_test(the_smallest_blocks_fit_the_bitmap),
		cmocka_unit_test(an_empty_pool_means_nothing),
		cmocka_unit_test(a_free_list_that_leaves_the_pool_is_torn),
		cmocka_unit_test(a_circle_ends),
		cmocka_unit_test(a_count_that_disagrees_is_torn),
		cmocka_unit_test(headers_that_make_no_sense_are_bad),
		cmocka_unit_test(noise_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
