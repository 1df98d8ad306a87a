/* SPDX-License-Identifier: BSD-2-Clause */
/* Real links are made by tests/unit/probe_links.c and all that attaches. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe/links_make.h"

static void no_places_no_link(void **state)
{
	struct links_request request = { .count = 0 };
	struct links_fds fds = { 0 };

	assert_int_equal(links_make(&fds, &request, -1, false), 0);
	assert_int_equal(links_make(&fds, &request, -1, true), 0);
	assert_int_equal(fds.count, 0);
	links_make_undone(&fds);
}

/* Neither kind takes what is no program. */
static void what_fails_is_not_held(void **state)
{
	struct links_request request = { .count = 2, .pid = getpid(), .path = "/proc/self/exe" };
	struct links_fds fds = { 0 };

	assert_true(links_make(&fds, &request, -1, false) < 0);
	assert_true(links_make(&fds, &request, -1, true) < 0);
	assert_int_equal(fds.count, 0);
	links_make_undone(&fds);
	assert_null(fds.list);
}

/* Few are closed side by side, many one after the other: all of them. */
static void all_are_closed(void **state)
{
	static const size_t counts[] = { 1, 2, 8, 9, 40 };

	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		struct links_fds fds = { .list = malloc(counts[i] * sizeof(int)),
					 .count = counts[i] };
		int copy[40];

		for (size_t j = 0; j < counts[i]; j++)
			fds.list[j] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		memcpy(copy, fds.list, counts[i] * sizeof(int));
		assert_true(copy[counts[i] - 1] >= 0);
		links_make_undone(&fds);
		for (size_t j = 0; j < counts[i]; j++)
			assert_int_equal(fcntl(copy[j], F_GETFD), -1);
		assert_int_equal(fds.count, 0);
	}
}

static void groups_are_closed_together(void **state)
{
	struct links_fds groups[3] = { 0 };
	struct links_fds *list[] = { &groups[0], &groups[1], &groups[2] };
	int copy[4];

	for (size_t i = 0; i < 4; i++) {
		struct links_fds *group = &groups[i / 2 * 2]; /* the one between has none */

		assert_int_equal(links_make_grow(group, 1), 0);
		copy[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		group->list[group->count++] = copy[i];
	}
	links_make_undone_together(list, 3);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(fcntl(copy[i], F_GETFD), -1);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(groups[i].count, 0);
	links_make_undone_together(list, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_places_no_link),
		cmocka_unit_test(what_fails_is_not_held),
		cmocka_unit_test(all_are_closed),
		cmocka_unit_test(groups_are_closed_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
