/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/turns.h"

#include "base/util.h"

static bool can_have(const struct watch *watch)
{
	return watch->up && !watch->gone && !*watch->shown.events_error;
}

static void give(struct watch *watch, uint64_t now)
{
	watch->turn = true;
	watch->turn_last = now;
	watch->turn_end = now + TURNS_LENGTH;
}

/* Who has waited longest. */
static struct watch *next_in_line(struct watch_table *table)
{
	struct watch *watch, *best = NULL;

	for (watch = table->by_pid; watch; watch = watch->hh.next) {
		if (!watch->turn && can_have(watch) &&
		    (!best || watch->turn_last < best->turn_last))
			best = watch;
	}
	return best;
}

void turns_assign(struct watch_table *table, uint64_t now)
{
	size_t taken = 0;
	struct watch *watch;

	for (watch = table->by_pid; watch; watch = watch->hh.next) {
		if (watch->turn &&
		    (!can_have(watch) || (now >= watch->turn_end && next_in_line(table))))
			watch->turn = false;
		taken += watch->turn;
	}
	while (taken < TURNS_PLACES) {
		watch = next_in_line(table);
		if (!watch)
			return;
		give(watch, now);
		taken++;
	}
}
