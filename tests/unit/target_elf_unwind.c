/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <string.h>

#include "base/util.h"
#include "target/elf_unwind.h"

static void table_is_sorted_and_complete(void **state)
{
	_cleanup_elf_ struct elf *elf = NULL;
	_cleanup_free_ struct elf_function *list = NULL;
	struct elf_section header;
	const unsigned char *bytes;
	size_t count;

	assert_int_equal(elf_open_path("/proc/self/exe", &elf), 0);
	list = elf_unwind_read(elf, &count);
	assert_non_null(list);
	for (size_t i = 0; i < count; i++) {
		assert_true(list[i].start < list[i].end);
		assert_true(i == 0 || list[i - 1].end <= list[i].start);
	}
	/* .eh_frame_hdr, which the linker makes from the same, has as many entries (LSB 10.6.2)...
	 */
	assert_true(elf_find_section(elf, ".eh_frame_hdr", &header));
	bytes = header.data;
	assert_int_equal(bytes[2], 0x03);
	assert_int_equal(load_u32(bytes + 8), count);
	/* ... of the same addresses, relative to itself. */
	assert_int_equal(bytes[3], 0x3b);
	for (size_t i = 0; i < count; i++)
		assert_true(header.addr + (uint64_t)(int32_t)load_u32(bytes + 12 + 8 * i) ==
			    list[i].start);
}

/* The damaged table of this program: whatever comes out lies in code, sorted. */
static void survives_corruption(void **state)
{
	_cleanup_elf_ struct elf *elf = NULL;
	struct elf_section section, text;
	unsigned char *bytes;
	uint64_t seed = 99;

	assert_int_equal(elf_open_path("/proc/self/exe", &elf), 0);
	assert_true(elf_find_section(elf, ".eh_frame", &section));
	assert_true(elf_find_section(elf, ".text", &text));
	/* The section as libelf holds it, in our own memory: nobody else reads it. */
	bytes = (unsigned char *)(uintptr_t)section.data;
	for (size_t round = 0; round < 5000; round++) {
		_cleanup_free_ struct elf_function *list = NULL;
		size_t count, segments;
		const struct elf_segment *segs = elf_segments(elf, &segments);

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		bytes[(seed >> 33) % section.size] ^= (unsigned char)(1u << (seed >> 60 & 7));
		list = elf_unwind_read(elf, &count);
		assert_true((list == NULL) == (count == 0));
		for (size_t i = 0; i < count; i++) {
			assert_true(list[i].start < list[i].end);
			assert_true(list[i].end <= segs[segments - 1].vaddr);
			assert_true(i == 0 || list[i - 1].end <= list[i].start);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_is_sorted_and_complete),
		cmocka_unit_test(survives_corruption),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
