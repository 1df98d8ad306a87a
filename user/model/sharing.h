/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Classes whose instances stop sharing their keys while we watch: what differs from one census to
 * the next. Private to model/.
 */
#pragma once

#include "base/cleanup.h"
#include "model/picture.h"

struct sharing;

int sharing_new(struct sharing **ret);
void sharing_free(struct sharing *sharing);
DEFINE_CLEANUP(struct sharing, sharing_free)

/* Compares the types of @pic with those of the picture before, and remembers them. 0 or -ENOMEM. */
int sharing_see(struct sharing *sharing, const struct picture *pic);

/* Puts all changes since the beginning into @pic. 0 or -ENOMEM. */
int sharing_tell(const struct sharing *sharing, struct picture *pic);
