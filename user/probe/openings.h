/* SPDX-License-Identifier: BSD-2-Clause */
/* Where pools are opened when no function of its own does it, as in 3.8. See sites.h. */
#pragma once

#include "layout/layout.h"
#include "probe/code.h"
#include "probe/sites.h"

/*
 * All places where a pool that is taken into use is set up for a size class, and its first block is
 * the one behind the header; and those where it is asked whether it has served the same class
 * before, because then its free list is as it was.
 */
int openings_find(struct code *code, const struct layout *layout, struct sites *sites);
