/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Instances of C types that we do not know from the inside: a raw pymalloc block that one of their
 * words points to is taken for theirs, and so on through such blocks, a few steps deep. Private to
 * attribute/.
 */
#pragma once

#include "attribute/worker.h"

void generic_visit(struct worker *worker, struct type *type, const struct object *obj);
