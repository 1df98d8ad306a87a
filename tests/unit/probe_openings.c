/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "probe/openings.h"

static const struct layout layout = { .pool_count = 0,
				      .pool_freeblock = 8,
				      .pool_next = 16,
				      .pool_size_index = 36,
				      .pool_next_offset = 40,
				      .pool_max_next_offset = 44 };

/* What gcc makes of the end of 3.8's pymalloc_alloc, and things that look like it. */
__asm__(".text\n"
	".globl probe_openings_sample\n"
	".type probe_openings_sample, @function\n"
	"probe_openings_sample:\n"
	"	.cfi_startproc\n"
	"	movl $1, (%rdx)\n"
	"	cmp %ecx, %ebx\n"
	".globl probe_openings_same\n"
	".type probe_openings_same, @function\n"
	"probe_openings_same:\n"
	"	je 1f\n"
	".globl probe_openings_set_up\n"
	".type probe_openings_set_up, @function\n"
	"probe_openings_set_up:\n"
	"	mov %ebx, 36(%rdx)\n"
	"	mov %ebx, 40(%rdx)\n"
	"	mov %rax, 8(%rdx)\n"
	"	mov %ecx, 44(%rdx)\n"
	"	ret\n"
	"1:	mov 8(%rdx), %rsi\n"
	"	ret\n"
	"	movl $1, (%r12)\n" /* prefixes, the other way round, the word in memory */
	"	movl $1, (%r9)\n"
	"	cmp %eax, 36(%r9)\n"
	"	jne 2f\n"
	"	mov 8(%r9), %rsi\n"
	"	ret\n"
	"2:	mov %r8d, 36(%r9)\n"
	"	mov %ecx, 44(%r9)\n"
	"	mov %ebx, 40(%r9)\n"
	"	mov %rax, 8(%r9)\n"
	"	ret\n"
	"	mov %ebx, 36(%rdx)\n" /* another structure */
	"	mov %ebx, 40(%rdx)\n"
	"	mov %ecx, 44(%rdx)\n"
	"	ret\n"
	"	movl $1, (%rdx)\n" /* no pool is set up */
	"	cmp %ecx, %ebx\n"
	"	je 1b\n"
	"	ret\n"
	"	movl $1, (%rdx)\n" /* another pool by then */
	"	mov %rax, %rdx\n"
	"	cmp %ecx, %ebx\n"
	"	jne probe_openings_set_up\n"
	"	mov 8(%rdx), %rsi\n"
	"	ret\n"
	"	movl $1, (%rdx)\n" /* nothing is popped */
	"	cmp %ecx, %ebx\n"
	"	jne probe_openings_set_up\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size probe_openings_sample, . - probe_openings_sample\n");

static void check(const struct site *site, uint8_t flags, uint8_t reg, uint8_t size_reg)
{
	assert_int_equal(site->role, SITE_OPENING);
	assert_null(site->rejected);
	assert_int_equal(site->flags, flags);
	assert_int_equal(site->reg, reg);
	assert_int_equal(site->size_reg, size_reg);
}

static void only_an_opening_is_a_site(void **state)
{
	_cleanup_elf_ struct elf *elf = NULL;
	_cleanup_code_ struct code *code = NULL;
	struct sites sites = { 0 };
	struct elf_symbol same, set_up;

	assert_int_equal(elf_open_path("/proc/self/exe", &elf), 0);
	assert_true(elf_find_symbol(elf, "probe_openings_same", &same));
	assert_true(elf_find_symbol(elf, "probe_openings_set_up", &set_up));
	assert_int_equal(code_new(elf, &code), 0);
	assert_int_equal(openings_find(code, &layout, &sites), 0);
	assert_int_equal(sites.count, 4);
	assert_int_equal(sites.list[0].vaddr, same.value);
	assert_int_equal(sites.list[1].vaddr, set_up.value);
	check(&sites.list[0], SITE_SAME_SIZE, 2, CODE_NO_REG);
	check(&sites.list[1], 0, 2, 3);
	check(&sites.list[2], SITE_SAME_SIZE, 9, CODE_NO_REG);
	check(&sites.list[3], 0, 9, 8);
	sites_clear(&sites);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_an_opening_is_a_site),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
