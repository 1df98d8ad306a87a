/* SPDX-License-Identifier: BSD-2-Clause */
/* One sentence on where the memory is and what would help: the largest part of the RSS, and what it
 * is made of. */
#pragma once

#include "model/picture.h"

/* Fills in memory.verdict and verdict_kind where the parts of the RSS are known. 0 or -ENOMEM. */
int verdict_add(struct picture *pic);
