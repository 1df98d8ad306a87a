/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <event2/event.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"
#include "daemon/threads.h"

struct task {
	struct threads_job job;
	int pipe; /* what it waits for; -1: nothing */
	volatile bool ran;
	bool done;
};

static struct event_base *base;
static int pending;

static void run(struct threads_job *job)
{
	struct task *task = (struct task *)job;
	char byte;

	if (task->pipe >= 0)
		assert_int_equal(read(task->pipe, &byte, 1), 1);
	task->ran = true;
}

static void done(struct threads_job *job)
{
	struct task *task = (struct task *)job;

	assert_true(task->ran);
	task->done = true;
	if (!--pending)
		event_base_loopbreak(base);
}

static void submit(struct threads *threads, struct task *task, int pipe)
{
	*task = (struct task){ .job = { .run = run, .done = done }, .pipe = pipe };
	pending++;
	threads_submit(threads, &task->job);
}

static void more_jobs_than_threads(void **state)
{
	struct task tasks[50];
	struct threads *threads;

	base = event_base_new();
	assert_int_equal(threads_new(base, 3, &threads), 0);
	for (size_t i = 0; i < ARRAY_SIZE(tasks); i++)
		submit(threads, &tasks[i], -1);
	event_base_dispatch(base);
	for (size_t i = 0; i < ARRAY_SIZE(tasks); i++)
		assert_true(tasks[i].done);
	assert_true(threads_stop(threads, NSEC_PER_SEC));
	threads_free(threads);
	event_base_free(base);
}

static volatile pid_t ran_by;

static void run_here(struct threads_job *job)
{
	struct task *task = (struct task *)job;

	ran_by = gettid();
	task->ran = true;
}

/* Else malloc keeps what a thread has freed for as long as there is work. */
static void a_thread_is_replaced(void **state)
{
	uint64_t end = clock_monotonic() + 60 * NSEC_PER_SEC;
	struct threads *threads;
	struct task task;
	pid_t first = 0;

	base = event_base_new();
	assert_int_equal(threads_new(base, 1, &threads), 0);
	do {
		task = (struct task){ .job = { .run = run_here, .done = done }, .pipe = -1 };
		pending = 1;
		threads_submit(threads, &task.job);
		event_base_dispatch(base);
		first = first ?: ran_by;
		usleep(10000);
	} while (ran_by == first && clock_monotonic() < end);
	assert_int_not_equal(ran_by, first);
	assert_true(threads_stop(threads, 5 * NSEC_PER_SEC));
	threads_free(threads);
	event_base_free(base);
}

static void found(struct threads_job *job, void *arg)
{
	*(struct threads_job **)arg = job;
}

static void one_that_hangs(void **state)
{
	struct threads_job *stuck = NULL;
	struct task hangs, good;
	struct threads *threads;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	base = event_base_new();
	assert_int_equal(threads_new(base, 1, &threads), 0);
	submit(threads, &hangs, fds[0]);
	while (!threads_check(threads, NSEC_PER_MSEC, found, &stuck))
		usleep(1000);
	assert_ptr_equal(stuck, &hangs.job);
	assert_int_equal(threads_check(threads, NSEC_PER_MSEC, NULL, NULL),
			 1); /* still, and told of once */

	/* Another thread does the work meanwhile. */
	pending = 0;
	submit(threads, &good, -1);
	event_base_dispatch(base);
	assert_true(good.done);
	assert_false(hangs.done);
	assert_false(threads_stop(threads, 10 * NSEC_PER_MSEC));

	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_true(threads_stop(threads, 5 * NSEC_PER_SEC));
	assert_false(hangs.done); /* stopped: nobody is told any more */
	threads_free(threads);
	event_base_free(base);
	close(fds[0]);
	close(fds[1]);
}

static void it_comes_back_late(void **state)
{
	struct task hangs;
	struct threads *threads;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	base = event_base_new();
	assert_int_equal(threads_new(base, 1, &threads), 0);
	pending = 0;
	submit(threads, &hangs, fds[0]);
	while (!threads_check(threads, NSEC_PER_MSEC, NULL, NULL))
		usleep(1000);
	assert_int_equal(write(fds[1], "x", 1), 1);
	event_base_dispatch(base);
	assert_true(hangs.done);
	assert_int_equal(threads_check(threads, NSEC_PER_MSEC, NULL, NULL), 0);
	assert_true(threads_stop(threads, NSEC_PER_SEC));
	threads_free(threads);
	event_base_free(base);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(more_jobs_than_threads),
		cmocka_unit_test(a_thread_is_replaced),
		cmocka_unit_test(one_that_hangs),
		cmocka_unit_test(it_comes_back_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
