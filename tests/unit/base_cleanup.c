/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <fcntl.h>
#include <stdbool.h>

#include "base/cleanup.h"

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void closes_what_is_not_taken(void **state)
{
	int left, taken;

	{
		_cleanup_close_ int a = open("/dev/null", O_RDONLY | O_CLOEXEC);
		_cleanup_close_ int b = open("/dev/null", O_RDONLY | O_CLOEXEC);
		_cleanup_close_ int never = -1;

		assert_true(is_open(a) && is_open(b));
		assert_false(is_open(never));
		left = a;
		taken = TAKE_FD(b);
		assert_int_equal(b, -1);
	}
	assert_false(is_open(left));
	assert_true(is_open(taken));
	close(taken);
}

static void frees_what_is_not_taken(void **state)
{
	char *taken;

	{
		_cleanup_free_ char *a = malloc(1);
		_cleanup_free_ char *b = malloc(1);

		assert_non_null(a);
		taken = TAKE_PTR(b);
		assert_null(b);
	}
	/* Under ASan a leak of a, or a freed b, would show. */
	assert_non_null(taken);
	*taken = 'x';
	free(taken);
}

struct thing {
	int *freed;
};

static void thing_free(struct thing *thing)
{
	(*thing->freed)++;
}

DEFINE_CLEANUP(struct thing, thing_free)

static void calls_the_destructor_once(void **state)
{
	int freed = 0;
	struct thing thing = { &freed };

	{
		cleanup(thing_freep) struct thing *owner = &thing;
		cleanup(thing_freep) struct thing *nobody = NULL;

		assert_non_null(owner);
		assert_null(nobody);
	}
	assert_int_equal(freed, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(closes_what_is_not_taken),
		cmocka_unit_test(frees_what_is_not_taken),
		cmocka_unit_test(calls_the_destructor_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
