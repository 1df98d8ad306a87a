/* SPDX-License-Identifier: BSD-2-Clause */
/* `pymemtop daemon`. */
#pragma once

#include "cli/options.h"

int serve_run(const struct options_usage *usage, const struct options *opts, struct error *err);
