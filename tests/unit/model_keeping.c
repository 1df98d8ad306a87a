/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/util.h"
#include "model/keeping.h"
#include "probe_target.h"

static void open_and_close(struct session *session)
{
	assert_int_equal(session_attach(session, NULL), 0);
	session_detach(session);
}

/* From what is hit in some windows follows who stays; what drops them is paid for. */
static void what_is_not_hit_stays_and_goes_with_a_fork(void **state)
{
	_cleanup_plan_ struct plan *plan = NULL;
	_cleanup_session_ struct session *session = NULL;
	static struct keeping k;
	static struct spending s = { .hit_ns = 1000, .cost = { .turn_ns = 1000 } };
	struct session_options options = { .ring_records = 1 << 16 };
	struct session_stats stats;
	struct probe_target t;
	double spent;
	size_t all;

	if (!probe_target_start(&t, NULL))
		skip();
	assert_int_equal(probe_target_plan(&t, &plan, NULL), 0);
	options.pid = s.pid = t.pid;
	if (session_new(plan, &options, &session, NULL)) {
		probe_target_stop(&t);
		skip();
	}
	session_stats(session, &stats);
	if (stats.link != SESSION_LINK_MULTI) {
		probe_target_stop(&t);
		skip();
	}
	all = session_turns(session).open;
	assert_int_equal(spending_limit(&s, 0.02, all, &stats), 0);
	s.budget.config.ran = 1;
	keeping_init(&k, &s, plan->sites.count, true);
	assert_true(s.budget.hurry);
	assert_int_equal(session_look(session, 0, plan->sites.count, 10000000, 100), 0);
	keeping_looked(&k, session, 0, plan->sites.count);
	for (int window = 0; window < 4; window++) {
		assert_false(session_has_kept(session));
		assert_int_equal(session_attach(session, NULL), 0);
		assert_true(probe_target_work(&t));
		keeping_closing(&k, &s, session);
		session_detach(session);
		keeping_closed(&k, session);
	}
	assert_false(s.budget.hurry);
	assert_true(session_has_kept(session));
	assert_true(session_turns(session).open < all);
	keeping_step(&k, &s, session);
	assert_true(k.has_kept);
	spent = s.budget.spent_ns;
	keeping_forked(&k, &s, session);
	assert_false(session_has_kept(session));
	assert_false(k.has_kept);
	assert_true(s.budget.spent_ns > spent);
	spent = s.budget.spent_ns;
	keeping_step(&k, &s, session);
	assert_true(s.budget.spent_ns == spent);
	/* The division stands: they stay again after the next window. */
	open_and_close(session);
	assert_true(session_has_kept(session));
	probe_target_stop(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_hit_stays_and_goes_with_a_fork),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
