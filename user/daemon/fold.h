/* SPDX-License-Identifier: BSD-2-Clause */
/* Keeps a picture at a size that the daemon can afford, whatever the process made. */
#pragma once

#include "model/picture.h"

/*
 * Sums the types beyond the first @limit up in one row "(other)" and says so in the partial
 * reasons; totals stay true to the byte. Types are in their order. 0 or -ENOMEM (@pic unchanged).
 */
int fold_picture(struct picture *pic, size_t limit);
