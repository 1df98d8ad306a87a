/* SPDX-License-Identifier: BSD-2-Clause */
/* pymemtop doctor: what this machine, these rights and a process allow, and how to mend what they
 * do not. */
#pragma once

#include "base/error.h"
#include "cli/options.h"

int doctor_run(const struct options_usage *usage, const struct options *opts, struct error *err);
