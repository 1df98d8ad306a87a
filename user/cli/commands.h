/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of commands, and the way from argv to one of them. */
#pragma once

#include "base/error.h"
#include "cli/options.h"

#include <stddef.h>

struct commands_entry {
	const char *name;
	struct options_usage usage;
	/*
	 * Returns the exit code, or negative errno with @err filled; prints no error itself.
	 * Options were parsed but not checked against each other.
	 */
	int (*run)(const struct options_usage *usage, const struct options *opts,
		   struct error *err);
};

/* All commands, for help and completion. */
const struct commands_entry *commands_all(size_t *count);

/* The whole program: finds the command, runs it, says what went wrong in one line. The exit status.
 */
int commands_main(int argc, char **argv);
