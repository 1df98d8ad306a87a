/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/util.h"
#include "daemon/turns.h"

static void fill(struct watch_table *table, int count)
{
	for (int i = 0; i < count; i++) {
		struct watch *watch = calloc(1, sizeof(*watch));

		watch->pid = i + 1;
		watch->root = WATCH_NO_ROOT;
		watch->up = true;
		HASH_ADD_INT(table->by_pid, pid, watch);
	}
}

static int count_turns(const struct watch_table *table)
{
	int count = 0;

	for (const struct watch *w = table->by_pid; w; w = w->hh.next)
		count += w->turn;
	return count;
}

static void few_keep_theirs(void **state)
{
	struct watch_table table = { 0 };

	fill(&table, TURNS_PLACES);
	for (uint64_t now = 1; now < 5 * TURNS_LENGTH; now += TURNS_LENGTH / 3) {
		turns_assign(&table, now);
		assert_int_equal(count_turns(&table), TURNS_PLACES);
	}
	watch_table_fini(&table);
}

static void many_take_turns(void **state)
{
	struct watch_table table = { 0 };
	int had[10] = { 0 };

	fill(&table, 10);
	for (uint64_t now = 1, round = 0; round < 10; round++, now += TURNS_LENGTH) {
		turns_assign(&table, now);
		assert_int_equal(count_turns(&table), TURNS_PLACES);
		for (const struct watch *w = table.by_pid; w; w = w->hh.next)
			had[w->pid - 1] += w->turn;
	}
	/* As many rounds as processes: each has about as many turns as there are places. */
	for (int i = 0; i < 10; i++)
		assert_in_range(had[i], TURNS_PLACES - 1, TURNS_PLACES + 1);
	watch_table_fini(&table);
}

static void those_that_cannot_have_none(void **state)
{
	struct watch_table table = { 0 };

	fill(&table, 3);
	watch_find(&table, 1)->up = false;
	snprintf(watch_find(&table, 2)->shown.events_error, 8, "no BPF");
	turns_assign(&table, 1);
	assert_int_equal(count_turns(&table), 1);
	assert_true(watch_find(&table, 3)->turn);
	watch_find(&table, 3)->gone = true;
	turns_assign(&table, 2);
	assert_int_equal(count_turns(&table), 0);
	watch_table_fini(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(few_keep_theirs),
		cmocka_unit_test(many_take_turns),
		cmocka_unit_test(those_that_cannot_have_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
