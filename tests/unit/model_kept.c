/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "model/kept.h"

#define LONG_NS 1000000000

/* A child that answers a byte and waits for the next. */
struct child {
	pid_t pid;
	int fd;
	struct process *proc;
};

static void start(struct child *child)
{
	int fds[2];
	char byte;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	child->pid = fork();
	if (!child->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(fds[0]);
		while (read(fds[1], &byte, 1) == 1 && write(fds[1], &byte, 1) == 1)
			;
		_exit(0);
	}
	close(fds[1]);
	child->fd = fds[0];
	assert_int_equal(process_open(child->pid, &child->proc, NULL), 0);
}

static void finish(struct child *child)
{
	close(child->fd);
	waitpid(child->pid, NULL, 0);
	process_freep(&child->proc);
}

static void ask(struct child *child)
{
	char byte = 'x';

	assert_int_equal(write(child->fd, &byte, 1), 1);
	assert_int_equal(read(child->fd, &byte, 1), 1);
}

/* When it has gone to sleep, two looks at it are the same. */
static struct kept_mark mark_asleep(const struct child *child)
{
	struct kept_mark before = kept_mark(child->proc), mark = before;

	for (int i = 0; i < 200; i++) {
		usleep(20000);
		before = mark;
		mark = kept_mark(child->proc);
		if (running_is_same(&before.running, &mark.running))
			break;
	}
	return mark;
}

static struct heap *make_heap(uint64_t duration_ns)
{
	struct heap *heap = calloc(1, sizeof(*heap));

	heap->duration_ns = duration_ns;
	return heap;
}

static void holds_until_the_process_runs(void **state)
{
	struct kept kept = { 0 };
	struct kept_mark mark;
	struct child child;
	struct heap *heap;

	start(&child);
	mark = mark_asleep(&child);
	heap = make_heap(LONG_NS);
	assert_ptr_equal(kept_put(&kept, &mark, heap), heap);
	kept_trim(&kept);
	if (mark.known) {
		struct kept_mark now = kept_mark(child.proc);

		assert_ptr_equal(kept_find(&kept, child.proc, &now), heap);
		ask(&child);
		now = kept_mark(child.proc);
		assert_null(kept_find(&kept, child.proc, &now));
	}
	kept_drop(&kept);
	finish(&child);
	if (!mark.known)
		skip();
}

static void what_was_read_fast_is_not_kept(void **state)
{
	const struct kept_mark mark = { .known = true };
	struct kept kept = { 0 };

	kept_put(&kept, &mark, make_heap(1000));
	kept_trim(&kept);
	assert_null(kept.heap);
}

static void nor_what_takes_much_room(void **state)
{
	const struct kept_mark mark = { .known = true };
	struct kept kept = { 0 };

	kept_put(&kept, &mark, make_heap(LONG_NS));
	assert_true(kept_lasts(&kept));
	kept.heap->types = calloc(KEPT_TYPES_MAX + 1, sizeof(*kept.heap->types));
	kept.heap->types_count = KEPT_TYPES_MAX + 1;
	assert_false(kept_lasts(&kept));
	kept_trim(&kept);
	assert_null(kept.heap);
}

static void nor_what_was_cut_off_or_may_have_moved(void **state)
{
	const struct kept_mark mark = { .known = true }, unknown = { 0 };
	struct kept kept = { 0 };
	struct heap *cut = make_heap(LONG_NS);

	cut->interrupted = true;
	kept_put(&kept, &mark, cut);
	kept_trim(&kept);
	assert_null(kept.heap);
	kept_put(&kept, &unknown, make_heap(LONG_NS));
	kept_trim(&kept);
	assert_null(kept.heap);
}

static void a_page_less_is_a_change(void **state)
{
	struct kept_mark mark = { .known = true, .resident_pages = 8 };
	struct kept kept = { 0 };

	kept_put(&kept, &mark, make_heap(LONG_NS));
	assert_non_null(kept_find(&kept, NULL, &mark));
	mark.resident_pages--;
	assert_null(kept_find(&kept, NULL, &mark));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_until_the_process_runs),
		cmocka_unit_test(what_was_read_fast_is_not_kept),
		cmocka_unit_test(nor_what_takes_much_room),
		cmocka_unit_test(nor_what_was_cut_off_or_may_have_moved),
		cmocka_unit_test(a_page_less_is_a_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
