/* SPDX-License-Identifier: BSD-2-Clause */
/* pymemtop diff: what changed between two snapshots, and whether that is more than may be. */
#pragma once

#include "cli/commands.h"

int diff_run(const struct options_usage *usage, const struct options *opts, struct error *err);
