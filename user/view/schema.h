/* SPDX-License-Identifier: BSD-2-Clause */
/* The JSON Schema of a snapshot, docs/snapshot.schema.json, embedded in the binary. */
#pragma once

#include <stdio.h>

/* 0 or negative errno of the stream. */
int schema_write(FILE *out);
