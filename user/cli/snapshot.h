/* SPDX-License-Identifier: BSD-2-Clause */
/* pymemtop snapshot: one picture, as JSON or text. */
#pragma once

#include "base/error.h"
#include "cli/options.h"

int snapshot_run(const struct options_usage *usage, const struct options *opts, struct error *err);
