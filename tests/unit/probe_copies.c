/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "probe/copies.h"
#include "target/elf.h"

__asm__(".text\n"
	".type probe_copies_sample, @function\n"
	".globl probe_copies_sample\n"
	"probe_copies_sample:\n"
	"	.cfi_startproc\n"
	"	mov 0x10(%rsp), %rdi\n"
	"	mov %rdi, %rcx\n"
	"	mov %rcx, %r12\n"
	".globl probe_copies_here\n"
	"probe_copies_here:\n"
	"	add $1, %rdi\n"
	"	mov 0x10(%rsp), %rax\n"
	"	mov %rbx, 0x10(%rsp)\n"
	"	mov 0x10(%rsp), %rdx\n"
	"	call probe_copies_sample\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size probe_copies_sample, . - probe_copies_sample\n");

static uint32_t regs(uint8_t a, uint8_t b, uint8_t c)
{
	return copies_bit(a) | copies_bit(b) | copies_bit(c);
}

static void copies_come_and_go(void **state)
{
	_cleanup_elf_ struct elf *elf = NULL;
	_cleanup_code_ struct code *code = NULL;
	struct elf_symbol here = { 0 };
	struct copies copies;
	const cs_insn *insn;
	uint32_t expected[] = {
		regs(1, 12, CODE_NO_REG), /* rdi has changed */
		regs(0, 1, 12),		  /* rax from the stack */
		regs(0, 1, 12),		  /* whose word is another now */
		regs(0, 1, 12),
		regs(12, CODE_NO_REG, CODE_NO_REG), /* what a call preserves */
	};

	assert_int_equal(elf_open_path("/proc/self/exe", &elf), 0);
	assert_int_equal(code_new(elf, &code), 0);
	assert_true(elf_find_symbol(elf, "probe_copies_here", &here));
	copies = copies_before(code, here.value, 12);
	assert_int_equal(copies.regs, regs(7, 1, 12));
	assert_int_equal(copies.base, 4);
	assert_int_equal(copies.disp, 16);
	insn = code_at(code, here.value);
	for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
		copies_after(code, insn, &copies);
		assert_int_equal(copies.regs, expected[i]);
		insn = code_at(code, insn->address + insn->size);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
