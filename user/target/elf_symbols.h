/* SPDX-License-Identifier: BSD-2-Clause */
/* The symbol tables of one ELF file, indexed by name. Used through elf.h. */
#pragma once

#include "target/elf.h"

#include <gelf.h>
#include <stdint.h>

struct elf_symbols;

/* Reads .symtab and .dynsym. The names stay in @file, which must outlive the result. NULL: no
 * memory. */
struct elf_symbols *elf_symbols_new(Elf *file);
void elf_symbols_free(struct elf_symbols *all);

/* As elf_find_symbol(), elf_symbol_at() and elf_has_symbol(). */
bool elf_symbols_find(const struct elf_symbols *all, const char *name, struct elf_symbol *ret);
const char *elf_symbols_at(const struct elf_symbols *all, uint64_t vaddr);
bool elf_symbols_has(Elf *file, const char *name);

/* The first section of @type (SHT_SYMTAB, SHT_DYNSYM) with its header, or NULL. */
Elf_Scn *elf_symbols_table(Elf *file, uint32_t type, GElf_Shdr *header);
