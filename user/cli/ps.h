/* SPDX-License-Identifier: BSD-2-Clause */
/* pymemtop ps: the Pythons that run here. */
#pragma once

#include "base/cleanup.h"
#include "base/error.h"
#include "cli/options.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* One process that runs, or seems to run, a Python. */
struct ps_entry {
	pid_t pid;
	char version[24];
	bool identified; /* what follows is known */
	bool is_static, stripped, debug, free_threaded;
	int64_t rss_bytes;
	char *cmdline;
	char *reason; /* why it is not supported; NULL: it is */
};

struct ps_list {
	struct ps_entry *entries;
	size_t count;
	size_t hidden; /* processes that we may not look at */
};

/* All of them, by PID. 0 or negative errno with @err; ps_list_fini() also after a failure. */
int ps_gather(struct ps_list *list, const struct options *opts, struct error *err);
void ps_list_fini(struct ps_list *list);
#define _cleanup_ps_list_ cleanup(ps_list_fini)

int ps_run(const struct options_usage *usage, const struct options *opts, struct error *err);
