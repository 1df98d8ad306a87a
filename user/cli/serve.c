/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/serve.h"

#include "base/util.h"
#include "daemon/daemon.h"
#include "daemon/protocol.h"

#include <errno.h>
#include <sys/stat.h>

#define INTERVAL_DEFAULT (10 * NSEC_PER_SEC)
#define LIMIT_DEFAULT 100
/* It runs for months, beside hundreds of processes: less than whoever looks at one. */
#define MAX_CPU_DEFAULT 0.025
#define THREADS 2

static int check_usage(const struct options_usage *usage, const struct options *opts,
		       struct error *err)
{
	struct stat st;
	int r = options_check_events(usage, opts, err);

	if (r)
		return r;
	if (!opts->pids_count && !opts->has_match)
		return options_error(usage, err, "what to watch? give --pid PID or --match REGEX");
	if (opts->pressure_dir && (stat(opts->pressure_dir, &st) || !S_ISDIR(st.st_mode)))
		return options_error(usage, err, "--on-pressure: %.60s is not a directory",
				     opts->pressure_dir);
	return 0;
}

int serve_run(const struct options_usage *usage, const struct options *opts, struct error *err)
{
	struct daemon_options daemon = {
		.keeper = {
			.observer = {
				.events = opts->has_events ? opts->events : OBSERVER_EVENTS_BUDGET,
				.max_overhead = opts->max_overhead,
				.ring_bytes = opts->ring_bytes,
				.full_cmdline = opts->full_cmdline,
				.threads = 1,
			},
			.interval_ns = opts->has_interval ? opts->interval_ns : INTERVAL_DEFAULT,
			.max_cpu = opts->has_max_cpu ? opts->max_cpu : MAX_CPU_DEFAULT,
			.limit = opts->has_limit ? opts->limit : LIMIT_DEFAULT,
			.match = opts->has_match ? &opts->match : NULL,
			.dump_dir = opts->pressure_dir,
			.cgroup_mount = "/sys/fs/cgroup",
			.threads = THREADS,
		},
		.pids = opts->pids,
		.pids_count = opts->pids_count,
		.socket = opts->socket ? opts->socket : PROTOCOL_SOCKET,
		.user = opts->user,
	};
	int r = check_usage(usage, opts, err);

	if (!r && http_parse_address(opts->listen ? opts->listen : HTTP_LISTEN, &daemon.http))
		r = options_error(usage, err, "--listen: '%.60s' is neither ADDR:PORT nor off",
				  opts->listen);
	return r ? r : daemon_run(&daemon, err);
}
