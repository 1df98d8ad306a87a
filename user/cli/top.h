/* SPDX-License-Identifier: BSD-2-Clause */
/* pymemtop top: a table that refreshes. */
#pragma once

#include "base/error.h"
#include "cli/options.h"

int top_run(const struct options_usage *usage, const struct options *opts, struct error *err);
