/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/util.h"
#include "probe/code.h"
#include "target/elf.h"

#include <string.h>

__asm__(".text\n"
	".globl probe_code_sample\n"
	".type probe_code_sample, @function\n"
	"probe_code_sample:\n"
	"	.cfi_startproc\n"
	"	push %rbx\n"			   /* +0, 1 */
	"	push %r12\n"			   /* +1, 2 */
	"	mov %rdi, %rbx\n"		   /* +3, 3 */
	"1:	test %rbx, %rbx\n"		   /* +6, 3 */
	"	.byte 0x0f, 0x84, 0x66, 0, 0, 0\n" /* +9, 6: je, with 0x66 in its displacement */
	"	mov 0x10(%rbx), %rcx\n"		   /* +15, 4 */
	"	jmp 1b\n"			   /* +19, 2 */
	"	ret\n"				   /* +21 */
	"	.cfi_endproc\n"
	".size probe_code_sample, . - probe_code_sample\n");

struct fixture {
	struct elf *elf;
	struct code *code;
	uint64_t at;
};

static int setup(void **state)
{
	static struct fixture f;
	struct elf_symbol symbol;

	if (elf_open_path("/proc/self/exe", &f.elf) ||
	    !elf_find_symbol(f.elf, "probe_code_sample", &symbol) || code_new(f.elf, &f.code))
		return -1;
	f.at = symbol.value;
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	code_free(f->code);
	elf_free(f->elf);
	return 0;
}

static void the_kernel_emulates(void **state)
{
	static const struct {
		int offset;
		bool emulated;
	} cases[] = { { 0, true }, { 1, true },	 { 3, false }, { 6, false },
		      { 9, true }, { 19, true }, { 21, false } };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(code_is_emulated(code_at(f->code, f->at + cases[i].offset)),
				 cases[i].emulated);
}

static void a_bare_one_decodes_the_same(void **state)
{
	_cleanup_code_ struct code *bare = NULL;
	struct fixture *f = *state;
	uint64_t at = f->at, addr = 1;
	size_t size = 1;

	assert_int_equal(code_new_bare(f->elf, &bare), 0);
	for (int i = 0; i < 5; i++) {
		const cs_insn *whole = code_at(f->code, at), *one = code_at(bare, at);

		assert_non_null(whole);
		assert_non_null(one);
		assert_int_equal(one->id, whole->id);
		assert_int_equal(one->size, whole->size);
		at += one->size;
	}
	assert_null(code_text(bare, &addr, &size));
	assert_int_equal(size, 0);
}

static void borders_are_known(void **state)
{
	struct fixture *f = *state;

	assert_true(code_is_boundary(f->code, f->at + 15));
	assert_false(code_is_boundary(f->code, f->at + 2));
	assert_false(code_is_boundary(f->code, f->at + 10));
	assert_int_equal(code_previous(f->code, f->at + 15), f->at + 9);
	assert_int_equal(code_previous(f->code, f->at), 0);
	assert_int_equal(code_jump_to(f->code, f->at + 6, 0), f->at + 19);
	assert_int_equal(code_jump_to(f->code, f->at + 6, f->at + 19), 0);
	assert_int_equal(code_jump_to(f->code, f->at + 3, 0), 0);
}

static void registers_are_numbered_as_encoded(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(code_reg(X86_REG_RAX), 0);
	assert_int_equal(code_reg(X86_REG_ESI), 6);
	assert_int_equal(code_reg(X86_REG_R15B), 15);
	assert_int_equal(code_reg(X86_REG_XMM0), CODE_NO_REG);
	assert_true(code_writes(f->code, code_at(f->code, f->at + 3), 3));
	assert_false(code_writes(f->code, code_at(f->code, f->at + 3), 7));
	assert_true(code_writes(f->code, code_at(f->code, f->at),
				4)); /* a push moves the stack pointer */
}

static void operands_are_recognised(void **state)
{
	struct fixture *f = *state;
	const cs_insn *insn = code_at(f->code, f->at + 15);

	assert_true(code_is_based(&insn->detail->x86.operands[1], 3, 0x10));
	assert_false(code_is_based(&insn->detail->x86.operands[1], 3, 8));
	assert_int_equal(code_fixed_address(insn, &insn->detail->x86.operands[1]), 0);
	insn = code_at(f->code, f->at + 9);
	assert_true(code_is_jcc(insn));
	assert_int_equal(code_target(insn), f->at + 15 + 0x66);
	assert_true(code_ends(code_at(f->code, f->at + 21)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_kernel_emulates, setup, teardown),
		cmocka_unit_test_setup_teardown(a_bare_one_decodes_the_same, setup, teardown),
		cmocka_unit_test_setup_teardown(borders_are_known, setup, teardown),
		cmocka_unit_test_setup_teardown(registers_are_numbered_as_encoded, setup, teardown),
		cmocka_unit_test_setup_teardown(operands_are_recognised, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
