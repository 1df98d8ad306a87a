/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Snapshots read back: what json_write_picture() wrote, and nothing that only looks like it. A
 * member that is missing or has the wrong type or sign is an error which names it; members that
 * this version does not know are passed over.
 */
#pragma once

#include "base/error.h"
#include "model/picture.h"

#include <stdio.h>

/*
 * Reads the next document of @in: call again for the next line of a recording. @name is what errors
 * call the input. 0; -ENODATA at the end of the input (@err untouched); -EBADMSG with @err
 * (EXIT_USAGE) for what is not a snapshot; -EIO, -ENOMEM with @err. *ret is owned by the caller.
 */
int json_read_picture(FILE *in, const char *name, struct picture **ret, struct error *err);
