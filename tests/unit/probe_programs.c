/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>
#include <sys/types.h>

#include "probe/kernel.h"
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

/* Where links have cookies nothing is to be said of places. */
static void places_are_for_kernels_without_cookies(void **state)
{
	struct events *programs = NULL;
	struct ring ring = { 0 };

	if (kernel_try(KERNEL_COOKIE))
		skip();
	assert_int_equal(programs_open(SESSION_LINK_PERF, 1024, &programs), 0);
	assert_int_equal(
		programs_place(programs, 0x1000, (struct site_cookie){ .role = SITE_FREE }), 0);
	programs_free(programs, &ring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_that_cannot_work_are_refused),
		cmocka_unit_test(a_loaded_ring_is_empty_and_ours),
		cmocka_unit_test(places_are_for_kernels_without_cookies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
