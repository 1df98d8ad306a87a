/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "target/elf.h"

/* What the tests look up in this very program. */
uint64_t elf_test_marker = 0x6d61726b6d61726b;
int elf_test_function(int n);

__attribute__((noinline)) int elf_test_function(int n)
{
	return n * 3 + (int)elf_test_marker;
}

static void *read_whole(const char *path, size_t *len)
{
	_cleanup_close_ int fd = open(path, O_RDONLY);
	struct stat st;
	char *data;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	data = malloc((size_t)st.st_size);
	assert_int_equal(read(fd, data, (size_t)st.st_size), st.st_size);
	*len = (size_t)st.st_size;
	return data;
}

static uint64_t own_bias(void)
{
	/* Of the main program: the first in the list of the dynamic linker. */
	return _r_debug.r_map->l_addr;
}

static void knows_our_own_program(void **state)
{
	_cleanup_elf_ struct elf *elf = NULL;
	struct elf_symbol sym;
	struct elf_function fn;
	struct elf_section section;
	uint64_t offset, seen;
	const void *bytes;

	assert_int_equal(elf_open_path("/proc/self/exe", &elf), 0);
	assert_string_equal(elf_path(elf), "/proc/self/exe");
	assert_false(elf_is_stripped(elf));
	assert_true(elf_is_program(elf));
	assert_true(strlen(elf_build_id(elf)) >= 32);

	assert_true(elf_has_symbol(elf, "elf_test_marker"));
	assert_true(elf_find_symbol(elf, "elf_test_marker", &sym));
	assert_true(sym.value + own_bias() == (uint64_t)&elf_test_marker);
	assert_int_equal(sym.size, 8);
	bytes = elf_bytes(elf, sym.value, 8);
	assert_non_null(bytes);
	memcpy(&seen, bytes, 8);
	assert_true(seen == 0x6d61726b6d61726b);
	assert_true(elf_offset_of(elf, sym.value, &offset));

	assert_true(elf_find_symbol(elf, "elf_test_function", &sym));
	assert_string_equal(elf_symbol_at(elf, sym.value + sym.size - 1), "elf_test_function");
	assert_null(elf_symbol_at(elf, UINT64_MAX));
	assert_true(elf_find_function(elf, sym.value, &fn));
	assert_true(fn.start == sym.value && fn.end == sym.value + sym.size);
	assert_true(elf_find_function(elf, sym.value + sym.size - 1, &fn));
	assert_true(fn.start == sym.value);

	assert_true(elf_find_section(elf, ".text", &section));
	assert_true(sym.value >= section.addr && sym.value < section.addr + section.size);
	assert_non_null(section.data);
	assert_true(elf_find_section(elf, ".bss", &section));
	assert_null(section.data);
}

static void says_no_where_there_is_nothing(void **state)
{
	_cleanup_elf_ struct elf *elf = NULL;
	struct elf_symbol sym = { .value = 42 };
	struct elf_section section;
	struct elf_function fn;
	uint64_t offset;

	assert_int_equal(elf_open_path("/proc/self/exe", &elf), 0);
	assert_false(elf_has_symbol(elf, "elf_test_marke"));
	assert_false(elf_find_symbol(elf, "elf_test_markers", &sym));
	assert_false(elf_find_symbol(elf, "", &sym));
	assert_int_equal(sym.value, 42);
	/* Undefined here, defined in libc. */
	assert_false(elf_find_symbol(elf, "waitpid", &sym));
	assert_false(elf_find_section(elf, ".nothing", &section));
	assert_false(elf_find_function(elf, 0, &fn));
	assert_false(elf_find_function(elf, UINT64_MAX, &fn));
	assert_false(elf_offset_of(elf, UINT64_MAX, &offset));
	assert_null(elf_bytes(elf, 0, SIZE_MAX));
	assert_null(elf_bytes(elf, UINT64_MAX - 3, 8));
}

static void knows_a_library(void **state)
{
	_cleanup_elf_ struct elf *elf = NULL;
	_cleanup_process_ struct process *proc = NULL;
	_cleanup_maps_ struct maps *maps = NULL;
	const struct mapping *map;
	struct elf_symbol sym;
	uint64_t bias;

	assert_int_equal(process_open(getpid(), &proc, NULL), 0);
	assert_int_equal(maps_read(proc, &maps), 0);
	map = maps_find(maps, (uint64_t)_r_debug.r_brk);
	assert_non_null(map);
	assert_int_equal(elf_open_mapping(proc, map, &elf), 0);
	assert_false(elf_is_fixed(elf));
	bias = elf_bias(elf, maps, map);
	assert_true(bias == _r_debug.r_ldbase);
	/* The function that debuggers stop at (link.h). */
	assert_true(elf_find_symbol(elf, "_dl_debug_state", &sym));
	assert_true(bias + sym.value == _r_debug.r_brk);
	assert_true(elf_find_symbol(elf, "_dl_debug_state@@GLIBC_PRIVATE", &sym));
	assert_true(bias + sym.value == _r_debug.r_brk);
}

/* Every mapping of the file gives the same bias: of code, of data, and of what RELRO splits off. */
static void bias_is_the_same_from_every_mapping(void **state)
{
	_cleanup_elf_ struct elf *elf = NULL;
	_cleanup_process_ struct process *proc = NULL;
	_cleanup_maps_ struct maps *maps = NULL;
	size_t seen = 0;

	assert_int_equal(process_open(getpid(), &proc, NULL), 0);
	assert_int_equal(maps_read(proc, &maps), 0);
	assert_int_equal(
		elf_open_mapping(proc, maps_find(maps, (uint64_t)&elf_test_function), &elf), 0);
	for (size_t i = 0; i < maps->count; i++)
		if (streq(maps->list[i].path, proc->exe)) {
			assert_true(elf_bias(elf, maps, &maps->list[i]) == own_bias());
			seen++;
		}
	assert_true(seen >= 4);
}

/* A running copy of this program whose file is gone, or replaced by another. */
static pid_t start_copy(char *path)
{
	_cleanup_free_ char *data = NULL;
	size_t len;
	int fd = mkstemp(path), ready[2];
	pid_t child;
	char byte;

	data = read_whole("/proc/self/exe", &len);
	assert_int_equal(write(fd, data, len), len);
	assert_int_equal(fchmod(fd, 0700), 0);
	close(fd);
	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		dup2(ready[1], 3);
		execl(path, path, "--wait", NULL);
		_exit(127);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return child;
}

static void opens_deleted_and_replaced_files(void **state)
{
	char path[] = "/tmp/target_elf.XXXXXX";
	_cleanup_process_ struct process *proc = NULL;
	_cleanup_maps_ struct maps *maps = NULL;
	_cleanup_elf_ struct elf *elf = NULL;
	pid_t child = start_copy(path);
	const struct mapping *map = NULL;
	int fd;

	/* Another file under the same name must not be taken for it. */
	assert_int_equal(unlink(path), 0);
	fd = open(path, O_CREAT | O_WRONLY, 0700);
	assert_int_equal(write(fd, "#!/bin/false\n", 13), 13);
	close(fd);

	assert_int_equal(process_open(child, &proc, NULL), 0);
	assert_true(proc->exe_deleted);
	assert_string_equal(proc->exe, path);
	assert_int_equal(maps_read(proc, &maps), 0);
	for (size_t i = 0; i < maps->count && !map; i++)
		if (streq(maps->list[i].path, path) && maps->list[i].exec)
			map = &maps->list[i];
	assert_non_null(map);
	assert_true(map->deleted);
	assert_int_equal(elf_open_mapping(proc, map, &elf), 0);
	assert_true(elf_has_symbol(elf, "elf_test_marker"));

	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	unlink(path);
}

static void refuses_other_files(void **state)
{
	static const char text[] = "#!/bin/sh\n";
	struct elf *elf = NULL;
	size_t len;
	_cleanup_free_ unsigned char *data = read_whole("/proc/self/exe", &len);
	Elf64_Ehdr *header = (Elf64_Ehdr *)data;
	Elf64_Ehdr saved = *header;

	assert_int_equal(elf_open_path("/nonexistent", &elf), -ENOENT);
	assert_int_equal(elf_open_path("/dev/zero", &elf), -ENOEXEC);
	assert_int_equal(elf_open_path("/proc", &elf), -ENOEXEC);
	assert_int_equal(elf_open_buffer(text, sizeof(text), &elf), -ENOEXEC);
	assert_int_equal(elf_open_buffer("", 0, &elf), -ENOEXEC);

	header->e_machine = EM_AARCH64;
	assert_int_equal(elf_open_buffer(data, len, &elf), -ENOEXEC);
	*header = saved;
	header->e_type = ET_REL;
	assert_int_equal(elf_open_buffer(data, len, &elf), -ENOEXEC);
	*header = saved;
	header->e_ident[EI_CLASS] = ELFCLASS32;
	assert_int_equal(elf_open_buffer(data, len, &elf), -ENOEXEC);
	*header = saved;
	header->e_phnum = 0;
	assert_int_equal(elf_open_buffer(data, len, &elf), -ENOEXEC);
	assert_null(elf);
}

/* All that a caller may ask; nothing may crash. The result says whether the file was opened. */
static bool ask_all(const void *data, size_t len)
{
	_cleanup_elf_ struct elf *elf = NULL;
	struct elf_section section;
	struct elf_symbol sym = { 0 };
	struct elf_function fn;
	uint64_t offset;
	size_t count;
	const struct elf_segment *segs;

	if (elf_open_buffer(data, len, &elf) < 0)
		return false;
	elf_has_symbol(elf, "elf_test_marker");
	elf_find_symbol(elf, "elf_test_function", &sym);
	elf_find_section(elf, ".eh_frame", &section);
	elf_find_function(elf, sym.value, &fn);
	elf_offset_of(elf, sym.value, &offset);
	segs = elf_segments(elf, &count);
	for (size_t i = 0; i < count; i++) {
		const unsigned char *bytes = elf_bytes(elf, segs[i].vaddr, segs[i].filesz);

		/* What is handed out must be readable to its last byte. */
		if (bytes && segs[i].filesz)
			assert_true(bytes[segs[i].filesz - 1] <= 255);
	}
	return true;
}

static void survives_truncation(void **state)
{
	size_t len, headers;
	_cleanup_free_ unsigned char *data = read_whole("/proc/self/exe", &len);
	Elf64_Ehdr header;

	memcpy(&header, data, sizeof(header));
	headers = header.e_phoff + header.e_phnum * sizeof(Elf64_Phdr);

	for (size_t cut = 0; cut < len; cut += cut < 4096 ? 7 : len / 97) {
		/* A copy of its own, so that a read behind the end is seen by the sanitizer. */
		_cleanup_free_ void *copy = malloc(cut ? cut : 1);

		memcpy(copy, data, cut);
		if (ask_all(copy, cut))
			assert_true(cut >= headers);
	}
	assert_true(ask_all(data, len));
}

static void survives_corruption(void **state)
{
	size_t len;
	_cleanup_free_ unsigned char *data = read_whole("/proc/self/exe", &len);
	_cleanup_free_ unsigned char *copy = malloc(len);
	Elf64_Ehdr header;
	/* Where damage hurts most: headers, section headers, symbols, unwind tables. */
	uint64_t seed = 12345;

	memcpy(&header, data, sizeof(header));
	for (size_t round = 0; round < 400; round++) {
		memcpy(copy, data, len);
		for (size_t k = 0; k < 8; k++) {
			size_t at;

			seed = seed * 6364136223846793005u + 1442695040888963407u;
			at = (seed >> 33) % len;
			if (k < 2)
				at = 16 + (seed >> 33) % 0x400;
			else if (k < 5)
				at = header.e_shoff + (seed >> 33) % (header.e_shnum * 64u);
			copy[at % len] = (unsigned char)(seed >> 25);
		}
		ask_all(copy, len);
	}
}

static int wait_for_parent(void)
{
	if (write(3, "", 1) != 1)
		return 1;
	for (;;)
		pause();
}

static void trimmed_and_asked_again(void **state)
{
	struct elf_symbol before, after;
	struct elf_function function;
	struct elf *elf;

	assert_int_equal(elf_open_path("/proc/self/exe", &elf), 0);
	assert_true(elf_find_symbol(elf, "elf_trim", &before));
	for (int i = 0; i < 3; i++) {
		elf_trim(elf);
		assert_true(elf_find_symbol(elf, "elf_trim", &after));
		assert_int_equal(after.value, before.value);
		assert_true(elf_find_function(elf, before.value, &function));
		assert_int_equal(function.start, before.value);
	}
	elf_free(elf);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_our_own_program),
		cmocka_unit_test(says_no_where_there_is_nothing),
		cmocka_unit_test(knows_a_library),
		cmocka_unit_test(bias_is_the_same_from_every_mapping),
		cmocka_unit_test(opens_deleted_and_replaced_files),
		cmocka_unit_test(refuses_other_files),
		cmocka_unit_test(survives_truncation),
		cmocka_unit_test(trimmed_and_asked_again),
		cmocka_unit_test(survives_corruption),
	};

	if (argc == 2 && streq(argv[1], "--wait"))
		return wait_for_parent();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
