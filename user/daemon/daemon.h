/* SPDX-License-Identifier: BSD-2-Clause */
/* `pymemtop daemon`: sets up, gives up its rights, and runs until it is told to end. */
#pragma once

#include "base/error.h"
#include "daemon/http.h"
#include "daemon/keeper.h"

#include <sys/types.h>

struct daemon_options {
	struct keeper_options keeper;
	const pid_t *pids;
	size_t pids_count;
	const char *socket; /* path */
	struct http_address http;
	const char *user; /* to become; NULL: stay */
};

/* 0 after SIGTERM or SIGINT; else negative errno with @err. SIGHUP: looks again at everything. */
int daemon_run(const struct daemon_options *options, struct error *err);
