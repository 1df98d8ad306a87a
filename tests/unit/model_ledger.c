/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/util.h"
#include "model/ledger.h"

#include <errno.h>

static void put_find_take(void **state)
{
	cleanup(ledger_freep) struct ledger *ledger = NULL;
	struct ledger_block block;

	assert_int_equal(ledger_new(&ledger), 0);
	assert_null(ledger_find(ledger, 0x1000));
	assert_int_equal(ledger_put(ledger, 0x1000, 48, 7), 0);
	assert_int_equal(ledger_put(ledger, 0x1000, 64, 9), 0);
	assert_int_equal(ledger_count(ledger), 1);
	assert_int_equal(ledger_find(ledger, 0x1000)->size, 64);
	assert_true(ledger_take(ledger, 0x1000, &block));
	assert_int_equal(block.note, 9);
	assert_false(ledger_take(ledger, 0x1000, &block));
	assert_int_equal(ledger_count(ledger), 0);
}

static void address_zero_is_never_in_it(void **state)
{
	cleanup(ledger_freep) struct ledger *ledger = NULL;

	assert_int_equal(ledger_new(&ledger), 0);
	assert_int_equal(ledger_put(ledger, 0, 16, 0), -EINVAL);
	assert_null(ledger_find(ledger, 0));
	assert_false(ledger_take(ledger, 0, NULL));
}

static void sizes_beyond_32_bits_are_cut(void **state)
{
	cleanup(ledger_freep) struct ledger *ledger = NULL;

	assert_int_equal(ledger_new(&ledger), 0);
	assert_int_equal(ledger_put(ledger, 16, 1ull << 40, 0), 0);
	assert_int_equal(ledger_find(ledger, 16)->size, UINT32_MAX);
}

/* Half a million random operations against a plain array: growth, wrap-around, closing of gaps. */
static void behaves_like_a_set(void **state)
{
	enum { ADDRESSES = 1 << 14 };
	static bool in[ADDRESSES];
	cleanup(ledger_freep) struct ledger *ledger = NULL;
	const struct ledger_block *block;
	size_t count = 0, pos = 0, seen = 0;
	uint32_t seed = 1;

	assert_int_equal(ledger_new(&ledger), 0);
	for (int i = 0; i < 500000; i++) {
		uint32_t k;

		seed = seed * 1103515245u + 12345u;
		k = (seed >> 8) % ADDRESSES;
		if (seed >> 31) {
			assert_int_equal(ledger_put(ledger, (k + 1) * 16ull, k, 0), 0);
			count += !in[k];
			in[k] = true;
		} else {
			assert_int_equal(ledger_take(ledger, (k + 1) * 16ull, NULL), in[k]);
			count -= in[k];
			in[k] = false;
		}
		assert_int_equal(ledger_count(ledger), count);
	}
	for (uint32_t k = 0; k < ADDRESSES; k++)
		assert_int_equal(ledger_find(ledger, (k + 1) * 16ull) != NULL, in[k]);
	while ((block = ledger_next(ledger, &pos))) {
		assert_true(in[block->addr / 16 - 1]);
		seen++;
	}
	assert_int_equal(seen, count);
	ledger_clear(ledger);
	assert_int_equal(ledger_count(ledger), 0);
	assert_null(ledger_find(ledger, 16));
}

static void drift_is_what_one_has_and_the_other_lacks(void **state)
{
	cleanup(ledger_freep) struct ledger *ledger = NULL, *truth = NULL;
	struct ledger_drift drift;

	assert_int_equal(ledger_new(&ledger), 0);
	assert_int_equal(ledger_new(&truth), 0);
	ledger_put(ledger, 16, 32, 0);
	ledger_put(truth, 16, 32, 5);
	drift = ledger_compare(ledger, truth);
	assert_int_equal(drift.missing_objects + drift.extra_objects, 0);

	ledger_put(ledger, 32, 48, 0);		  /* freed, and nobody said so */
	ledger_put(truth, 64, 100, 0);		  /* allocated, and nobody said so */
	ledger_put(truth, 96, 999, LEDGER_MAYBE); /* native code's */
	ledger_put(ledger, 112, 999, LEDGER_MAYBE);
	ledger_put(ledger, 128, 16, 0); /* another size */
	ledger_put(truth, 128, 32, 0);
	drift = ledger_compare(ledger, truth);
	assert_int_equal(drift.missing_objects, 2);
	assert_int_equal(drift.missing_bytes, 132);
	assert_int_equal(drift.extra_objects, 2);
	assert_int_equal(drift.extra_bytes, 64);
}

static void what_was_touched_overrules_the_census(void **state)
{
	cleanup(ledger_freep) struct ledger *truth = NULL, *touched = NULL, *live = NULL;

	assert_int_equal(ledger_new(&truth) | ledger_new(&touched) | ledger_new(&live), 0);
	ledger_put(truth, 0x1000, 48, 0);
	ledger_put(truth, 0x2000, 48, 0);
	ledger_put(truth, 0x3000, 48, 0);
	ledger_put(touched, 0x2000, 0, 0); /* freed */
	ledger_put(touched, 0x3000, 64, 0);
	ledger_put(touched, 0x4000, 32, 0);
	ledger_put(touched, 0x5000, 0, 0);
	ledger_put(live, 0x4000, 32, LEDGER_UNTYPED);
	assert_int_equal(ledger_replay(truth, touched, live), 0);
	assert_int_equal(ledger_count(truth), 3);
	assert_int_equal(ledger_find(truth, 0x1000)->size, 48);
	assert_int_equal(ledger_find(truth, 0x3000)->size, 64);
	assert_int_equal(ledger_find(truth, 0x4000)->note, LEDGER_UNTYPED);
}

static uint64_t seconds_of(const struct ledger_block *block)
{
	uint64_t time;

	return ledger_time(block, &time) ? time / 1000000000 : UINT64_MAX;
}

static void blocks_know_when_they_were_allocated(void **state)
{
	const uint64_t second = 1000000000, day = 86400 * second;
	struct ledger_block block = { .addr = 16, .size = 16 };

	assert_int_equal(seconds_of(&block), 0);
	block.note = ledger_untyped(100 * second + LEDGER_TICK_NS);
	assert_true(block.note & LEDGER_UNTYPED);
	assert_false(block.note & LEDGER_MAYBE);
	assert_int_equal(seconds_of(&block), 100);
	block.note = (block.note & ~LEDGER_UNTYPED) | LEDGER_MAYBE;
	assert_int_equal(seconds_of(&block), 100);
	block.note = ledger_untyped(52 * day + LEDGER_TICK_NS);
	assert_int_equal(seconds_of(&block), 52 * 86400);
	block.note = ledger_untyped(53 * day);
	assert_false(block.note & LEDGER_MAYBE);
	assert_int_equal(seconds_of(&block), UINT64_MAX);
}

static void a_census_does_not_forget_them(void **state)
{
	cleanup(ledger_freep) struct ledger *ledger = NULL, *truth = NULL;

	assert_int_equal(ledger_new(&ledger) | ledger_new(&truth), 0);
	for (uint64_t addr = 16; addr <= 48; addr += 16)
		ledger_put(ledger, addr, 16, ledger_untyped(addr * 1000000000));
	ledger_put(truth, 16, 16, 0);
	ledger_put(truth, 32, 32, 0); /* another one */
	ledger_put(ledger, 64, 32, 0);
	ledger_put(truth, 64, 32, LEDGER_MAYBE);
	ledger_put(truth, 96, 32, 0); /* allocated, and nobody said so */
	ledger_compare(ledger, truth);
	assert_int_equal(seconds_of(ledger_find(truth, 16)), 15);
	assert_true(ledger_find(truth, 16)->note & LEDGER_UNTYPED);
	assert_int_equal(seconds_of(ledger_find(truth, 32)), UINT64_MAX);
	assert_int_equal(seconds_of(ledger_find(truth, 64)), 0);
	assert_int_equal(seconds_of(ledger_find(truth, 96)), UINT64_MAX);
}

static void what_lies_in_a_block_finds_it(void **state)
{
	cleanup(ledger_freep) struct ledger *ledger = NULL;

	assert_int_equal(ledger_new(&ledger), 0);
	ledger_put(ledger, 0x1000, 48, 0);
	assert_int_equal(ledger_find_around(ledger, 0x1000)->addr, 0x1000);
	assert_int_equal(ledger_find_around(ledger, 0x1010)->addr, 0x1000);
	assert_null(ledger_find_around(ledger, 0x1030));
	assert_null(ledger_find_around(ledger, 0xff8));
	assert_null(ledger_find_around(ledger, 8));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(put_find_take),
		cmocka_unit_test(address_zero_is_never_in_it),
		cmocka_unit_test(sizes_beyond_32_bits_are_cut),
		cmocka_unit_test(behaves_like_a_set),
		cmocka_unit_test(drift_is_what_one_has_and_the_other_lacks),
		cmocka_unit_test(what_was_touched_overrules_the_census),
		cmocka_unit_test(blocks_know_when_they_were_allocated),
		cmocka_unit_test(a_census_does_not_forget_them),
		cmocka_unit_test(what_lies_in_a_block_finds_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
