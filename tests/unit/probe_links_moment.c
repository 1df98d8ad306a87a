/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "probe/links_moment.h"

#include "events.skel.h"

#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void hits_are_weighed_and_summed(void **state)
{
	static struct events__bss shared;

	shared.hits[3] = 5;
	shared.hits[SITE_INDEX_FRESH] = 10;
	assert_int_equal(links_hits(&shared), 15);
	shared.lease.fresh_extra = 256; /* twice as dear */
	assert_int_equal(links_hits(&shared), 25);
}

static void *hit(void *arg)
{
	struct events__bss *shared = arg;

	while (!__atomic_load_n(&shared->growth_enabled, __ATOMIC_RELAXED))
		__atomic_add_fetch(&shared->hits[1], 1, __ATOMIC_RELAXED);
	return NULL;
}

static void who_is_hit_runs(void **state)
{
	static struct events__bss shared;
	pthread_t thread;
	bool found = false;

	assert_false(links_is_hit(&shared));
	assert_int_equal(pthread_create(&thread, NULL, hit, &shared), 0);
	for (int i = 0; !found && i < 100000; i++)
		found = links_is_hit(&shared);
	shared.growth_enabled = 1;
	pthread_join(thread, NULL);
	assert_true(found);
}

static void an_end_comes_after_its_beginning(void **state)
{
	static struct events__bss shared = { .enabled = 1 };
	static struct events_moment begin, end;

	links_note_begin(&shared, getpid(), &begin);
	assert_int_equal(shared.enabled, 1);
	shared.hits[7] = 9;
	links_note_end(&shared, getpid(), &end);
	assert_int_equal(shared.enabled, 0);
	assert_int_equal(begin.hits[7], 0);
	assert_int_equal(end.hits[7], 9);
	assert_true(end.ns > begin.ns);
	assert_true(end.cpu_ns >= begin.cpu_ns && begin.cpu_ns > 0);
	assert_true(end.waited_ns >= begin.waited_ns);
}

/* With two CPUs, one is left to whom we look at: here, ourselves. */
static void one_stands_aside(void **state)
{
	cpu_set_t all, now;

	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	links_stand_aside(getpid(), &all);
	assert_int_equal(sched_getaffinity(0, sizeof(now), &now), 0);
	if (CPU_COUNT(&all) > 1)
		assert_int_equal(CPU_COUNT(&now), CPU_COUNT(&all) - 1);
	else
		assert_true(CPU_EQUAL(&now, &all));
	links_stand_aside(-1, &all); /* gone: nothing changes */
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hits_are_weighed_and_summed),
		cmocka_unit_test(who_is_hit_runs),
		cmocka_unit_test(an_end_comes_after_its_beginning),
		cmocka_unit_test(one_stands_aside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
