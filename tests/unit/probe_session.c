/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>
#include <pthread.h>

#include "base/clock.h"
#include "probe/links.h"
#include "probe/session.h"
#include "probe_target.h"

struct seen {
	size_t allocs, others;
};

static int on_event(const struct session_event *event, void *arg)
{
	struct seen *seen = arg;

	if (event->kind == EVENT_ALLOC)
		seen->allocs++;
	else
		seen->others++;
	assert_true(event->addr > 4096);
	return 0;
}

static void drain(struct session *session, struct seen *seen)
{
	ssize_t n;

	*seen = (struct seen){ 0 };
	while ((n = session_consume(session, on_event, seen, 100)) > 0)
		assert_in_range(n, 1, 100);
	assert_int_equal(n, 0);
	assert_int_equal(session_backlog(session), 0);
}

/* Lists that the target makes while a window is open are seen; what it does otherwise is not. */
static void windows_open_and_close(void **state)
{
	_cleanup_plan_ struct plan *plan = NULL;
	_cleanup_session_ struct session *session = NULL;
	struct session_options options = { .ring_records = 1 << 16 };
	struct session_stats stats;
	struct probe_target t;
	struct error err = { 0 };
	struct seen seen;
	int r;

	if (!probe_target_start(&t, NULL))
		skip();
	assert_int_equal(probe_target_plan(&t, &plan, &err), 0);
	options.pid = t.pid;
	r = session_new(plan, &options, &session, &err);
	if (r == -EPERM) {
		assert_int_equal(err.exit_code, EXIT_NO_PERMISSION);
		probe_target_stop(&t);
		skip();
	}
	assert_int_equal(r, 0);
	for (int window = 0; window < 2; window++) {
		assert_int_equal(session_attach(session, &err), 0);
		assert_int_equal(session_attach(session, &err), -EALREADY);
		assert_true(probe_target_work(&t));
		session_detach(session);
		assert_false(session_is_attached(session));
		drain(session, &seen);
		assert_in_range(seen.allocs, 1000, 2000);
		assert_true(probe_target_work(&t));
		drain(session, &seen);
		assert_int_equal(seen.allocs + seen.others, 0);
	}
	session_stats(session, &stats);
	assert_int_equal(stats.windows, 2);
	assert_int_equal(stats.lost, 0);
	assert_int_equal(stats.links, 0);
	probe_target_stop(&t);
}

struct worker {
	struct probe_target *target;
	pthread_t thread;
	bool stop;
};

static void *work(void *arg)
{
	struct worker *w = arg;

	for (int i = 0; i < 1000 && !__atomic_load_n(&w->stop, __ATOMIC_SEQ_CST); i++) {
		probe_target_work(w->target);
		usleep(1000);
	}
	return NULL;
}

/* A look at sites says which are hit, and records nothing. */
static void a_look_counts_hits(void **state)
{
	_cleanup_plan_ struct plan *plan = NULL;
	_cleanup_session_ struct session *session = NULL;
	struct session_options options = { .ring_records = 1 << 16 };
	struct session_stats stats;
	struct probe_target t;
	struct worker worker = { .target = &t };
	struct seen seen;

	if (!probe_target_start(&t, NULL))
		skip();
	assert_int_equal(probe_target_plan(&t, &plan, NULL), 0);
	options.pid = t.pid;
	if (session_new(plan, &options, &session, NULL)) {
		probe_target_stop(&t);
		skip();
	}
	assert_int_equal(pthread_create(&worker.thread, NULL, work, &worker), 0);
	assert_int_equal(session_look(session, 0, SITES_MAX, 10000000000ull, 100), 0);
	__atomic_store_n(&worker.stop, true, __ATOMIC_SEQ_CST);
	pthread_join(worker.thread, NULL);
	session_stats(session, &stats);
	assert_true(stats.hits >= 100);
	assert_int_equal(stats.windows, 0);
	assert_int_equal(stats.links, 0);
	drain(session, &seen);
	assert_int_equal(seen.allocs + seen.others, 0);
	assert_int_equal(session_look(session, plan->sites.count, 1, 1, 1), 0);
	probe_target_stop(&t);
}

/* Whoever is not heard of loses its window: it is told, and may have the next. */
static void a_silent_one_loses_its_window(void **state)
{
	_cleanup_plan_ struct plan *plan = NULL;
	_cleanup_session_ struct session *session = NULL;
	struct session_options options = { .ring_records = 1 << 16 };
	struct session_stats stats;
	struct probe_target t;
	uint64_t began;

	if (!probe_target_start(&t, NULL))
		skip();
	assert_int_equal(probe_target_plan(&t, &plan, NULL), 0);
	options.pid = t.pid;
	if (session_new(plan, &options, &session, NULL)) {
		probe_target_stop(&t);
		skip();
	}
	assert_false(session_has_ended(session));
	began = clock_monotonic();
	assert_int_equal(session_attach(session, NULL), 0);
	assert_int_equal(session_look(session, 0, 1, 1, 1), -EBUSY);
	for (int i = 0; i < 10000 && !session_has_ended(session); i++)
		usleep(1000);
	assert_true(session_has_ended(session));
	assert_true(session_is_attached(session));
	assert_true(session_detach(session) >= began + LINKS_PATIENCE_NS);
	session_count_gap(session);
	session_stats(session, &stats);
	assert_int_equal(stats.lost, 1);
	assert_int_equal(stats.links, 0);
	assert_int_equal(session_attach(session, NULL), 0);
	session_detach(session);
	probe_target_stop(&t);
}

/* A ring that nobody empties loses records, and says how many. */
static void loss_is_counted(void **state)
{
	_cleanup_plan_ struct plan *plan = NULL;
	_cleanup_session_ struct session *session = NULL;
	struct session_options options = { .ring_records = 2 * RING_SLACK };
	struct session_stats stats;
	struct probe_target t;
	struct seen seen;

	if (!probe_target_start(&t, NULL))
		skip();
	assert_int_equal(probe_target_plan(&t, &plan, NULL), 0);
	options.pid = t.pid;
	if (session_new(plan, &options, &session, NULL)) {
		probe_target_stop(&t);
		skip();
	}
	assert_int_equal(session_attach(session, NULL), 0);
	assert_true(probe_target_work(&t));
	session_detach(session);
	drain(session, &seen);
	session_stats(session, &stats);
	assert_true(seen.allocs > 0 && seen.allocs < 1000);
	assert_true(stats.counts[EVENTS_LOST_RING] > 500);
	assert_int_equal(stats.lost, stats.counts[EVENTS_LOST_RING]);
	assert_int_equal(stats.counts[EVENTS_RECORDS], seen.allocs + seen.others);
	probe_target_stop(&t);
}

static void counters_have_names(void **state)
{
	for (int i = 0; i < EVENTS_COUNT_MAX; i++)
		assert_string_not_equal(session_count_name(i), "unknown");
	assert_string_equal(session_count_name(EVENTS_COUNT_MAX), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(windows_open_and_close),
		cmocka_unit_test(a_look_counts_hits),
		cmocka_unit_test(a_silent_one_loses_its_window),
		cmocka_unit_test(loss_is_counted),
		cmocka_unit_test(counters_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
