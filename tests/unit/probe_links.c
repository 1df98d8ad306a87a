/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe/links.h"
#include "probe/links_process.h"
#include "probe/programs.h"

#include "events.skel.h"

struct loaded {
	struct events *bpf;
	struct ring ring;
	struct links *links;
};

static void unload(struct loaded *l)
{
	links_freep(&l->links);
	if (l->bpf)
		programs_free(l->bpf, &l->ring);
	*l = (struct loaded){ 0 };
}

/* False: no rights, or a kernel before 6.6. */
static bool load(struct loaded *l)
{
	*l = (struct loaded){ 0 };
	if (programs_open(SESSION_LINK_MULTI, 2 * RING_SLACK, &l->bpf) ||
	    programs_load(l->bpf, &l->ring)) {
		unload(l);
		return false;
	}
	assert_int_equal(programs_links(l->bpf, SESSION_LINK_MULTI, &l->links), 0);
	return true;
}

static void nothing_is_freed(void **state)
{
	struct links *links = NULL;

	links_freep(&links);
	assert_null(links);
}

/* The kernel refuses a file that is not there, and no half a link remains. */
static void a_failure_leaves_nothing(void **state)
{
	uint64_t offset = 0, cookie = 0;
	struct links_batch batch = { .program = LINKS_ON_EMPTY,
				     .path = "/nonexistent",
				     .pid = getpid(),
				     .offsets = &offset,
				     .cookies = &cookie,
				     .count = 1 };
	struct loaded l;

	if (!load(&l))
		skip();
	assert_int_equal(links_add(l.links, LINKS_PASSING, &batch), -ENOENT);
	assert_int_equal(links_held(l.links), 0);
	assert_int_equal(links_queue(l.links, LINKS_HOT, &batch), 0);
	l.bpf->bss->lease.hits_most = UINT64_MAX;
	assert_int_equal(links_open_window(l.links, LINKS_PATIENCE_NS, 1, false, NULL), -ENOENT);
	assert_int_equal(l.bpf->bss->enabled, 0);
	batch.count = 0;
	assert_int_equal(links_add(l.links, LINKS_PASSING, &batch), 0);
	batch.count = SITES_MAX + 1;
	assert_int_equal(links_add(l.links, LINKS_PASSING, &batch), -E2BIG);
	unload(&l);
}

/* A window without places: what is of interest is when it ends. */
static void a_lease_ends(void **state)
{
	struct events_lease *lease;
	struct loaded l;
	uint64_t since;

	if (!load(&l))
		skip();
	lease = &l.bpf->bss->lease;
	lease->hits_most = 100;
	lease->end_ns = UINT64_MAX;
	assert_int_equal(links_open_window(l.links, 10000000000ull, 1, false, &since), 0);
	assert_int_equal(links_open_window(l.links, 10000000000ull, 1, false, NULL), -EALREADY);
	assert_int_equal(l.bpf->bss->enabled, 1);
	__atomic_store_n(&l.bpf->bss->hits[7], 100, __ATOMIC_SEQ_CST);
	for (int i = 0; i < 2000 && !__atomic_load_n(&lease->ended_ns, __ATOMIC_SEQ_CST); i++)
		usleep(1000);
	assert_true(lease->ended_ns > since);
	assert_int_equal(lease->closing_hits, 100);
	assert_int_equal(links_close_window(l.links), 0);
	assert_int_equal(l.bpf->bss->enabled, 0);

	lease->hits_most = UINT64_MAX;
	lease->until_ns = 0;
	assert_int_equal(links_open_window(l.links, 50000000, 1, false, &since), 0);
	for (int i = 0; i < 2000 && !__atomic_load_n(&lease->ended_ns, __ATOMIC_SEQ_CST); i++)
		usleep(1000);
	assert_true(lease->ended_ns >= since + 50000000);
	assert_int_equal(links_close_window(l.links), 0);
	unload(&l);
}

static pid_t child(void)
{
	char path[64], text[64];
	FILE *f;
	int pid = 0;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	f = fopen(path, "re");
	if (f && fgets(text, sizeof(text), f))
		pid = atoi(text);
	if (f)
		fclose(f);
	return pid;
}

/* Whoever ends it is found out, and the next start makes a new one. */
static void the_end_of_the_other_is_seen(void **state)
{
	struct loaded l, again;

	if (!load(&l))
		skip();
	assert_true(links_is_alive(l.links));
	assert_true(child() > 0);
	kill(child(), SIGKILL);
	for (int i = 0; i < 2000 && links_is_alive(l.links); i++)
		usleep(1000);
	assert_false(links_is_alive(l.links));
	assert_int_equal(links_clear(l.links, LINKS_PASSING), -EPIPE);
	assert_true(load(&again));
	assert_true(links_is_alive(again.links));
	unload(&again);
	unload(&l);
}

/* Nobody but us has a use for it: whoever stops it does not stop us. */
static void one_that_is_stopped_goes_on(void **state)
{
	struct loaded l;

	if (!load(&l))
		skip();
	kill(child(), SIGSTOP);
	assert_int_equal(links_clear(l.links, LINKS_PASSING), 0);
	unload(&l);
}

static int teardown(void **state)
{
	links_process_stop();
	return child() || waitpid(-1, NULL, 0) != -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_freed),
		cmocka_unit_test(a_failure_leaves_nothing),
		cmocka_unit_test(a_lease_ends),
		cmocka_unit_test(the_end_of_the_other_is_seen),
		cmocka_unit_test(one_that_is_stopped_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
