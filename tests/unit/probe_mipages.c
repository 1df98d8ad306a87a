/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "probe/mipages.h"
#include "target/elf.h"

/*
 * mimalloc as gcc 12 compiles it for 3.13t: two ways to take a page's first block, what only looks
 * like one, a free, and the same with its thread asked for first and its block on no register.
 */
__asm__(".text\n"
	".type probe_mipages_malloc, @function\n"
	".globl probe_mipages_malloc\n"
	"probe_mipages_malloc:\n"
	"	.cfi_startproc\n"
	"	mov 0x8(%rdi,%rax,8), %rdx\n"
	"	mov 0x10(%rdx), %rax\n"
	"	test %rax, %rax\n"
	".globl probe_mipages_block\n"
	"probe_mipages_block:\n"
	"	je 1f\n"
	"	addl $1, 0x18(%rdx)\n"
	"	mov (%rax), %rcx\n"
	"	mov %rcx, 0x10(%rdx)\n"
	"	ret\n"
	"1:	mov 0x10(%rbx), %r12\n" /* the count through a register, the branch the other way */
	"	test %r12, %r12\n"
	".globl probe_mipages_other\n"
	"probe_mipages_other:\n"
	"	jne 2f\n"
	"	ret\n"
	"2:	mov 0x18(%rbx), %eax\n"
	"	add $1, %eax\n"
	"	mov (%r12), %rcx\n"
	"	mov %eax, 0x18(%rbx)\n"
	"	mov %rcx, 0x10(%rbx)\n"
	"	ret\n"
	"	mov 0x10(%rdx), %rax\n" /* a list of something else: nothing is counted */
	"	test %rax, %rax\n"
	"	je 3f\n"
	"	mov (%rax), %rcx\n"
	"	mov %rcx, 0x10(%rdx)\n"
	"3:	ret\n"
	"	.cfi_endproc\n"
	".size probe_mipages_malloc, . - probe_mipages_malloc\n"
	".type probe_mipages_wrapper, @function\n"
	".globl probe_mipages_wrapper\n"
	"probe_mipages_wrapper:\n"
	"	.cfi_startproc\n"
	"	call probe_mipages_malloc\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size probe_mipages_wrapper, . - probe_mipages_wrapper\n"
	".type probe_mipages_frees, @function\n"
	".globl probe_mipages_frees\n"
	"probe_mipages_frees:\n"
	"	.cfi_startproc\n"
	"	mov %rdi, %rcx\n"
	"	lea -0x1(%rdi), %rdi\n"
	"	and $-0x2000000, %rdi\n"
	"	mov %fs:0x0, %r8\n"
	"	mov 0x100(%rdi), %r9\n"
	"	mov %rcx, %rdx\n"
	"	sub %rdi, %rdx\n"
	"	cmp %r8, %r9\n"
	".globl probe_mipages_free\n"
	"probe_mipages_free:\n"
	"	jne 4f\n"
	"	ret\n"
	"4:	mov %fs:0x0, %rsi\n"
	"	lea -0x1(%rbx), %rax\n"
	"	and $-0x2000000, %rax\n"
	"	je 5f\n" /* no segment */
	"	xor %ebx, %ebx\n"
	"	cmp %rsi, 0x100(%rax)\n"
	"	je 5f\n"
	"	lea -0x1(%rbx), %rax\n" /* an owner that is compared with something else */
	"	and $-0x2000000, %rax\n"
	"	cmp %rdx, 0x100(%rax)\n"
	"	je 5f\n"
	"5:	ret\n"
	"	.cfi_endproc\n"
	".size probe_mipages_frees, . - probe_mipages_frees\n");

static const struct layout layout = { .mi_page_free = 16,
				      .mi_page_used = 24,
				      .mi_page_used_size = 4,
				      .mi_page_block_size = 28,
				      .mi_page_start = LAYOUT_NONE,
				      .mi_segment_shift = 25 };

struct fixture {
	struct elf *elf;
	struct code *code;
	struct sites sites;
};

static int setup(void **state)
{
	static struct fixture f;

	f = (struct fixture){ 0 };
	assert_int_equal(elf_open_path("/proc/self/exe", &f.elf), 0);
	assert_int_equal(code_new(f.elf, &f.code), 0);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	sites_clear(&f->sites);
	code_freep(&f->code);
	elf_freep(&f->elf);
	return 0;
}

static uint64_t symbol(const struct fixture *f, const char *name)
{
	struct elf_symbol found = { 0 };

	assert_true(elf_find_symbol(f->elf, name, &found));
	return found.value;
}

static void blocks_leave_their_pages(void **state)
{
	struct fixture *f = *state;
	const struct site *site;

	assert_int_equal(mipages_find_blocks(f->code, &layout, &f->sites), 0);
	assert_int_equal(f->sites.count, 2);
	site = &f->sites.list[0];
	assert_int_equal(site->role, SITE_PAGE);
	assert_int_equal(site->vaddr, symbol(f, "probe_mipages_block"));
	assert_int_equal(site->reg, 0);
	assert_int_equal(site->size_reg, 2);
	assert_int_equal(site->disp, 28);
	assert_int_equal(site->flags, 0);
	assert_null(site->rejected);
	site = &f->sites.list[1];
	assert_int_equal(site->vaddr, symbol(f, "probe_mipages_other"));
	assert_int_equal(site->reg, 12);
	assert_int_equal(site->size_reg, 3);
}

static void sizes_are_wide_from_2_2_on(void **state)
{
	struct fixture *f = *state;
	struct layout newer = layout;

	newer.mi_page_start = 40;
	assert_int_equal(mipages_find_blocks(f->code, &newer, &f->sites), 0);
	assert_int_equal(f->sites.list[0].flags, SITE_WIDE);
}

static void frees_ask_whose_the_segment_is(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mipages_find_frees(f->code, &layout, &f->sites), 0);
	assert_int_equal(f->sites.count, 2);
	assert_int_equal(f->sites.list[0].role, SITE_FREE);
	assert_int_equal(f->sites.list[0].vaddr, symbol(f, "probe_mipages_free"));
	assert_true(f->sites.list[0].reg == 1 || f->sites.list[0].reg == 2);
	assert_null(f->sites.list[0].rejected);
	assert_non_null(f->sites.list[1].rejected);
}

static void what_a_function_comes_to(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mipages_find_blocks(f->code, &layout, &f->sites), 0);
	assert_int_equal(mipages_find_frees(f->code, &layout, &f->sites), 0);
	assert_true(
		mipages_reach(f->code, &f->sites, symbol(f, "probe_mipages_malloc"), SITE_PAGE));
	assert_true(
		mipages_reach(f->code, &f->sites, symbol(f, "probe_mipages_wrapper"), SITE_PAGE));
	assert_false(
		mipages_reach(f->code, &f->sites, symbol(f, "probe_mipages_wrapper"), SITE_FREE));
	assert_true(mipages_reach(f->code, &f->sites, symbol(f, "probe_mipages_frees"), SITE_FREE));
	assert_false(mipages_reach(f->code, &f->sites, 1, SITE_FREE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(blocks_leave_their_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(sizes_are_wide_from_2_2_on, setup, teardown),
		cmocka_unit_test_setup_teardown(frees_ask_whose_the_segment_is, setup, teardown),
		cmocka_unit_test_setup_teardown(what_a_function_comes_to, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
