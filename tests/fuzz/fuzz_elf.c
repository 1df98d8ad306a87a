/* SPDX-License-Identifier: BSD-2-Clause */
/* A file that a target has mapped, and may have made. */
#include "target/elf.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned char seen;

static void look(const struct elf *elf)
{
	struct elf_function function;
	struct elf_section section;
	struct elf_symbol symbol;
	const struct elf_segment *segments;
	size_t count;

	elf_has_symbol(elf, "Py_Version");
	elf_find_symbol(elf, "_PyRuntime", &symbol);
	elf_symbol_at(elf, 0x1000);
	elf_is_stripped(elf);
	elf_is_program(elf);
	if (elf_find_section(elf, ".text", &section) && section.data)
		seen = *(const unsigned char *)section.data;
	segments = elf_segments(elf, &count);
	for (size_t i = 0; i < count; i++) {
		const unsigned char *bytes = elf_bytes(elf, segments[i].vaddr, 16);
		uint64_t offset;

		if (bytes)
			seen = bytes[15];
		elf_offset_of(elf, segments[i].vaddr, &offset);
		elf_find_function(elf, segments[i].vaddr, &function);
	}
	seen = (unsigned char)elf_build_id(elf)[0];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf *elf;

	if (elf_open_buffer(data, size, &elf))
		return 0;
	look(elf);
	elf_free(elf);
	return 0;
}
