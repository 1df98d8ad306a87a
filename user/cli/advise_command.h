/* SPDX-License-Identifier: BSD-2-Clause */
/* pymemtop advise: what to change in the code, of a process or of what was recorded of one. */
#pragma once

#include "cli/commands.h"

int advise_command_run(const struct options_usage *usage, const struct options *opts,
		       struct error *err);
