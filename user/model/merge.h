/* SPDX-License-Identifier: BSD-2-Clause */
/* The pictures of several processes as that of one service. */
#pragma once

#include "model/picture.h"

/*
 * The sum: types by name, memory, dicts, rates. What is not known of one is not known of the sum.
 * Of the overhead the worst counts, of who it is the first tells. Memory that processes share
 * counts for each of them. *ret is the caller's; the pictures stay as they are. 0 or -ENOMEM.
 */
int merge_pictures(const struct picture *const *list, size_t count, struct picture **ret);
