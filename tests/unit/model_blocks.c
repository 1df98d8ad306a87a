/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/util.h"
#include "model/blocks.h"

#include <errno.h>

#define START (1000 * NSEC_PER_SEC)
#define AT(seconds) (START + (seconds)*NSEC_PER_SEC)

static void alloc(struct blocks *blocks, uint64_t addr, uint64_t now_ns)
{
	assert_int_equal(blocks_put(blocks, addr, 48, blocks_untyped(blocks, now_ns)), 0);
}

static void release(struct blocks *blocks, uint64_t addr, bool known)
{
	struct ledger_block block;

	assert_int_equal(blocks_take(blocks, addr, &block), 0);
	assert_int_equal(block.addr, known ? addr : 0);
}

static void begin(struct blocks *blocks, const uint64_t *addrs)
{
	assert_int_equal(blocks_begin(blocks), 0);
	for (; *addrs; addrs++)
		blocks_found(blocks, *addrs, 48, true);
}

static void census(struct blocks *blocks, const uint64_t *addrs, bool unsure, uint64_t now_ns,
		   struct blocks_drift *ret)
{
	begin(blocks, addrs);
	assert_int_equal(blocks_freeze(blocks), 0);
	assert_int_equal(blocks_merge(blocks), 0);
	assert_int_equal(blocks_end(blocks, unsure, now_ns, ret), 0);
	assert_null(blocks->touched);
	assert_null(blocks->truth);
	assert_null(blocks->later);
}

/* Seconds; -1 where unknown. */
static int64_t age(const struct blocks *blocks, uint64_t addr, uint64_t now_ns, bool at_least)
{
	struct blocks_age age = blocks_age(blocks, addr, now_ns);

	if (!age.known)
		return -1;
	assert_int_equal(age.at_least, at_least);
	return (int64_t)(age.age_ns + LEDGER_TICK_NS / 2) / NSEC_PER_SEC;
}

static void first_census_is_compared_with_nothing(void **state)
{
	cleanup(blocks_fini) struct blocks blocks = {};
	struct blocks_drift drift;

	assert_int_equal(blocks_init(&blocks, START), 0);
	alloc(&blocks, 0x1000, AT(1));
	assert_int_equal(age(&blocks, 0x1000, AT(2), false), -1);
	census(&blocks, (uint64_t[]){ 0x1000, 0x2000, 0 }, false, AT(3), &drift);
	assert_false(drift.had);
	assert_true(blocks.whole);
	assert_int_equal(ledger_count(blocks.live), 2);
	assert_int_equal(age(&blocks, 0x1000, AT(10), true), 7);
	assert_int_equal(age(&blocks, 0x2010, AT(10), true), 7);
	assert_int_equal(age(&blocks, 0x3000, AT(10), true), -1);
}

static void ages_last_from_census_to_census(void **state)
{
	cleanup(blocks_fini) struct blocks blocks = {};
	struct blocks_drift drift;

	assert_int_equal(blocks_init(&blocks, START), 0);
	census(&blocks, (uint64_t[]){ 0x1000, 0 }, false, AT(1), &drift);
	alloc(&blocks, 0x2000, AT(4));
	census(&blocks, (uint64_t[]){ 0x1000, 0x2000, 0x3000, 0 }, false, AT(5), &drift);
	assert_true(drift.had);
	assert_int_equal(drift.drift.missing_objects, 1);
	assert_int_equal(age(&blocks, 0x1000, AT(10), true), 9);
	assert_int_equal(age(&blocks, 0x2000, AT(10), false), 6);
	assert_int_equal(age(&blocks, 0x3000, AT(10), false), -1);
	census(&blocks, (uint64_t[]){ 0x2000, 0 }, false, AT(20), &drift);
	assert_int_equal(age(&blocks, 0x2000, AT(24), false), 20);
}

static void after_a_loss_they_count_from_the_census(void **state)
{
	cleanup(blocks_fini) struct blocks blocks = {};
	struct blocks_drift drift;

	assert_int_equal(blocks_init(&blocks, START), 0);
	census(&blocks, (uint64_t[]){ 0x1000, 0 }, false, AT(1), &drift);
	alloc(&blocks, 0x2000, AT(2));
	census(&blocks, (uint64_t[]){ 0x1000, 0x2000, 0 }, true, AT(5), &drift);
	assert_true(drift.unsure);
	assert_false(blocks.whole);
	assert_int_equal(age(&blocks, 0x2000, AT(9), true), 4);
	census(&blocks, (uint64_t[]){ 0x1000, 0x2000, 0 }, false, AT(6), &drift);
	assert_false(drift.had);
	assert_int_equal(age(&blocks, 0x1000, AT(9), true), 3);
	alloc(&blocks, 0x3000, AT(7));
	assert_int_equal(age(&blocks, 0x3000, AT(9), false), 2);
}

static void an_aborted_census_changes_nothing(void **state)
{
	cleanup(blocks_fini) struct blocks blocks = {};

	assert_int_equal(blocks_init(&blocks, START), 0);
	alloc(&blocks, 0x1000, AT(1));
	begin(&blocks, (uint64_t[]){ 0x2000, 0 });
	blocks_abort(&blocks);
	assert_int_equal(ledger_count(blocks.live), 1);
	assert_int_equal(blocks_freeze(&blocks), -ENOMEM);
	assert_int_equal(ledger_count(blocks.live), 1);
}

static void types(struct blocks *blocks, uint64_t addr)
{
	struct ledger_block block;

	assert_true(blocks_find(blocks, addr, &block));
	assert_true(block.note & LEDGER_UNTYPED);
	assert_int_equal(blocks_typed(blocks, &block), 0);
	assert_true(blocks_find(blocks, addr, &block));
	assert_false(block.note & LEDGER_UNTYPED);
	assert_int_equal(block.size, 48);
}

/* 0x1000 to 0x3000 are in the ledger and in the census, 0x4000 in the census alone, 0x5000 in the
 * ledger alone. Events while they are merged: the last word on each block is theirs. */
static void events_while_merging(struct blocks *blocks, bool merged)
{
	struct ledger_block block;

	alloc(blocks, 0x5000, AT(2));
	alloc(blocks, 0x6000, AT(2));
	begin(blocks, (uint64_t[]){ 0x1000, 0x2000, 0x3000, 0x4000, 0x7000, 0 });
	release(blocks, 0x7000, false);
	alloc(blocks, 0x8000, AT(2));
	assert_int_equal(blocks_freeze(blocks), 0);
	release(blocks, 0x1000, true);
	release(blocks, 0x1000, false);
	assert_false(blocks_find(blocks, 0x1000, &block));
	release(blocks, 0x2000, true);
	alloc(blocks, 0x2000, AT(3));
	if (merged)
		assert_int_equal(blocks_merge(blocks), 0);
	types(blocks, 0x5000);
	types(blocks, 0x6000);
	types(blocks, 0x8000);
	release(blocks, 0x6000, true);
	alloc(blocks, 0x9000, AT(3));
	alloc(blocks, 0xa000, AT(3));
	types(blocks, 0xa000);
}

static void nothing_is_lost_while_merging(void **state)
{
	static const uint64_t left[] = { 0x2000, 0x3000, 0x4000, 0x8000, 0x9000, 0xa000 };
	cleanup(blocks_fini) struct blocks blocks = {};
	struct ledger_block block;
	struct blocks_drift drift;

	assert_int_equal(blocks_init(&blocks, START), 0);
	census(&blocks, (uint64_t[]){ 0x1000, 0x2000, 0x3000, 0 }, false, AT(1), &drift);
	events_while_merging(&blocks, true);
	assert_int_equal(blocks_end(&blocks, false, AT(4), &drift), 0);
	assert_true(drift.had);
	assert_int_equal(drift.drift.missing_objects, 1); /* 0x4000 */
	assert_int_equal(drift.drift.extra_objects, 2);	  /* 0x5000, 0x6000 */
	assert_int_equal(ledger_count(blocks.live), ARRAY_SIZE(left));
	for (size_t i = 0; i < ARRAY_SIZE(left); i++) {
		assert_true(blocks_find(&blocks, left[i], &block));
		assert_int_equal(!!(block.note & LEDGER_UNTYPED),
				 left[i] == 0x2000 || left[i] == 0x9000);
		assert_false(block.note & LEDGER_MAYBE);
	}
	assert_int_equal(age(&blocks, 0x2000, AT(10), false), 7);
	assert_int_equal(age(&blocks, 0x8000, AT(10), false), 8);
}

static void an_abort_while_merging_loses_nothing(void **state)
{
	static const uint64_t left[] = { 0x2000, 0x3000, 0x5000, 0x8000, 0x9000, 0xa000 };

	for (int merged = 0; merged < 2; merged++) {
		cleanup(blocks_fini) struct blocks blocks = {};
		struct ledger_block block;
		struct blocks_drift drift;

		assert_int_equal(blocks_init(&blocks, START), 0);
		census(&blocks, (uint64_t[]){ 0x1000, 0x2000, 0x3000, 0 }, false, AT(1), &drift);
		events_while_merging(&blocks, merged);
		blocks_abort(&blocks);
		assert_true(blocks.whole);
		assert_int_equal(ledger_count(blocks.live), ARRAY_SIZE(left));
		for (size_t i = 0; i < ARRAY_SIZE(left); i++)
			assert_true(blocks_find(&blocks, left[i], &block));
	}
}

static void a_loss_while_merging_leaves_the_drift(void **state)
{
	cleanup(blocks_fini) struct blocks blocks = {};
	struct blocks_drift drift;

	assert_int_equal(blocks_init(&blocks, START), 0);
	census(&blocks, (uint64_t[]){ 0x1000, 0 }, false, AT(1), &drift);
	begin(&blocks, (uint64_t[]){ 0x1000, 0x2000, 0 });
	assert_int_equal(blocks_freeze(&blocks), 0);
	blocks.whole = false;
	assert_int_equal(blocks_merge(&blocks), 0);
	assert_int_equal(blocks_end(&blocks, true, AT(2), &drift), 0);
	assert_true(drift.had && drift.unsure);
	assert_int_equal(drift.drift.missing_objects, 1);
	assert_false(blocks.whole);
}

/* Recorded before the census, done after it: the census has seen the block that was freed, and not
 * the one that was handed out. */
static void what_is_about_to_be_done_counts_as_done(void **state)
{
	cleanup(blocks_fini) struct blocks blocks = {};
	struct blocks_drift drift;
	struct ledger_block block;

	assert_int_equal(blocks_init(&blocks, START), 0);
	census(&blocks, (const uint64_t[]){ 0x1000, 0x2000, 0 }, false, AT(1), &drift);
	release(&blocks, 0x1000, true);
	alloc(&blocks, 0x3000, AT(2));
	begin(&blocks, (const uint64_t[]){ 0x1000, 0x2000, 0 });
	assert_int_equal(blocks_retouch(&blocks, 0x1000), 0);
	assert_int_equal(blocks_retouch(&blocks, 0x3000), 0);
	assert_int_equal(blocks_freeze(&blocks), 0);
	assert_int_equal(blocks_merge(&blocks), 0);
	assert_int_equal(blocks_end(&blocks, false, AT(3), &drift), 0);
	assert_true(drift.had);
	assert_int_equal(drift.drift.missing_objects + drift.drift.extra_objects, 0);
	assert_false(blocks_find(&blocks, 0x1000, &block));
	assert_true(blocks_find(&blocks, 0x3000, &block));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_census_is_compared_with_nothing),
		cmocka_unit_test(ages_last_from_census_to_census),
		cmocka_unit_test(after_a_loss_they_count_from_the_census),
		cmocka_unit_test(an_aborted_census_changes_nothing),
		cmocka_unit_test(nothing_is_lost_while_merging),
		cmocka_unit_test(an_abort_while_merging_loses_nothing),
		cmocka_unit_test(a_loss_while_merging_leaves_the_drift),
		cmocka_unit_test(what_is_about_to_be_done_counts_as_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
