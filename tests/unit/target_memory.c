/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "target/memory.h"
#include "target/smaps.h"

#define PAGE 4096u

/* Two segments that touch at 0x2000 and one apart at 0x9000; each byte is its address modulo 251.
 */
static unsigned char first[0x1000], second[0x1000], third[0x10];

static struct memory *make_buffer(void)
{
	struct memory *mem = NULL;

	for (size_t i = 0; i < sizeof(first); i++) {
		first[i] = (0x1000 + i) % 251;
		second[i] = (0x2000 + i) % 251;
	}
	memset(third, 3, sizeof(third));
	assert_int_equal(memory_buffer_new(0x9000, third, sizeof(third), &mem), 0);
	assert_int_equal(memory_buffer_add(mem, 0x1000, first, sizeof(first)), 0);
	assert_int_equal(memory_buffer_add(mem, 0x2000, second, sizeof(second)), 0);
	return mem;
}

static void buffer_reads_across_segments(void **state)
{
	_cleanup_memory_ struct memory *mem = make_buffer();
	unsigned char buf[0x2000];
	uint32_t u32;

	assert_int_equal(memory_read(mem, 0x1000, buf, sizeof(buf)), 0);
	for (size_t i = 0; i < sizeof(buf); i++)
		assert_int_equal(buf[i], (0x1000 + i) % 251);
	assert_int_equal(memory_read_u32(mem, 0x9000, &u32), 0);
	assert_int_equal(u32, 0x03030303);
}

static void buffer_faults(void **state)
{
	_cleanup_memory_ struct memory *mem = make_buffer();
	unsigned char buf[0x100];
	uint64_t u64 = 42;

	assert_int_equal(memory_read(mem, 0x2fff, buf, 2), -EFAULT);
	assert_int_equal(memory_read(mem, 0xfff, buf, 2), -EFAULT);
	assert_int_equal(memory_read(mem, 0x9010, buf, 1), -EFAULT);
	assert_int_equal(memory_read_u64(mem, 0x9009, &u64), -EFAULT);
	assert_int_equal(u64, 42);
	assert_int_equal(memory_read_some(mem, 0x2ff0, buf, sizeof(buf)), 0x10);
	assert_int_equal(memory_read_some(mem, 0x5000, buf, sizeof(buf)), 0);
}

static void buffer_refuses_overlap(void **state)
{
	_cleanup_memory_ struct memory *mem = make_buffer();
	char byte;

	assert_int_equal(memory_buffer_add(mem, 0x1fff, &byte, 1), -EINVAL);
	assert_int_equal(memory_buffer_add(mem, 0x0fff, first, 2), -EINVAL);
	assert_int_equal(memory_buffer_add(mem, 0x8ff8, first, 0x1000), -EINVAL);
	assert_int_equal(memory_buffer_add(mem, UINT64_MAX, first, 2), -EINVAL);
	assert_int_equal(memory_buffer_add(mem, 0x3000, first, 0x1000), 0);
}

static void addresses_are_checked(void **state)
{
	_cleanup_memory_ struct memory *buffer = make_buffer(), *live = NULL;
	char buf[16];

	assert_int_equal(memory_live_new(getpid(), &live), 0);
	for (size_t i = 0; i < 2; i++) {
		struct memory *mem = i ? live : buffer;

		assert_int_equal(memory_read(mem, UINT64_MAX - 7, buf, 16), -EFAULT);
		assert_int_equal(memory_read(mem, 0x800000000000, buf, 1), -EFAULT);
		assert_int_equal(memory_read(mem, 0x7ffffffffff8, buf, 16), -EFAULT);
		assert_int_equal(memory_read(mem, 0x1000, buf, SIZE_MAX), -EFAULT);
		assert_int_equal(memory_read_some(mem, 0xffff800000000000, buf, 16), 0);
		assert_int_equal(memory_get_stats(mem).calls, 0);
	}
}

static void buffer_batch_with_faults_between(void **state)
{
	_cleanup_memory_ struct memory *mem = make_buffer();
	unsigned char out[5][8];
	struct memory_piece pieces[] = {
		{ .addr = 0x1000, .buf = out[0], .len = 8, .got = 77 },
		{ .addr = 0x7000, .buf = out[1], .len = 8, .got = 77 },
		{ .addr = 0x1ffc, .buf = out[2], .len = 8, .got = 77 },
		{ .addr = UINT64_MAX, .buf = out[3], .len = 8, .got = 77 },
		{ .addr = 0x9000, .buf = out[4], .len = 8, .got = 77 },
	};
	struct memory_stats stats;

	assert_int_equal(memory_read_batch(mem, pieces, ARRAY_SIZE(pieces)), 3);
	assert_int_equal(pieces[0].got, 8);
	assert_int_equal(pieces[1].got, 0);
	assert_int_equal(pieces[2].got, 8);
	assert_int_equal(pieces[3].got, 0);
	assert_int_equal(pieces[4].got, 8);
	assert_int_equal(out[2][4], 0x2000 % 251);
	stats = memory_get_stats(mem);
	assert_int_equal(stats.bytes_read, 24);
	assert_int_equal(stats.faults, 2);
}

static void strings(void **state)
{
	_cleanup_memory_ struct memory *mem = NULL;
	char data[PAGE + 8], buf[64];

	memset(data, 'x', sizeof(data));
	memcpy(data + PAGE - 4, "far away", 8);
	memcpy(data + 16, "near", 5);
	assert_int_equal(memory_buffer_new(0x1000, data, sizeof(data) - 4, &mem), 0);
	assert_int_equal(memory_read_string(mem, 0x1010, buf, sizeof(buf)), 4);
	assert_string_equal(buf, "near");
	/* Longer than the buffer: cut, terminated. */
	assert_int_equal(memory_read_string(mem, 0x1020, buf, 8), 7);
	assert_string_equal(buf, "xxxxxxx");
	/* Runs into what is not mapped. */
	assert_int_equal(memory_read_string(mem, 0x1ffc, buf, sizeof(buf)), -EFAULT);
	assert_string_equal(buf, "far away");
	assert_int_equal(memory_read_string(mem, 0x1ffc, buf, 1), 0);
	assert_int_equal(memory_read_string(mem, 0x1ffc, buf, 0), -EINVAL);
}

/* Three pages of ours, the middle one not mapped. */
static unsigned char *pages_with_hole(void)
{
	unsigned char *p =
		mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	memset(p, 'a', PAGE);
	memset(p + 2 * PAGE, 'c', PAGE);
	assert_int_equal(munmap(p + PAGE, PAGE), 0);
	return p;
}

static void live_reads_ourselves(void **state)
{
	_cleanup_memory_ struct memory *mem = NULL;
	unsigned char *p = pages_with_hole();
	unsigned char buf[3 * PAGE];
	uint64_t secret = 0x1122334455667788, seen = 0, at = (uint64_t)p;

	assert_int_equal(memory_live_new(getpid(), &mem), 0);
	assert_int_equal(memory_get_stats(mem).calls, 0);
	assert_int_equal(memory_read_u64(mem, (uint64_t)&secret, &seen), 0);
	assert_true(seen == secret);
	assert_int_equal(memory_get_stats(mem).calls, 1);
	assert_int_equal(memory_get_stats(mem).bytes_read, 8);

	assert_int_equal(memory_read(mem, at + PAGE - 8, buf, 16), -EFAULT);
	assert_int_equal(memory_read_some(mem, at + 5, buf, sizeof(buf)), PAGE - 5);
	assert_int_equal(buf[PAGE - 6], 'a');
	assert_int_equal(memory_read_some(mem, at + PAGE, buf, 8), 0);
	assert_int_equal(memory_get_stats(mem).faults, 3);
	munmap(p, 3 * PAGE);
}

static void live_batch_is_one_call(void **state)
{
	static struct memory_piece pieces[1500];
	static uint64_t out[1500], in[1500];
	_cleanup_memory_ struct memory *mem = NULL;

	assert_int_equal(memory_live_new(getpid(), &mem), 0);
	for (size_t i = 0; i < 1500; i++) {
		in[i] = i * i;
		pieces[i] =
			(struct memory_piece){ .addr = (uint64_t)&in[i], .buf = &out[i], .len = 8 };
	}
	assert_int_equal(memory_read_batch(mem, pieces, 1024), 1024);
	assert_int_equal(memory_get_stats(mem).calls, 1);
	assert_int_equal(memory_read_batch(mem, pieces, 1500), 1500);
	assert_int_equal(memory_get_stats(mem).calls, 3);
	assert_memory_equal(in, out, sizeof(in));
	assert_int_equal(memory_get_stats(mem).bytes_read, (1024 + 1500) * 8);
	assert_int_equal(memory_get_stats(mem).faults, 0);
}

static void live_batch_goes_on_behind_faults(void **state)
{
	_cleanup_memory_ struct memory *mem = NULL;
	unsigned char *p = pages_with_hole();
	unsigned char out[6][16];
	uint64_t at = (uint64_t)p;
	struct memory_piece pieces[] = {
		{ .addr = at + PAGE, .buf = out[0], .len = 16 }, /* first is a fault */
		{ .addr = at, .buf = out[1], .len = 16 },
		{ .addr = at + PAGE - 8, .buf = out[2], .len = 16 }, /* half mapped */
		{ .addr = at + PAGE, .buf = out[3], .len = 16 },
		{ .addr = at + 2 * PAGE, .buf = out[4], .len = 16 },
		{ .addr = at + 2 * PAGE, .buf = out[5], .len = 0 },
	};

	assert_int_equal(memory_live_new(getpid(), &mem), 0);
	assert_int_equal(memory_read_batch(mem, pieces, ARRAY_SIZE(pieces)), 3);
	assert_int_equal(pieces[0].got, 0);
	assert_int_equal(pieces[1].got, 16);
	assert_int_equal(pieces[2].got, 0);
	assert_int_equal(pieces[3].got, 0);
	assert_int_equal(pieces[4].got, 16);
	assert_int_equal(out[1][15], 'a');
	assert_int_equal(out[4][15], 'c');
	assert_int_equal(memory_get_stats(mem).bytes_read, 32);
	assert_int_equal(memory_get_stats(mem).faults, 3);
	munmap(p, 3 * PAGE);
}

static void clones_count_for_themselves(void **state)
{
	_cleanup_memory_ struct memory *mem = make_buffer(), *copy = NULL;
	uint64_t u64;

	assert_int_equal(memory_read_u64(mem, 0x1000, &u64), 0);
	assert_int_equal(memory_clone(mem, &copy), 0);
	assert_int_equal(memory_get_stats(copy).bytes_read, 0);
	assert_int_equal(memory_read_u64(copy, 0x1ffc, &u64), 0);
	assert_int_equal(memory_get_stats(copy).bytes_read, 8);
	assert_int_equal(memory_get_stats(mem).bytes_read, 8);
	/* Independent of what is added to the other. */
	assert_int_equal(memory_buffer_add(copy, 0x3000, first, 8), 0);
	assert_int_equal(memory_read_u64(mem, 0x3000, &u64), -EFAULT);
}

/* Bytes of the mapping at @addr that process @pid has for itself. */
static uint64_t private_bytes(pid_t pid, uint64_t addr)
{
	cleanup(process_freep) struct process *proc = NULL;
	cleanup(smaps_freep) struct smaps *smaps = NULL;
	struct error err = {};

	assert_int_equal(process_open(pid, &proc, &err), 0);
	assert_int_equal(smaps_read(proc, &smaps), 0);
	for (size_t i = 0; i < smaps->count; i++)
		if (smaps->list[i].start <= addr && addr < smaps->list[i].end)
			return smaps->list[i].private_bytes;
	fail_msg("no mapping at %llx", (unsigned long long)addr);
	return 0;
}

static void what_fork_shares_stays_shared(void **state)
{
	/* Inaccessible pages around: it merges with nothing. */
	unsigned char *p = mmap(NULL, 18 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	_cleanup_memory_ struct memory *mem = NULL, *copy = NULL;
	unsigned char out[16 * PAGE];
	pid_t child;

	assert_true(p != MAP_FAILED);
	p += PAGE;
	assert_int_equal(mprotect(p, 16 * PAGE, PROT_READ | PROT_WRITE), 0);
	memset(p, 'a', 16 * PAGE);
	child = fork();
	if (child == 0) {
		pause();
		_exit(0);
	}
	assert_int_equal(memory_live_new(child, &mem), 0);
	assert_int_equal(memory_live_keep_shared(mem), 0);
	assert_int_equal(memory_clone(mem, &copy), 0);
	assert_int_equal(memory_read(mem, (uint64_t)p, out, 8 * PAGE), 0);
	assert_int_equal(memory_read(copy, (uint64_t)p + 8 * PAGE, out + 8 * PAGE, 8 * PAGE), 0);
	assert_memory_equal(out, p, sizeof(out));
	assert_int_equal(private_bytes(child, (uint64_t)p), 0);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	munmap(p - PAGE, 18 * PAGE);
}

static void the_dead_are_no_process(void **state)
{
	_cleanup_memory_ struct memory *mem = NULL, *late = NULL;
	struct memory_piece piece = { .addr = (uint64_t)&piece, .buf = (char[1]){ 0 }, .len = 1 };
	pid_t child = fork();
	char byte;

	if (child == 0) {
		pause();
		_exit(0);
	}
	assert_int_equal(memory_live_new(child, &mem), 0);
	assert_int_equal(memory_read(mem, (uint64_t)&byte, &byte, 1), 0);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(memory_read(mem, (uint64_t)&byte, &byte, 1), -ESRCH);
	assert_int_equal(memory_read_some(mem, (uint64_t)&byte, &byte, 1), -ESRCH);
	assert_int_equal(memory_read_batch(mem, &piece, 1), -ESRCH);
	assert_int_equal(memory_live_new(child, &late), -ESRCH);
	assert_null(late);
}

/* As on a kernel without CONFIG_CROSS_MEMORY_ATTACH; for the calling process, for good. */
static bool forbid_process_vm_readv(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = ARRAY_SIZE(code), .filter = code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* Exit status of a child that reads itself through /proc/PID/mem. */
static int read_through_file(void)
{
	_cleanup_memory_ struct memory *mem = NULL, *copy = NULL;
	unsigned char *p =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char buf[64];
	uint64_t at = (uint64_t)p;
	struct memory_piece pieces[] = {
		{ .addr = at + PAGE, .buf = buf, .len = 8 },
		{ .addr = at + 8, .buf = buf, .len = 8 },
	};

	memset(p, 'f', PAGE);
	munmap(p + PAGE, PAGE);
	if (!forbid_process_vm_readv())
		return 10;
	if (memory_live_new(getpid(), &mem) != 0 || memory_clone(mem, &copy) != 0)
		return 11;
	if (memory_read(copy, at, buf, 64) != 0 || buf[63] != 'f')
		return 12;
	if (memory_read(mem, at + PAGE - 8, buf, 16) != -EFAULT)
		return 13;
	if (memory_read_some(mem, at + PAGE - 8, buf, 16) != 8)
		return 14;
	if (memory_read_batch(mem, pieces, 2) != 1 || pieces[0].got != 0 || pieces[1].got != 8)
		return 15;
	return 0;
}

static void falls_back_to_the_file(void **state)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(read_through_file());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buffer_reads_across_segments),
		cmocka_unit_test(buffer_faults),
		cmocka_unit_test(buffer_refuses_overlap),
		cmocka_unit_test(addresses_are_checked),
		cmocka_unit_test(buffer_batch_with_faults_between),
		cmocka_unit_test(strings),
		cmocka_unit_test(live_reads_ourselves),
		cmocka_unit_test(live_batch_is_one_call),
		cmocka_unit_test(live_batch_goes_on_behind_faults),
		cmocka_unit_test(clones_count_for_themselves),
		cmocka_unit_test(what_fork_shares_stays_shared),
		cmocka_unit_test(the_dead_are_no_process),
		cmocka_unit_test(falls_back_to_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
