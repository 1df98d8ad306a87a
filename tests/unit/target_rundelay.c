/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "target/rundelay.h"

static void our_own_never_shrinks(void **state)
{
	uint64_t before, after;
	int r = rundelay_read(getpid(), &before);

	if (r == -ENOTSUP)
		skip();
	assert_int_equal(r, 0);
	for (volatile int i = 0; i < 1000000; i++)
		;
	assert_int_equal(rundelay_read(getpid(), &after), 0);
	assert_true(after >= before);
}

static void who_is_gone_has_none(void **state)
{
	uint64_t ns = 7;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	assert_int_equal(rundelay_read(pid, &ns), -ESRCH);
	assert_int_equal(ns, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_own_never_shrinks),
		cmocka_unit_test(who_is_gone_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
