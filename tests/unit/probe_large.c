/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <errno.h>

#include "probe/large.h"

/* Results of libc on their way to the counter at 0x440(%r13), as gcc lays them out. */
__asm__(".text\n"
	".globl probe_large_sample\n"
	".type probe_large_sample, @function\n"
	"probe_large_sample:\n"
	"	.cfi_startproc\n"
	"	call probe_large_libc\n" /* two ways lead to one counter, over a load */
	"	mov %rax, %rbx\n"
	"	test %rax, %rax\n"
	"	je 9f\n" /* found */
	"1:	mov (%r14), %eax\n"
	"	addq $1, 0x440(%r13)\n"
	"	ret\n"
	"	call *%rdx\n"
	"	test %rax, %rax\n"
	"	jne 1b\n" /* found */
	"	ret\n"
	"	call probe_large_libc\n" /* kept on the stack, below the frame pointer */
	"	mov %rax, -0x70(%rbp)\n"
	"	cmpq $0, -0x70(%rbp)\n"
	"	je 9f\n" /* found */
	"	movslq 0x1c(%r12), %rax\n"
	"	movdqa -0x60(%rbp), %xmm0\n"
	"	incq 0x440(%r13)\n"
	"	ret\n"
	"	call probe_large_small\n" /* a small block that is counted as well */
	"	test %rax, %rax\n"
	"	je 9f\n"
	"	addq $1, 0x440(%r13)\n"
	"	ret\n"
	"	mov (%rdx), %rax\n" /* not what a function returns */
	"	test %rax, %rax\n"
	"	je 9f\n"
	"	addq $1, 0x440(%r13)\n"
	"	ret\n"
	"	call *%rdx\n" /* another counter */
	"	test %rax, %rax\n"
	"	je 9f\n"
	"	addq $1, 0x448(%r13)\n"
	"	ret\n"
	"	call probe_large_libc\n" /* a move of a block: one more and one less */
	"	test %rax, %rax\n"
	"	jne 9f\n" /* found where small blocks are counted */
	"9:	ret\n"
	"	.cfi_endproc\n"
	".size probe_large_sample, . - probe_large_sample\n"
	".globl probe_large_unseen\n"
	".type probe_large_unseen, @function\n"
	"probe_large_unseen:\n"
	"	.cfi_startproc\n"
	"	mov (%rdi), %rax\n"
	"	addq $1, 0x440(%r13)\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size probe_large_unseen, . - probe_large_unseen\n"
	".globl probe_large_libc\n"
	".type probe_large_libc, @function\n"
	"probe_large_libc:\n"
	"	.cfi_startproc\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size probe_large_libc, . - probe_large_libc\n"
	".globl probe_large_small\n"
	".type probe_large_small, @function\n"
	"probe_large_small:\n"
	"	.cfi_startproc\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size probe_large_small, . - probe_large_small\n");

struct fixture {
	struct elf *elf;
	struct code *code;
	struct sites sites;
	struct large_counter counter;
};

static struct elf_function function(const struct fixture *f, const char *name)
{
	struct elf_symbol symbol;
	struct elf_function fn;

	assert_true(elf_find_symbol(f->elf, name, &symbol));
	assert_true(elf_find_function(f->elf, symbol.value, &fn));
	return fn;
}

static void look(struct fixture *f, bool small)
{
	struct site site = { .role = SITE_BLOCK };
	struct elf_function fn;

	assert_int_equal(elf_open_path("/proc/self/exe", &f->elf), 0);
	assert_int_equal(code_new(f->elf, &f->code), 0);
	fn = function(f, "probe_large_small");
	site.function = small ? fn.start : fn.start + 1;
	assert_int_equal(sites_add(&f->sites, &site), 0);
	fn = function(f, "probe_large_sample");
	assert_int_equal(large_find_counter(f->code, &fn, &f->sites, &f->counter), 0);
	assert_int_equal(large_find(f->code, &f->counter, &f->sites), 0);
}

static void look_no_more(struct fixture *f)
{
	sites_clear(&f->sites);
	code_free(f->code);
	elf_free(f->elf);
}

static const struct site *nth(const struct fixture *f, size_t n, bool rejected)
{
	for (size_t i = 0; i < f->sites.count; i++)
		if (f->sites.list[i].role == SITE_LARGE &&
		    !!f->sites.list[i].rejected == rejected && n-- == 0)
			return &f->sites.list[i];
	return NULL;
}

static void every_way_to_the_counter_is_found(void **state)
{
	struct fixture f = { 0 };
	struct elf_function unseen;

	look(&f, true);
	assert_int_equal(f.counter.address, 0);
	assert_int_equal(f.counter.disp, 0x440);
	for (size_t i = 0; i < 4; i++) {
		assert_non_null(nth(&f, i, false));
		assert_true(nth(&f, i, false)->emulated);
	}
	assert_null(nth(&f, 4, false));
	assert_int_equal(nth(&f, 0, false)->reg, 0);
	assert_int_equal(nth(&f, 2, false)->reg, 5);
	assert_int_equal(nth(&f, 2, false)->disp, -0x70);
	assert_int_equal(nth(&f, 2, false)->flags, SITE_IN_MEMORY);
	unseen = function(&f, "probe_large_unseen");
	assert_non_null(nth(&f, 1, true));
	assert_int_equal(nth(&f, 1, true)->function, unseen.start);
	assert_null(nth(&f, 2, true));
	look_no_more(&f);
}

/* From 3.9 on only large blocks are counted: a call that no counter follows is somebody else's. */
static void only_large_blocks_are_counted(void **state)
{
	struct fixture f = { 0 };

	look(&f, false);
	assert_non_null(nth(&f, 3, false)); /* the small one now is one like any other */
	assert_null(nth(&f, 4, false));
	look_no_more(&f);
}

/* As --with-pydebug has it: through a register, which a valgrind build also keeps. Once it counts
 * by 2, once somewhere else. */
__asm__(".text\n"
	".globl probe_large_stored\n"
	".type probe_large_stored, @function\n"
	"probe_large_stored:\n"
	"	.cfi_startproc\n"
	"	call probe_large_libc\n"
	"	test %rax, %rax\n"
	"	je 8f\n"
	"	mov 0x550(%r15), %rdx\n"
	"	add $2, %rdx\n"
	"	mov %rdx, 0x550(%r15)\n"
	"	mov 0x558(%r15), %rdx\n"
	"	add $1, %rdx\n"
	"	mov %rdx, 0x560(%r15)\n"
	"	call probe_large_libc\n"
	"	test %rax, %rax\n"
	".globl probe_large_branch\n"
	"probe_large_branch:\n"
	"	je 8f\n"
	"	mov 0x570(%r15), %rdx\n"
	"	mov %rdx, -0x28(%rbp)\n"
	"	lea 0x1(%rdx), %rcx\n"
	"	mov %rcx, 0x570(%r15)\n"
	"8:	ret\n"
	"	.cfi_endproc\n"
	".size probe_large_stored, . - probe_large_stored\n");

static void a_counter_in_a_register(void **state)
{
	struct fixture f = { 0 };
	struct elf_symbol branch;
	struct elf_function fn;

	assert_int_equal(elf_open_path("/proc/self/exe", &f.elf), 0);
	assert_int_equal(code_new(f.elf, &f.code), 0);
	fn = function(&f, "probe_large_stored");
	assert_int_equal(large_find_counter(f.code, &fn, &f.sites, &f.counter), 0);
	assert_int_equal(f.counter.disp, 0x570);
	assert_int_equal(large_find(f.code, &f.counter, &f.sites), 0);
	assert_int_equal(f.sites.count, 1);
	assert_true(elf_find_symbol(f.elf, "probe_large_branch", &branch));
	assert_int_equal(f.sites.list[0].vaddr, branch.value);
	assert_null(f.sites.list[0].rejected);
	look_no_more(&f);
}

static void no_counter(void **state)
{
	struct fixture f = { 0 };
	struct elf_function fn;

	look(&f, true);
	fn = function(&f, "probe_large_libc");
	assert_int_equal(large_find_counter(f.code, &fn, &f.sites, &f.counter), -ENOENT);
	look_no_more(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_way_to_the_counter_is_found),
		cmocka_unit_test(only_large_blocks_are_counted),
		cmocka_unit_test(a_counter_in_a_register),
		cmocka_unit_test(no_counter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
