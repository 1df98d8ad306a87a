/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "target/elf.h"
#include "target/elf_symbols.h"

/* Two static variables and a global one, to be renamed in a copy of this file. */
static volatile uint64_t symbol_twin_a = 1, symbol_twin_b = 2;
volatile uint64_t symbol_twin_c = 3;

static char *read_own(size_t *len)
{
	_cleanup_close_ int fd = open("/proc/self/exe", O_RDONLY);
	struct stat st;
	char *data;

	assert_int_equal(fstat(fd, &st), 0);
	data = malloc((size_t)st.st_size);
	assert_int_equal(read(fd, data, (size_t)st.st_size), st.st_size);
	*len = (size_t)st.st_size;
	return data;
}

static void rename_all(char *data, size_t len, const char *from, const char *to)
{
	char *at = data;
	size_t n = strlen(from) + 1;

	while ((at = memmem(at, (size_t)(data + len - at), from, n)))
		memcpy(at, to, n);
}

static void static_names_must_be_unique(void **state)
{
	size_t len;
	_cleanup_free_ char *data = read_own(&len);
	_cleanup_elf_ struct elf *before = NULL, *after = NULL;
	struct elf_symbol a, b, sym;
	char from[] = "symbol_twin_?", to[] = "symbol_twin_?";

	assert_int_equal(symbol_twin_a + symbol_twin_b + symbol_twin_c, 6);
	assert_int_equal(elf_open_path("/proc/self/exe", &before), 0);
	assert_true(elf_find_symbol(before, "symbol_twin_a", &a));
	assert_true(elf_find_symbol(before, "symbol_twin_b", &b));
	assert_true(a.value != b.value);

	from[12] = 'b';
	to[12] = 'a';
	rename_all(data, len, from, to);
	assert_int_equal(elf_open_buffer(data, len, &after), 0);
	assert_true(elf_has_symbol(after, "symbol_twin_a"));
	assert_false(elf_has_symbol(after, "symbol_twin_b"));
	assert_false(elf_find_symbol(after, "symbol_twin_a", &sym));
}

static void a_global_one_goes_first(void **state)
{
	size_t len;
	_cleanup_free_ char *data = read_own(&len);
	_cleanup_elf_ struct elf *before = NULL, *after = NULL;
	struct elf_symbol c, sym;
	char from[] = "symbol_twin_?", to[] = "symbol_twin_?";

	assert_int_equal(elf_open_path("/proc/self/exe", &before), 0);
	assert_true(elf_find_symbol(before, "symbol_twin_c", &c));
	to[12] = 'a';
	for (char name = 'b'; name <= 'c'; name++) {
		from[12] = name;
		rename_all(data, len, from, to);
	}
	assert_int_equal(elf_open_buffer(data, len, &after), 0);
	assert_true(elf_find_symbol(after, "symbol_twin_a", &sym));
	assert_true(sym.value == c.value);
	assert_string_equal(elf_symbol_at(after, c.value), "symbol_twin_a");
}

static void every_symbol_is_found_by_its_name(void **state)
{
	_cleanup_elf_ struct elf *elf = NULL;
	static const char *const names[] = { "main",   "rename_all",	  "symbol_twin_c",
					     "_start", "elf_find_symbol", "memory_read" };

	assert_int_equal(elf_open_path("/proc/self/exe", &elf), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct elf_symbol sym;

		assert_true(elf_has_symbol(elf, names[i]) == elf_find_symbol(elf, names[i], &sym));
	}
	assert_true(elf_has_symbol(elf, "main"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(static_names_must_be_unique),
		cmocka_unit_test(a_global_one_goes_first),
		cmocka_unit_test(every_symbol_is_found_by_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
