/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of all options, and how each is parsed. Private to options. */
#pragma once

#include "cli/options.h"

#include <argp.h>

/* One parse under way. */
struct options_parse {
	const struct options_usage *usage;
	struct options *opts;
	struct error *err;
	struct argp_state *state;
	bool done; /* help or version was printed */
};

struct options_row {
	struct argp_option option;
	unsigned int commands;
	int (*parse)(struct options_parse *p, const char *arg);
};

#define OPTIONS_TABLE_MAX 64
extern const struct options_row options_table[]; /* fewer than that */
extern const size_t options_table_count;

/* What stands where no option does: a PID, a file. 0 or -EINVAL with the parse's error. */
int options_table_argument(struct options_parse *p, const char *arg);
