/* SPDX-License-Identifier: BSD-2-Clause */
/* Decodes every interpreter of this machine from its file: no process, no rights. */
#include "unit.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "layout/layout.h"
#include "probe/frees.h"
#include "probe/sites.h"

/* What a pool header looks like in every version from 3.8 on. */
static const struct layout layout = { .pool_count = 0, .pool_freeblock = 8, .pool_next = 16 };

static size_t count(const struct sites *sites, enum site_role role, bool rejected)
{
	size_t n = 0;

	for (size_t i = 0; i < sites->count; i++)
		n += sites->list[i].role == role && !!sites->list[i].rejected == rejected;
	return n;
}

static void check_sites(const struct sites *sites)
{
	for (size_t i = 0; i < sites->count; i++) {
		const struct site *site = &sites->list[i];

		if (site->rejected)
			continue;
		assert_true(site->emulated);
		assert_true(site->reg < 16);
		assert_true(site->offset > 0);
		assert_true(site->function && site->function <= site->vaddr);
		if (site->role == SITE_POOL || site->role == SITE_BLOCK)
			assert_true(site->check_vaddr > 0);
	}
}

/* True if the file is an interpreter that has pymalloc. */
static bool decode(const char *path)
{
	_cleanup_elf_ struct elf *elf = NULL;
	_cleanup_code_ struct code *code = NULL;
	struct sites sites = { 0 };
	struct elf_symbol symbol;
	struct site entry = { .role = SITE_FRESH };
	uint64_t fresh = 0;

	if (elf_open_path(path, &elf) || !elf_find_symbol(elf, "_PyRuntime", &symbol))
		return false;
	assert_int_equal(code_new(elf, &code), 0);
	assert_int_equal(sites_find_pools(code, &layout, &sites, &fresh), 0);
	assert_int_equal(frees_find_lookups(code, &layout, &sites), 0);
	assert_int_equal(frees_find_pushes(code, &layout, 0, &sites), 0);
	printf("%s: %zu block, %zu pool, %zu free, %zu realloc, %zu rejected\n", path,
	       count(&sites, SITE_BLOCK, false), count(&sites, SITE_POOL, false),
	       count(&sites, SITE_FREE, false), count(&sites, SITE_REALLOC, false),
	       count(&sites, SITE_BLOCK, true) + count(&sites, SITE_POOL, true) +
		       count(&sites, SITE_FREE, true));
	assert_true(count(&sites, SITE_BLOCK, false) + count(&sites, SITE_POOL, false) >= 1);
	assert_int_equal(count(&sites, SITE_POOL, true) + count(&sites, SITE_BLOCK, true), 0);
	check_sites(&sites);
	if (fresh) {
		assert_int_equal(sites_find_entry(code, fresh, CODE_NO_REG, true, &entry), 0);
		assert_true(entry.vaddr >= fresh && entry.vaddr < fresh + 32);
	}
	sites_clear(&sites);
	return true;
}

static void every_interpreter_is_decoded(void **state)
{
	static const char *const patterns[] = { "/usr/bin/python3.[0-9]*",
						"/usr/lib/x86_64-linux-gnu/libpython3.*.so.1.0",
						"/usr/local/lib/libpython3.*.so.1.0",
						"~/.pyenv/versions/3.[89]*/lib/libpython3.*.so.1.0",
						"~/.pyenv/versions/3.1*/lib/libpython3.*.so.1.0" };
	glob_t found = { 0 };
	size_t decoded = 0;

	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++)
		glob(patterns[i], GLOB_TILDE | (i ? GLOB_APPEND : 0), NULL, &found);
	for (size_t i = 0; i < found.gl_pathc; i++)
		decoded += decode(found.gl_pathv[i]);
	globfree(&found);
	if (!decoded)
		skip();
}

/* A copy of pymalloc's fast path, as gcc 12 compiles it, behind a function that does not match. */
__asm__(".text\n"
	".globl probe_sites_sample\n"
	".type probe_sites_sample, @function\n"
	"probe_sites_sample:\n"
	"	.cfi_startproc\n"
	"	mov (%rdi), %rdx\n"
	"	mov 0x10(%rdx), %rsi\n"
	"	cmp %rsi, %rdx\n"
	"	je 2f\n"
	"	mov 0x8(%rdx), %rax\n"
	"	addl $1, (%rdx)\n"
	"	mov (%rax), %rcx\n"
	"	mov %rcx, 0x8(%rdx)\n"
	"	ret\n"
	"2:	call probe_sites_fresh\n"
	"	ret\n"
	"	mov 0x10(%rdx), %rsi\n" /* another copy, with the question whether it was the last
					 */
	"	cmp %rsi, %rdx\n"
	"	je 2b\n"
	"	mov 0x8(%rdx), %rax\n"
	"	addl $1, (%rdx)\n"
	"	mov (%rax), %rcx\n"
	"	mov %rcx, 0x8(%rdx)\n"
	"	test %rcx, %rcx\n"
	".globl probe_sites_last\n"
	".type probe_sites_last, @function\n"
	"probe_sites_last:\n"
	"	je 2b\n"
	"	ret\n"
	"	cmp %rdi, 0x10(%rdi)\n" /* as --with-pydebug has it */
	"	je 2b\n"
	"	mov (%rdi), %eax\n"
	"	add $1, %eax\n"
	"	mov %eax, (%rdi)\n"
	"	mov 0x8(%rdi), %rbx\n"
	"	test %rbx, %rbx\n" /* an assert() */
	"	je 2b\n"
	"	mov (%rbx), %rax\n"
	"	mov %rax, 0x8(%rdi)\n"
	"	ret\n"
	"	mov 0x10(%rdx), %rsi\n" /* the same question, but nothing is popped */
	"	cmp %rsi, %rdx\n"
	"	je 2b\n"
	"	mov (%rax), %rcx\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size probe_sites_sample, . - probe_sites_sample\n"
	".globl probe_sites_fresh\n"
	".type probe_sites_fresh, @function\n"
	"probe_sites_fresh:\n"
	"	.cfi_startproc\n"
	"	endbr64\n"
	"	push %r12\n"
	"	pop %r12\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size probe_sites_fresh, . - probe_sites_fresh\n");

static void only_what_pops_is_a_site(void **state)
{
	_cleanup_elf_ struct elf *elf = NULL;
	_cleanup_code_ struct code *code = NULL;
	struct sites sites = { 0 };
	struct elf_symbol sample, last, fresh_symbol;
	struct site entry = { .role = SITE_FRESH };
	uint64_t fresh = 0;

	assert_int_equal(elf_open_path("/proc/self/exe", &elf), 0);
	assert_true(elf_find_symbol(elf, "probe_sites_sample", &sample));
	assert_true(elf_find_symbol(elf, "probe_sites_fresh", &fresh_symbol));
	assert_int_equal(code_new(elf, &code), 0);
	assert_int_equal(sites_find_pools(code, &layout, &sites, &fresh), 0);
	assert_int_equal(sites.count, 3);
	assert_int_equal(sites.list[0].role, SITE_POOL);
	assert_int_equal(sites.list[0].vaddr, sample.value + 10);
	assert_int_equal(sites.list[0].reg, 2);
	assert_int_equal(sites.list[0].check_reg, 0);
	assert_string_equal(sites.list[0].symbol, "probe_sites_sample");
	assert_null(sites.list[0].rejected);
	assert_true(elf_find_symbol(elf, "probe_sites_last", &last));
	assert_int_equal(sites.list[1].role, SITE_BLOCK);
	assert_int_equal(sites.list[1].vaddr, last.value);
	assert_int_equal(sites.list[1].reg, 0);
	assert_int_equal(sites.list[2].role, SITE_POOL);
	assert_int_equal(sites.list[2].reg, 7);
	assert_int_equal(sites.list[2].check_reg, 3);
	assert_int_equal(fresh, fresh_symbol.value);
	assert_int_equal(sites_find_entry(code, fresh, CODE_NO_REG, true, &entry), 0);
	assert_int_equal(entry.vaddr, fresh + 4); /* endbr64 would be single-stepped */
	assert_true(entry.emulated);
	sites_drop(&sites, SITE_POOL);
	assert_int_equal(sites.count, 1);
	assert_int_equal(sites.list[0].role, SITE_BLOCK);
	sites_clear(&sites);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_interpreter_is_decoded),
		cmocka_unit_test(only_what_pops_is_a_site),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
