/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/util.h"
#include "model/blocks.h"

#include <errno.h>

#define START (1000 * NSEC_PER_SEC)
#define AT(seconds) (START + (seconds)*NSEC_PER_SEC)

static void alloc(struct blocks *blocks, uint64_t addr, uint64_t now_ns)
{
	assert_int_equal(ledger_put(blocks->live, addr, 48, blocks_untyped(blocks, now_ns)), 0);
	assert_int_equal(blocks_touch(blocks, addr, 48), 0);
}

static void census(struct blocks *blocks, const uint64_t *addrs, bool unsure, uint64_t now_ns,
		   struct blocks_drift *ret)
{
	assert_int_equal(blocks_begin(blocks), 0);
	for (; *addrs; addrs++)
		blocks_found(blocks, *addrs, 48, true);
	assert_int_equal(blocks_end(blocks, unsure, now_ns, ret), 0);
	assert_null(blocks->touched);
	assert_null(blocks->truth);
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
	struct blocks_drift drift;

	assert_int_equal(blocks_init(&blocks, START), 0);
	alloc(&blocks, 0x1000, AT(1));
	assert_int_equal(blocks_begin(&blocks), 0);
	blocks_found(&blocks, 0x2000, 16, true);
	blocks_abort(&blocks);
	assert_int_equal(ledger_count(blocks.live), 1);
	assert_int_equal(blocks_end(&blocks, false, AT(2), &drift), -ENOMEM);
	assert_int_equal(ledger_count(blocks.live), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_census_is_compared_with_nothing),
		cmocka_unit_test(ages_last_from_census_to_census),
		cmocka_unit_test(after_a_loss_they_count_from_the_census),
		cmocka_unit_test(an_aborted_census_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
