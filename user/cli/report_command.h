/* SPDX-License-Identifier: BSD-2-Clause */
/* pymemtop report: a snapshot or a recording as a page to hand on. */
#pragma once

#include "cli/commands.h"

int report_command_run(const struct options_usage *usage, const struct options *opts,
		       struct error *err);
