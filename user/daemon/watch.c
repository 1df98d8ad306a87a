/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/watch.h"

#include "base/util.h"

#include <errno.h>

int watch_add_root(struct watch_table *table, const struct sweep_entry *entry)
{
	if (table->roots_count == WATCH_ROOTS_MAX)
		return -E2BIG;
	table->roots[table->roots_count++] = (struct watch_root){
		.pid = entry->pid,
		.uid = entry->uid,
		.start_time_ticks = entry->start_time_ticks,
		.cmdline_hash = entry->cmdline_hash,
	};
	return 0;
}

struct watch *watch_find(const struct watch_table *table, pid_t pid)
{
	struct watch *watch;

	HASH_FIND_INT(table->by_pid, &pid, watch);
	return watch;
}

static bool is_root_itself(const struct watch_root *root, const struct sweep_entry *entry)
{
	return root->pid == entry->pid && root->start_time_ticks == entry->start_time_ticks;
}

/* The same program started again by the same user, after the end of all that we knew. */
static bool is_restart(const struct watch_root *root, const struct sweep_entry *entry)
{
	return !root->live && root->uid == entry->uid &&
	       root->cmdline_hash == entry->cmdline_hash &&
	       entry->start_time_ticks > root->start_time_ticks;
}

static int find_root(const struct watch_table *table, const struct sweep_entry *entry)
{
	const struct watch *parent = watch_find(table, entry->parent);

	/* A parent that is younger than its child got the PID after the real one. */
	if (parent && parent->root != WATCH_NO_ROOT &&
	    parent->start_time_ticks <= entry->start_time_ticks)
		return parent->root;
	for (size_t i = 0; i < table->roots_count; i++) {
		if (is_root_itself(&table->roots[i], entry) || is_restart(&table->roots[i], entry))
			return (int)i;
	}
	return WATCH_NO_ROOT;
}

static size_t count_user(const struct watch_table *table, uid_t uid)
{
	const struct watch *watch;
	size_t count = 0;

	for (watch = table->by_pid; watch; watch = watch->hh.next)
		count += watch->uid == uid;
	return count;
}

static bool has_room(const struct watch_table *table, uid_t uid)
{
	if (HASH_COUNT(table->by_pid) >= WATCH_MAX)
		return false;
	return uid == 0 || count_user(table, uid) < WATCH_MAX_PER_USER;
}

static int add(struct watch_table *table, const struct sweep_entry *entry, int root)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return -ENOMEM;
	watch->pid = watch->visit.pid = entry->pid;
	watch->start_time_ticks = watch->visit.start_time_ticks = entry->start_time_ticks;
	watch->uid = entry->uid;
	watch->cmdline_hash = entry->cmdline_hash;
	watch->root = root;
	watch->visit.lost = PICTURE_UNKNOWN;
	watch->shown.rss_bytes = watch->shown.inuse_bytes = PICTURE_UNKNOWN;
	watch->visit.facts.rss_bytes = watch->visit.facts.inuse_bytes = PICTURE_UNKNOWN;
	if (root != WATCH_NO_ROOT)
		table->roots[root].live++;
	HASH_ADD_INT(table->by_pid, pid, watch);
	return 0;
}

static bool was_skipped(const struct sweep *sweep, pid_t pid)
{
	for (size_t i = 0; i < sweep->skip_count; i++) {
		if (sweep->skip[i] == pid)
			return true;
	}
	return false;
}

/* What is known already: still there, and still the same? */
static void update(struct watch_table *table, const struct sweep *sweep)
{
	struct watch *watch;

	for (watch = table->by_pid; watch; watch = watch->hh.next) {
		const struct sweep_entry *entry = sweep_find(sweep, watch->pid);

		if (was_skipped(sweep, watch->pid))
			continue;
		if (!entry || entry->start_time_ticks != watch->start_time_ticks) {
			watch->gone = true;
			continue;
		}
		if (entry->cmdline_hash == watch->cmdline_hash && entry->uid == watch->uid)
			continue;
		watch->cmdline_hash = entry->cmdline_hash;
		watch->uid = entry->uid;
		watch->changed = true;
	}
}

int watch_merge(struct watch_table *table, const struct sweep *sweep)
{
	int count = 0;

	table->refused = 0;
	update(table, sweep);
	for (size_t i = 0; i < sweep->count; i++) {
		const struct sweep_entry *entry = &sweep->entries[i];
		int root, r;

		if (watch_find(table, entry->pid) || was_skipped(sweep, entry->pid))
			continue;
		root = find_root(table, entry);
		if (root == WATCH_NO_ROOT && !entry->matches)
			continue;
		if (!has_room(table, entry->uid)) {
			table->refused++;
			continue;
		}
		r = add(table, entry, root);
		if (r)
			return r;
		count++;
	}
	return count;
}

void watch_remove(struct watch_table *table, struct watch *watch)
{
	if (watch->root != WATCH_NO_ROOT)
		table->roots[watch->root].live--;
	HASH_DEL(table->by_pid, watch);
	for (struct visit_render *r = watch->waiting, *next; r; r = next) {
		next = r->next;
		visit_render_free(r);
	}
	visit_fini(&watch->visit);
	visit_facts_fini(&watch->shown);
	free(watch);
}

void watch_table_fini(struct watch_table *table)
{
	struct watch *watch, *next;

	HASH_ITER (hh, table->by_pid, watch, next)
		watch_remove(table, watch);
}
