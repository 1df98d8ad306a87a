/* SPDX-License-Identifier: BSD-2-Clause */
/* pymemtop record: one snapshot a line, for as long as wanted. */
#pragma once

#include "cli/commands.h"

int record_run(const struct options_usage *usage, const struct options *opts, struct error *err);
