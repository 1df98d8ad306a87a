/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One ELF file that a target has mapped: symbols, sections, unwind ranges, build-id. Opened through
 * /proc/PID/map_files (works across mount namespaces and for deleted files), else /proc/PID/root +
 * path. Every offset in the file is checked: the file belongs to somebody else. (libelf)
 *
 * Sections are read when first asked for, with pread and never by mapping: a file that shrinks
 * meanwhile is a failed read and no SIGBUS. So even const functions fill caches: one thread at a
 * time.
 */
#pragma once

#include "base/cleanup.h"
#include "target/maps.h"
#include "target/process.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf;

struct elf_symbol {
	uint64_t value; /* as in the file: add the bias for an address in the target */
	uint64_t size;
};

struct elf_section {
	uint64_t addr, offset, size;
	const void *data; /* NULL for NOBITS; borrowed, lives as long as the elf */
};

struct elf_segment {
	uint64_t vaddr, offset, filesz, memsz;
	bool read, write, exec;
};

/* A function as .eh_frame knows it: [start, end) in file addresses. */
struct elf_function {
	uint64_t start, end;
};

/*
 * Opens the file behind @map of @proc. The path that reached it is elf_path() (for uprobes too).
 * -ENOENT, -EPERM, -ENOEXEC (not an x86-64 ELF executable or library), -EIO ...
 */
int elf_open_mapping(const struct process *proc, const struct mapping *map, struct elf **ret);

/* Opens a file by path (tests, tools). */
int elf_open_path(const char *path, struct elf **ret);

/* Opens from memory (fuzzers); borrowed. */
int elf_open_buffer(const void *data, size_t len, struct elf **ret);

void elf_free(struct elf *elf);
DEFINE_CLEANUP(struct elf, elf_free)
#define _cleanup_elf_ cleanup(elf_freep)

/*
 * Gives back what was read and indexed so far; it is read again when it is asked for. Nothing that
 * was borrowed from
 * @elf may be in use.
 */
void elf_trim(struct elf *elf);

/* A path in *our* namespace through which the kernel finds the same inode. */
const char *elf_path(const struct elf *elf);

/*
 * Defined symbol by name, .symtab first, then .dynsym. A version suffix ("malloc@@GLIBC_2.2.5") is
 * ignored. A global one goes before static ones; of a name that several static ones share, none is
 * found.
 */
bool elf_find_symbol(const struct elf *elf, const char *name, struct elf_symbol *ret);

/*
 * True when elf_find_symbol() would find one. Reads the tables once through and builds no index:
 * for files that are only asked one question.
 */
bool elf_has_symbol(const struct elf *elf, const char *name);

/* The name of the symbol whose bytes hold file address @vaddr, or NULL. Borrowed. Looks at every
 * symbol. */
const char *elf_symbol_at(const struct elf *elf, uint64_t vaddr);

/* True when there is no .symtab. */
bool elf_is_stripped(const struct elf *elf);
/* True for ET_EXEC: addresses in the file are addresses in the target. */
bool elf_is_fixed(const struct elf *elf);
/* True for a program rather than a library: ET_EXEC, or it names a program interpreter. */
bool elf_is_program(const struct elf *elf);

bool elf_find_section(const struct elf *elf, const char *name, struct elf_section *ret);

/* Loadable segments, in file order; *count is their number. Borrowed. */
const struct elf_segment *elf_segments(const struct elf *elf, size_t *count);

/* File offset of a file address inside a loadable segment; false where there is none. */
bool elf_offset_of(const struct elf *elf, uint64_t vaddr, uint64_t *ret);

/* @len bytes of the file image at file address @vaddr, or NULL. Borrowed. */
const void *elf_bytes(const struct elf *elf, uint64_t vaddr, size_t len);

/* The FDE of .eh_frame that covers @vaddr. False where there is none. */
bool elf_find_function(const struct elf *elf, uint64_t vaddr, struct elf_function *ret);

/* Lower-case hex, "" where there is none. Borrowed. */
const char *elf_build_id(const struct elf *elf);

/*
 * Load bias: what must be added to a file address to get the address in a target which has @map
 * (any mapping of this file) mapped. 0 for ET_EXEC.
 */
uint64_t elf_bias(const struct elf *elf, const struct maps *maps, const struct mapping *map);
