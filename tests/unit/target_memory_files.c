/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/util.h"
#include "target/memory.h"
#include "target/memory_files.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define PAGES 8
#define PAGE 4096u

/* A child that maps a file and writes to page 1. It reads none: the kernel would map the neighbours
 * as well. */
static uint8_t *at;
static pid_t child;
static struct process *proc;

static void touch_more(int number)
{
	at[2 * PAGE] = 'Y';
}

static int start_child(void **state)
{
	char path[] = "/tmp/pymemtop-XXXXXX";
	struct error err = {};
	int fd = mkstemp(path), ready[2];
	char byte;

	assert_true(fd >= 0 && !pipe(ready));
	for (int i = 0; i < PAGES; i++) {
		uint8_t page[PAGE];

		memset(page, 'a' + i, sizeof(page));
		assert_int_equal(write(fd, page, sizeof(page)), sizeof(page));
	}
	at = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	assert_true(at != MAP_FAILED);
	child = fork();
	if (!child) {
		at[PAGE] = 'X';
		signal(SIGUSR1, touch_more);
		if (write(ready[1], "", 1) == 1)
			for (;;)
				pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(process_open(child, &proc, &err), 0);
	unlink(path);
	close(fd);
	return 0;
}

static int end_child(void **state)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	process_freep(&proc);
	munmap(at, PAGES * PAGE);
	return 0;
}

/* Pages of the mapping that the child has. */
static int resident(void)
{
	_cleanup_close_ int fd = process_open_file(proc, "pagemap");
	uint64_t entries[PAGES];
	int count = 0;

	assert_int_equal(pread(fd, entries, sizeof(entries), (off_t)((uintptr_t)at / PAGE * 8)),
			 sizeof(entries));
	for (int i = 0; i < PAGES; i++)
		count += entries[i] >> 63;
	return count;
}

static void untouched_pages_stay_untouched(void **state)
{
	_cleanup_maps_ struct maps *maps = NULL;
	_cleanup_memory_ struct memory *mem = NULL, *clone = NULL;
	cleanup(memory_files_freep) struct memory_files *files = NULL;
	uint8_t buf[PAGES * PAGE], one[2];
	struct memory_piece pieces[2] = { { (uintptr_t)at + 6 * PAGE - 1, one, 2, 0 },
					  { (uintptr_t)at + PAGE, buf, 1, 0 } };
	int before = resident();

	assert_int_equal(before, 1);
	assert_int_equal(maps_read(proc, &maps), 0);
	assert_int_equal(memory_live_new(child, &mem), 0);
	assert_int_equal(memory_files_new(proc, maps, &files), 0);
	memory_live_spare(mem, files);
	assert_int_equal(memory_clone(mem, &clone), 0);

	assert_int_equal(memory_read(clone, (uintptr_t)at, buf, sizeof(buf)), 0);
	for (int i = 0; i < PAGES; i++)
		assert_int_equal(buf[i * PAGE], i == 1 ? 'X' : 'a' + i);
	assert_int_equal(memory_read_batch(mem, pieces, 2), 2);
	assert_memory_equal(one, "fg", 2);
	assert_int_equal(buf[0], 'X');
	assert_int_equal(resident(), before);
}

/* That a page was not there is never remembered. */
static void what_is_written_meanwhile_is_read(void **state)
{
	_cleanup_maps_ struct maps *maps = NULL;
	_cleanup_memory_ struct memory *mem = NULL;
	cleanup(memory_files_freep) struct memory_files *files = NULL;
	uint8_t buf[PAGES * PAGE];

	assert_int_equal(maps_read(proc, &maps), 0);
	assert_int_equal(memory_live_new(child, &mem), 0);
	assert_int_equal(memory_files_new(proc, maps, &files), 0);
	memory_live_spare(mem, files);
	assert_int_equal(memory_read(mem, (uintptr_t)at, buf, sizeof(buf)), 0);
	assert_int_equal(buf[2 * PAGE], 'c');
	assert_true(memory_files_spares(files, (uintptr_t)at + 2 * PAGE));
	kill(child, SIGUSR1);
	for (int i = 0; i < 10000 && resident() < 2; i++)
		usleep(1000);
	assert_false(memory_files_spares(files, (uintptr_t)at + 2 * PAGE));
	assert_int_equal(memory_read(mem, (uintptr_t)at, buf, sizeof(buf)), 0);
	for (int i = 0; i < PAGES; i++)
		assert_int_equal(buf[i * PAGE], i == 1 ? 'X' : i == 2 ? 'Y' : 'a' + i);
	assert_int_equal(resident(), 2);
}

static void without_it_they_would_not(void **state)
{
	_cleanup_memory_ struct memory *mem = NULL;
	uint8_t buf[PAGES * PAGE];

	assert_int_equal(memory_live_new(child, &mem), 0);
	assert_int_equal(memory_read(mem, (uintptr_t)at, buf, sizeof(buf)), 0);
	assert_int_equal(resident(), PAGES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(untouched_pages_stay_untouched, start_child,
						end_child),
		cmocka_unit_test_setup_teardown(what_is_written_meanwhile_is_read, start_child,
						end_child),
		cmocka_unit_test_setup_teardown(without_it_they_would_not, start_child, end_child),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
