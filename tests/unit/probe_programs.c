/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>
#include <sys/types.h>

#include "probe/programs.h"

static void sizes_that_cannot_work_are_refused(void **state)
{
	struct events *programs = NULL;

	assert_int_equal(programs_open(SESSION_LINK_PERF, RING_SLACK, &programs), -EINVAL);
	assert_int_equal(programs_open(SESSION_LINK_PERF, 1000, &programs), -EINVAL);
	assert_null(programs);
}

static void a_loaded_ring_is_empty_and_ours(void **state)
{
	struct events *programs = NULL;
	struct ring ring = { 0 };
	int r;

	assert_int_equal(programs_open(SESSION_LINK_PERF, 1024, &programs), 0);
	r = programs_load(programs, &ring);
	if (r == -EPERM) {
		programs_free(programs, &ring);
		skip();
	}
	assert_int_equal(r, 0);
	assert_int_equal(ring.count, 1024);
	assert_null(ring_next(&ring));
	assert_int_equal(ring_backlog(&ring), 0);
	ring_release(&ring);
	programs_free(programs, &ring);
	assert_null(ring.places);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_that_cannot_work_are_refused),
		cmocka_unit_test(a_loaded_ring_is_empty_and_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
