/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "probe/match.h"
#include "target/elf.h"

__asm__(".text\n"
	".globl probe_match_sample\n"
	".type probe_match_sample, @function\n"
	"probe_match_sample:\n"
	"	.cfi_startproc\n"
	"	mov 0x10(%r12), %rsi\n" /* +0, 5 */
	"	test %rsi, %rsi\n"	/* +5, 3 */
	"	je 1f\n"		/* +8, 2 */
	"	cmpq $0, 0x18(%rsp)\n"	/* +10, 6 */
	"	jne 1f\n"		/* +16, 2 */
	"	jmp 1f\n"		/* +18, 2 */
	"	nop\n"
	"1:	ret\n" /* +21 */
	"	.cfi_endproc\n"
	".size probe_match_sample, . - probe_match_sample\n");

static void instructions_are_recognised(void **state)
{
	_cleanup_elf_ struct elf *elf = NULL;
	_cleanup_code_ struct code *code = NULL;
	struct elf_symbol symbol;
	struct site site = { 0 };
	uint8_t dst = 0;

	assert_int_equal(elf_open_path("/proc/self/exe", &elf), 0);
	assert_true(elf_find_symbol(elf, "probe_match_sample", &symbol));
	assert_int_equal(code_new(elf, &code), 0);
	assert_true(match_loads(code_at(code, symbol.value), 12, 0x10, &dst));
	assert_int_equal(dst, 6);
	assert_false(match_loads(code_at(code, symbol.value), 12, 8, &dst));
	assert_true(match_looks_like_load(elf_bytes(elf, symbol.value, 8), 0x10));
	assert_false(match_looks_like_load(elf_bytes(elf, symbol.value, 8), 8));
	assert_false(match_sets_flags(code_at(code, symbol.value)));
	assert_true(match_sets_flags(code_at(code, symbol.value + 5)));
	assert_true(match_tests_value(code_at(code, symbol.value + 5), &site));
	assert_int_equal(site.reg, 6);
	assert_true(match_tests_value(code_at(code, symbol.value + 10), &site));
	assert_int_equal(site.reg, 4);
	assert_int_equal(site.disp, 0x18);
	assert_int_equal(site.flags, SITE_IN_MEMORY);
	assert_int_equal(match_branch(code_at(code, symbol.value + 8), true), symbol.value + 21);
	assert_int_equal(match_branch(code_at(code, symbol.value + 8), false), symbol.value + 10);
	assert_int_equal(match_branch(code_at(code, symbol.value + 16), true), symbol.value + 18);
	assert_false(match_jumps_on_zero(code_at(code, symbol.value + 18)));
	assert_int_equal(match_follow(code, code_at(code, symbol.value + 18))->address,
			 symbol.value + 21);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(instructions_are_recognised),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
