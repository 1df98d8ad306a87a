/* SPDX-License-Identifier: BSD-2-Clause */
/* Where functions begin and end, from .eh_frame: stripped files have it too. (LSB 5.0, Core, 10.6)
 */
#pragma once

#include "target/elf.h"

/*
 * All functions that .eh_frame describes and that lie in executable segments, sorted by start,
 * without overlaps. Owned by the caller. NULL and *count = 0 where there are none.
 */
struct elf_function *elf_unwind_read(const struct elf *elf, size_t *count);
