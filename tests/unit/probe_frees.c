/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "probe/frees.h"
#include "target/elf.h"

/* A free and a realloc as gcc 12 compiles them for 3.11, cut short; and a push that shares no
 * lookup. */
__asm__(".text\n"
	".type probe_frees_sample, @function\n"
	".globl probe_frees_sample\n"
	"probe_frees_sample:\n"
	"	.cfi_startproc\n"
	"	mov %rdi, %rdx\n"
	"	mov %rdi, %rax\n"
	"	shr $49, %rdx\n"
	"	and $-16384, %rax\n"
	"	mov (%r8,%rdx,8), %rcx\n"
	"	test %rcx, %rcx\n"
	".globl probe_frees_free\n"
	"probe_frees_free:\n"
	"	je 1f\n"
	"	mov 0x8(%rax), %rcx\n"
	"	mov %rcx, (%rdi)\n"
	"	mov (%rax), %esi\n"
	"	mov %rdi, 0x8(%rax)\n"
	"	test %rcx, %rcx\n"
	"	je 1f\n"
	"	ret\n"
	"1:	mov %rbx, %rax\n"
	"	shr $49, %rax\n"
	"	mov (%r8,%rax,8), %rdx\n"
	"	test %rdx, %rdx\n"
	".globl probe_frees_realloc\n"
	"probe_frees_realloc:\n"
	"	je 2f\n"
	"	mov 0x24(%rdi), %ebp\n"
	"	call probe_frees_sample\n"
	"	mov 0x8(%r13), %rdx\n"
	"	mov %rdx, (%rbx)\n"
	"	mov (%r13), %eax\n"
	"	mov %rbx, 0x8(%r13)\n"
	"	test %rdx, %rdx\n"
	".globl probe_frees_push\n"
	"probe_frees_push:\n"
	"	je 2f\n"
	"2:	ret\n"
	"	mov 0x10(%rsp), %rcx\n" /* the block is on the stack as well, and its register is
					    reused */
	"	mov %rcx, %rax\n"
	"	shr $49, %rax\n"
	"	mov (%r8,%rax,8), %rdx\n"
	"	test %rdx, %rdx\n"
	"	je 2b\n"
	"	and $0xfffff, %ecx\n"
	"	mov 0x10(%rsp), %rdx\n"
	"	mov 0x8(%rax), %rcx\n"
	"	mov %rcx, (%rdx)\n"
	"	mov %rdx, 0x8(%rax)\n"
	"	mov (%rax), %edx\n"
	"	test %rcx, %rcx\n"
	"	je 2b\n"
	"	mov %rsi, %rdi\n" /* the same, with a copy made before */
	"	mov %rsi, %rax\n"
	"	shr $49, %rax\n"
	"	mov (%r8,%rax,8), %rdx\n"
	"	test %rdx, %rdx\n"
	"	je 2b\n"
	"	and $0xfffff, %esi\n"
	"	mov 0x8(%rax), %rsi\n"
	"	mov %rsi, (%rdi)\n"
	"	mov %rdi, 0x8(%rax)\n"
	"	ret\n"
	"	mov 0x8(%rax), %rcx\n" /* a push whose register is gone at the branch */
	"	mov %rcx, (%rdx)\n"
	"	mov %rdx, 0x8(%rax)\n"
	"	mov (%rax), %edx\n"
	"	test %rcx, %rcx\n"
	"	je 2b\n"
	"	mov 0x8(%r13), %rax\n" /* 3.8 counts behind the branch */
	"	mov %rax, (%rbx)\n"
	"	mov %rbx, 0x8(%r13)\n"
	"	test %rax, %rax\n"
	"	je 2b\n"
	"	subl $1, (%r13)\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size probe_frees_sample, . - probe_frees_sample\n"
	".type probe_frees_ranges, @function\n" /* as gcc 10 compiles them for 3.9 */
	".globl probe_frees_ranges\n"
	"probe_frees_ranges:\n"
	"	.cfi_startproc\n"
	"	mov %rdi, %rax\n"
	"	and $-4096, %rax\n"
	"	mov 0x20(%rax), %edx\n"
	"	cmp probe_frees_max(%rip), %edx\n"
	".globl probe_frees_range\n"
	"probe_frees_range:\n"
	"	jae 3f\n"
	"	mov 0x8(%rax), %rcx\n"
	"	mov %rcx, (%rdi)\n"
	"	mov %rdi, 0x8(%rax)\n"
	"	ret\n"
	"3:	mov %rbx, %r9\n"
	"	mov probe_frees_max(%rip), %r8d\n" /* loaded before, and the other way round */
	"	and $-4096, %r9\n"
	"	mov 0x20(%r9), %edx\n"
	"	cmp %edx, %r8d\n"
	".globl probe_frees_range_realloc\n"
	"probe_frees_range_realloc:\n"
	"	ja 4f\n"
	"	ret\n"
	"4:	mov 0x24(%r9), %ebp\n"
	"	call probe_frees_sample\n"
	"	mov %rdi, %rax\n" /* the block's register is used for something else */
	"	and $-4096, %rax\n"
	"	mov 0x20(%rax), %edx\n"
	"	mov (%rsi), %edi\n"
	"	cmp probe_frees_max(%rip), %edx\n"
	"	jb 3b\n"
	"	mov %rdi, %rax\n" /* another question */
	"	and $-4096, %rax\n"
	"	mov 0x20(%rax), %edx\n"
	"	cmp probe_frees_max(%rip), %edx\n"
	"	test %edx, %edx\n"
	"	jb 3b\n"
	"	mov %rdi, %rax\n"
	"	and $-4096, %rax\n"
	"	mov 0x20(%rax), %edx\n"
	"	cmp probe_frees_max(%rip), %edx\n"
	"	je 3b\n"
	"	ret\n"
	"probe_frees_max: .long 0\n"
	"	.cfi_endproc\n"
	".size probe_frees_ranges, . - probe_frees_ranges\n"
	".type probe_frees_caller, @function\n"
	".globl probe_frees_caller\n"
	"probe_frees_caller:\n"
	"	.cfi_startproc\n"
	"	call probe_frees_sample\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size probe_frees_caller, . - probe_frees_caller\n");

static const struct layout layout = {
	.pool_count = 0, .pool_freeblock = 8, .pool_next = 16, .pool_arena_index = 32
};

static uint64_t symbol(const struct elf *elf, const char *name)
{
	struct elf_symbol found = { 0 };

	assert_true(elf_find_symbol(elf, name, &found));
	return found.value;
}

static void each_is_what_it_is(void **state)
{
	_cleanup_elf_ struct elf *elf = NULL;
	_cleanup_code_ struct code *code = NULL;
	struct sites sites = { 0 };

	assert_int_equal(elf_open_path("/proc/self/exe", &elf), 0);
	assert_int_equal(code_new(elf, &code), 0);
	assert_int_equal(frees_find_lookups(code, &layout, &sites), 0);
	assert_int_equal(sites.count, 4);
	assert_int_equal(sites.list[0].role, SITE_FREE);
	assert_int_equal(sites.list[0].vaddr, symbol(elf, "probe_frees_free"));
	assert_int_equal(sites.list[0].reg, 7);
	assert_int_equal(sites.list[1].role, SITE_REALLOC);
	assert_int_equal(sites.list[1].vaddr, symbol(elf, "probe_frees_realloc"));
	assert_int_equal(sites.list[1].reg, 3);
	assert_int_equal(sites.list[2].role, SITE_FREE);
	assert_int_equal(sites.list[2].reg, 1);
	assert_int_equal(sites.list[3].role, SITE_FREE);
	assert_int_equal(sites.list[3].reg, 6);
	/* Only pushes that no lookup leads to are added, or their frees would be counted twice. */
	assert_int_equal(frees_find_pushes(code, &layout, 0, &sites), 0);
	assert_int_equal(sites.count, 7);
	assert_int_equal(sites.list[4].role, SITE_FREE);
	assert_int_equal(sites.list[4].vaddr, symbol(elf, "probe_frees_push"));
	assert_int_equal(sites.list[4].reg, 3);
	assert_int_equal(sites.list[4].flags, SITE_LINKED);
	assert_null(sites.list[4].rejected);
	assert_non_null(sites.list[5].rejected);
	assert_int_equal(sites.list[6].reg, 3);
	assert_null(sites.list[6].rejected);
	/* Nor those of a function that is probed where it begins, or of one that it calls. */
	sites_clear(&sites);
	assert_int_equal(
		frees_find_pushes(code, &layout, symbol(elf, "probe_frees_sample"), &sites), 0);
	assert_int_equal(sites.count, 0);
	assert_int_equal(
		frees_find_pushes(code, &layout, symbol(elf, "probe_frees_caller"), &sites), 0);
	assert_int_equal(sites.count, 0);
	assert_int_equal(frees_find_pushes(code, &layout, symbol(elf, "main"), &sites), 0);
	assert_true(sites.count > 0);
	sites_clear(&sites);
}

static void ranges_are_found_and_told_apart(void **state)
{
	_cleanup_elf_ struct elf *elf = NULL;
	_cleanup_code_ struct code *code = NULL;
	struct sites sites = { 0 };

	assert_int_equal(elf_open_path("/proc/self/exe", &elf), 0);
	assert_int_equal(code_new(elf, &code), 0);
	assert_int_equal(frees_find_ranges(code, &layout, &sites), 0);
	assert_int_equal(sites.count, 3);
	assert_int_equal(sites.list[0].role, SITE_FREE);
	assert_int_equal(sites.list[0].vaddr, symbol(elf, "probe_frees_range"));
	assert_int_equal(sites.list[0].reg, 7);
	assert_null(sites.list[0].rejected);
	assert_int_equal(sites.list[1].role, SITE_REALLOC);
	assert_int_equal(sites.list[1].vaddr, symbol(elf, "probe_frees_range_realloc"));
	assert_int_equal(sites.list[1].reg, 3);
	assert_null(sites.list[1].rejected);
	assert_non_null(sites.list[2].rejected);
	sites_clear(&sites);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_are_found_and_told_apart),
		cmocka_unit_test(each_is_what_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
