/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "probe/session_private.h"
#include "probe_target.h"

static int on_event(const struct session_event *event, void *arg)
{
	size_t *allocs = arg;

	*allocs += event->kind == EVENT_ALLOC;
	return 0;
}

/* Returns how many allocations were recorded. */
static size_t drain(struct session *session)
{
	size_t allocs = 0;

	while (session_consume(session, on_event, &allocs, 1000) > 0)
		;
	return allocs;
}

/* False: nothing can be traced here, or not so. */
static bool begin(struct probe_target *t, struct plan **plan, struct session **session)
{
	struct session_options options = { .ring_records = 1 << 16 };
	struct session_stats stats = { .link = SESSION_LINK_PERF };

	if (!probe_target_start(t, NULL))
		return false;
	assert_int_equal(probe_target_plan(t, plan, NULL), 0);
	options.pid = t->pid;
	if (!session_new(*plan, &options, session, NULL))
		session_stats(*session, &stats);
	if (stats.link != SESSION_LINK_MULTI)
		probe_target_stop(t);
	return stats.link == SESSION_LINK_MULTI;
}

/* The target's lists are made at some sites only: all others may stay, and see nothing between
 * windows. */
static void what_is_cold_stays(void **state)
{
	_cleanup_plan_ struct plan *plan = NULL;
	_cleanup_session_ struct session *session = NULL;
	struct session_stats stats;
	struct probe_target t;
	bool cold[SITES_MAX] = { false };
	size_t all, hot = 0;

	if (!begin(&t, &plan, &session))
		skip();
	all = session_turns(session).open;
	assert_int_equal(session_turns(session).close, all);
	assert_int_equal(session_attach(session, NULL), 0);
	assert_true(probe_target_work(&t));
	session_detach(session);
	assert_false(session_has_kept(session));
	drain(session);
	for (size_t i = 0; i < plan->sites.count; i++) {
		cold[i] = !session_site_hits(session, i);
		hot += !cold[i];
	}
	assert_int_equal(session_divide(session, cold, UINT64_MAX), 0);
	assert_int_equal(session_turns(session).open, all);
	assert_in_range(session_turns(session).close, hot, hot + 2);
	for (int window = 0; window < 3; window++) {
		assert_int_equal(session_attach(session, NULL), 0);
		assert_in_range(session_turns(session).close, hot, hot + 2);
		assert_true(probe_target_work(&t));
		session_detach(session);
		assert_true(session_has_kept(session));
		assert_in_range(session_turns(session).open, hot, hot + 2);
		assert_in_range(drain(session), 1000, 2000);
		assert_true(probe_target_work(&t));
		assert_int_equal(drain(session), 0);
	}
	session_stats(session, &stats);
	assert_int_equal(stats.links, 1);
	/* In the midst of a window: it is the last that leaves them. */
	assert_int_equal(session_attach(session, NULL), 0);
	assert_int_equal(session_divide(session, cold, 0), 0);
	session_detach(session);
	session_stats(session, &stats);
	assert_int_equal(stats.links, 0);
	probe_target_stop(&t);
}

/* Without anybody having looked; the next window has them all again. */
static void what_is_hit_too_often_goes(void **state)
{
	_cleanup_plan_ struct plan *plan = NULL;
	_cleanup_session_ struct session *session = NULL;
	struct session_stats stats;
	struct probe_target t;
	bool cold[SITES_MAX];

	if (!begin(&t, &plan, &session))
		skip();
	for (size_t i = 0; i < plan->sites.count; i++)
		cold[i] = true;
	assert_int_equal(session_divide(session, cold, 100), 0);
	assert_int_equal(session_attach(session, NULL), 0);
	session_detach(session);
	for (int i = 0; i < 1000 && session_has_kept(session); i++) {
		assert_true(probe_target_work(&t));
		usleep(1000);
	}
	assert_false(session_has_kept(session));
	assert_int_equal(session_attach(session, NULL), 0);
	assert_true(probe_target_work(&t));
	session_detach(session);
	assert_in_range(drain(session), 1000, 2000);
	assert_int_equal(session_drop_kept(session), 0);
	session_stats(session, &stats);
	assert_int_equal(stats.links, 0);
	assert_int_equal(stats.lost, 0);
	probe_target_stop(&t);
}

/* A program has changed, and all are hot until more is known: nothing stays, and windows go on. */
static void where_nothing_is_cold_nothing_stays(void **state)
{
	_cleanup_plan_ struct plan *plan = NULL;
	_cleanup_session_ struct session *session = NULL;
	const bool cold[SITES_MAX] = { false };
	struct probe_target t;

	if (!begin(&t, &plan, &session))
		skip();
	assert_int_equal(session_divide(session, cold, 100), 0);
	for (int window = 0; window < 3; window++) {
		assert_int_equal(session_attach(session, NULL), 0);
		assert_true(probe_target_work(&t));
		session_detach(session);
		assert_false(session_has_kept(session));
		assert_in_range(drain(session), 1000, 2000);
	}
	probe_target_stop(&t);
}

/* It believes that there are some, and is told that there are none. */
static void what_is_gone_comes_again(void **state)
{
	_cleanup_plan_ struct plan *plan = NULL;
	_cleanup_session_ struct session *session = NULL;
	struct probe_target t;

	if (!begin(&t, &plan, &session))
		skip();
	session->has_kept = true;
	assert_int_equal(session_attach(session, NULL), 0);
	assert_true(probe_target_work(&t));
	session_detach(session);
	assert_in_range(drain(session), 1000, 2000);
	probe_target_stop(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_cold_stays),
		cmocka_unit_test(what_is_hit_too_often_goes),
		cmocka_unit_test(where_nothing_is_cold_nothing_stays),
		cmocka_unit_test(what_is_gone_comes_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
