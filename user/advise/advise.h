/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What to change in the code, and the bytes that it saves: rules over a picture, largest gain
 * first.
 *
 * A rule promises only what this version's layout gives back, and says nothing where there is
 * nothing to gain.
 */
#pragma once

#include "model/picture.h"

#include <stdbool.h>

struct advise_options {
	bool all; /* also where the gain is less than one percent of the heap */
};

/* Replaces the advice in @pic. Pictures that were read back keep what they have. 0 or -ENOMEM. */
int advise_picture(struct picture *pic, const struct advise_options *opts);
