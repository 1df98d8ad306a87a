/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>

#include "base/util.h"
#include "daemon/watch.h"

#define SCRIPT 0x1111
#define OTHER 0x2222

/* A sweep over @count entries, by PID. */
static struct sweep sweep_of(struct sweep_entry *entries, size_t count)
{
	return (struct sweep){ .entries = entries, .count = count };
}

#define SWEEP(...)                                                                                 \
	({                                                                                         \
		static struct sweep_entry _list[] = { __VA_ARGS__ };                               \
		sweep_of(_list, ARRAY_SIZE(_list));                                                \
	})

#define ENTRY(id, father, user, start, hash)                                                       \
	{                                                                                          \
		.pid = (id), .parent = (father), .uid = (user), .start_time_ticks = (start),       \
		.cmdline_hash = (hash)                                                             \
	}

static void root_children_and_restart(void **state)
{
	const struct sweep_entry root = ENTRY(10, 1, 5, 100, SCRIPT);
	struct watch_table table = { 0 };
	struct sweep sweep;

	assert_int_equal(watch_add_root(&table, &root), 0);
	sweep = SWEEP(ENTRY(10, 1, 5, 100, SCRIPT), ENTRY(11, 10, 5, 120, OTHER),
		      ENTRY(12, 1, 5, 130, SCRIPT));
	/* The second one of the same command is not ours while the first runs. */
	assert_int_equal(watch_merge(&table, &sweep), 2);
	assert_int_equal(watch_merge(&table, &sweep), 0);
	assert_non_null(watch_find(&table, 11));
	assert_null(watch_find(&table, 12));

	/* All end: whoever starts with that command line and user is taken. */
	sweep = SWEEP(ENTRY(30, 1, 5, 500, OTHER), ENTRY(31, 1, 6, 500, SCRIPT),
		      ENTRY(32, 1, 5, 501, SCRIPT));
	assert_int_equal(watch_merge(&table, &sweep), 0);
	assert_true(watch_find(&table, 10)->gone);
	assert_true(watch_find(&table, 11)->gone);
	watch_remove(&table, watch_find(&table, 10));
	watch_remove(&table, watch_find(&table, 11));
	assert_int_equal(watch_merge(&table, &sweep), 1);
	assert_non_null(watch_find(&table, 32));
	watch_table_fini(&table);
}

static void reused_pids(void **state)
{
	const struct sweep_entry root = ENTRY(10, 1, 5, 100, SCRIPT);
	struct watch_table table = { 0 };
	struct sweep sweep = SWEEP(ENTRY(10, 1, 5, 999, OTHER));

	assert_int_equal(watch_add_root(&table, &root), 0);
	assert_int_equal(watch_merge(&table, &sweep), 0);
	sweep = SWEEP(ENTRY(10, 1, 5, 100, SCRIPT));
	assert_int_equal(watch_merge(&table, &sweep), 1);
	/* Of an older process the one that has the PID of its parent now is not the parent. */
	sweep = SWEEP(ENTRY(9, 10, 5, 50, OTHER), ENTRY(10, 1, 5, 100, SCRIPT));
	assert_int_equal(watch_merge(&table, &sweep), 0);
	sweep = SWEEP(ENTRY(10, 1, 5, 101, SCRIPT));
	watch_merge(&table, &sweep);
	assert_true(watch_find(&table, 10)->gone);
	watch_table_fini(&table);
}

static void matches_and_changes(void **state)
{
	struct watch_table table = { 0 };
	struct sweep sweep =
		SWEEP({ .pid = 1, .start_time_ticks = 1, .matches = true }, { .pid = 2 });

	assert_int_equal(watch_merge(&table, &sweep), 1);
	assert_false(watch_find(&table, 1)->changed);
	sweep = SWEEP({ .pid = 1, .start_time_ticks = 1, .cmdline_hash = 7 });
	assert_int_equal(watch_merge(&table, &sweep), 0);
	assert_true(watch_find(&table, 1)->changed);
	/* One that is passed over because it hangs is not gone. */
	sweep = (struct sweep){ .skip = { 1 }, .skip_count = 1 };
	watch_merge(&table, &sweep);
	assert_false(watch_find(&table, 1)->gone);
	watch_table_fini(&table);
}

static void bounds(void **state)
{
	struct sweep_entry *list = calloc(WATCH_MAX + 100, sizeof(*list));
	struct watch_table table = { 0 };
	struct sweep sweep = { .entries = list, .count = WATCH_MAX + 100 };
	struct sweep_entry root = ENTRY(5, 1, 0, 1, 1);

	for (size_t i = 0; i < sweep.count; i++)
		list[i] = (struct sweep_entry){ .pid = (pid_t)i + 1,
						.uid = i < 600 ? 1000 : 0,
						.matches = true };
	assert_int_equal(watch_merge(&table, &sweep), WATCH_MAX_PER_USER + 512);
	assert_int_equal(table.refused, 100);
	watch_table_fini(&table);
	free(list);

	table = (struct watch_table){ 0 };
	for (int i = 0; i < WATCH_ROOTS_MAX; i++)
		assert_int_equal(watch_add_root(&table, &root), 0);
	assert_int_equal(watch_add_root(&table, &root), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(root_children_and_restart),
		cmocka_unit_test(reused_pids),
		cmocka_unit_test(matches_and_changes),
		cmocka_unit_test(bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
