/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/options_table.h"

#include "base/format.h"
#include "base/log.h"
#include "base/util.h"
#include "probe/ring.h"
#include "version.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>

#define OBSERVING (OPTIONS_TOP | OPTIONS_SNAPSHOT | OPTIONS_RECORD)
#define WRITING (OPTIONS_SNAPSHOT | OPTIONS_RECORD | OPTIONS_DIFF | OPTIONS_ADVISE | OPTIONS_REPORT)
/* Commands whose arguments are, or may be, files. */
#define READING (OPTIONS_DIFF | OPTIONS_ADVISE | OPTIONS_REPORT)

#define INTERVAL_LEAST (100 * NSEC_PER_MSEC)
#define DURATION_MOST (366 * 24 * 3600 * NSEC_PER_SEC)

/* Keys of options without a letter. */
enum {
	KEY_SORT = 0x100,
	KEY_FILTER,
	KEY_FORMAT,
	KEY_EVENTS,
	KEY_OVERHEAD,
	KEY_RING,
	KEY_MAX_CPU,
	KEY_FULL_CMDLINE,
	KEY_SCHEMA,
	KEY_NO_COLOR,
	KEY_MATCH,
	KEY_SOCKET,
	KEY_LISTEN,
	KEY_USER,
	KEY_PRESSURE,
	KEY_VALUES,
	KEY_FAIL_GROWTH,
	KEY_ALL,
	KEY_DUPLICATES,
	KEY_CEILING
};

#define usage_error(p, ...) options_error((p)->usage, (p)->err, __VA_ARGS__)

static int parse_pid(struct options_parse *p, const char *arg)
{
	long long pid = 0;
	char *end = NULL;

	errno = 0;
	if (*arg >= '0' && *arg <= '9')
		pid = strtoll(arg, &end, 10);
	if (!end || *end || errno || pid < 1 || pid > INT_MAX)
		return usage_error(p, "'%.60s' is not a PID", arg);
	if (p->usage->command & OPTIONS_DAEMON) {
		if (p->opts->pids_count == OPTIONS_PIDS_MAX)
			return usage_error(p, "at most %d PIDs; --match takes more",
					   OPTIONS_PIDS_MAX);
		p->opts->pids[p->opts->pids_count++] = (pid_t)pid;
		return 0;
	}
	if (p->opts->pid && p->opts->pid != (pid_t)pid)
		return usage_error(p, "one PID at a time, not %d and %lld", p->opts->pid, pid);
	p->opts->pid = (pid_t)pid;
	return 0;
}

static int parse_output(struct options_parse *p, const char *arg)
{
	if (!*arg)
		return usage_error(p, "--output needs a file name");
	p->opts->output = arg;
	return 0;
}

static int parse_force(struct options_parse *p, const char *arg)
{
	p->opts->force = true;
	return 0;
}

static int parse_duration(struct options_parse *p, const char *arg)
{
	uint64_t ns;

	if (format_parse_duration(arg, &ns) || !ns || ns > DURATION_MOST)
		return usage_error(p, "'%.60s' is not a duration like 500ms, 10s, 2m, 1h", arg);
	p->opts->duration_ns = ns;
	p->opts->has_duration = true;
	return 0;
}

static int parse_interval(struct options_parse *p, const char *arg)
{
	uint64_t ns;

	if (format_parse_duration(arg, &ns) || ns < INTERVAL_LEAST || ns > DURATION_MOST)
		return usage_error(
			p, "'%.60s' is not an interval of at least 100ms, like 500ms, 2s, 1m", arg);
	p->opts->interval_ns = ns;
	p->opts->has_interval = true;
	return 0;
}

static int parse_limit(struct options_parse *p, const char *arg)
{
	unsigned long long n = 0;
	char *end = NULL;

	errno = 0;
	if (*arg >= '0' && *arg <= '9')
		n = strtoull(arg, &end, 10);
	if (!end || *end || errno || n > LONG_MAX)
		return usage_error(p, "'%.60s' is not a number of rows", arg);
	p->opts->limit = (size_t)n;
	p->opts->has_limit = true;
	return 0;
}

static int parse_sort(struct options_parse *p, const char *arg)
{
	const struct rows_key *key = rows_find_key(arg);

	if (!key)
		return usage_error(p, "cannot sort by '%.40s', only by %s", arg, rows_key_names());
	p->opts->sort = key;
	return 0;
}

static int compile(struct options_parse *p, const char *arg, regex_t *ret)
{
	char why[96];
	regex_t regex;
	int r = regcomp(&regex, arg, REG_EXTENDED | REG_NOSUB);

	if (r) {
		regerror(r, &regex, why, sizeof(why));
		return usage_error(p, "'%.60s' is not a regular expression: %s", arg, why);
	}
	*ret = regex;
	return 0;
}

static int parse_filter(struct options_parse *p, const char *arg)
{
	regex_t filter;
	int r = compile(p, arg, &filter);

	if (r)
		return r;
	if (p->opts->has_filter)
		regfree(&p->opts->filter);
	p->opts->filter = filter;
	p->opts->filter_text = arg;
	p->opts->has_filter = true;
	return 0;
}

static int parse_match(struct options_parse *p, const char *arg)
{
	regex_t match;
	int r;

	if (p->opts->has_match)
		return usage_error(p, "--match once; '(one|other)' matches both");
	r = compile(p, arg, &match);
	if (r)
		return r;
	p->opts->match = match;
	p->opts->has_match = true;
	return 0;
}

static int parse_socket(struct options_parse *p, const char *arg)
{
	if (!*arg)
		return usage_error(p, "--socket needs a path");
	p->opts->socket = arg;
	return 0;
}

static int parse_listen(struct options_parse *p, const char *arg)
{
	p->opts->listen = arg;
	return 0;
}

static int parse_user(struct options_parse *p, const char *arg)
{
	p->opts->user = arg;
	return 0;
}

static int parse_pressure(struct options_parse *p, const char *arg)
{
	p->opts->pressure_dir = arg;
	return 0;
}

static int parse_format(struct options_parse *p, const char *arg)
{
	if (!streq(arg, "json") && !streq(arg, "text"))
		return usage_error(p, "'%.60s' is not a format, only json or text", arg);
	p->opts->format = streq(arg, "json") ? OPTIONS_FORMAT_JSON : OPTIONS_FORMAT_TEXT;
	return 0;
}

static int parse_events(struct options_parse *p, const char *arg)
{
	static const char *const words[] = {
		[OBSERVER_EVENTS_OFF] = "off",
		[OBSERVER_EVENTS_BUDGET] = "budget",
		[OBSERVER_EVENTS_EXACT] = "exact",
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++) {
		if (streq(words[i], arg)) {
			p->opts->events = i;
			p->opts->has_events = true;
			return 0;
		}
	}
	return usage_error(p, "'%.60s' is not a mode of events, only budget, exact or off", arg);
}

static int parse_overhead(struct options_parse *p, const char *arg)
{
	double ratio;

	if (format_parse_ratio(arg, &ratio) || !(ratio > 0))
		return usage_error(p, "'%.60s' is not an overhead like 2%% or 0.02", arg);
	p->opts->max_overhead = ratio;
	p->opts->has_overhead = true;
	return 0;
}

static int parse_ring(struct options_parse *p, const char *arg)
{
	uint64_t bytes;

	if (format_parse_size(arg, &bytes) || bytes < RING_BYTES_LEAST || bytes > RING_BYTES_MOST)
		return usage_error(p, "'%.60s' is not a size of 32KiB to 1GiB, like 64MiB", arg);
	p->opts->ring_bytes = bytes;
	return 0;
}

static int parse_max_cpu(struct options_parse *p, const char *arg)
{
	double ratio;

	if (format_parse_ratio(arg, &ratio) || !(ratio > 0))
		return usage_error(p, "'%.60s' is not a share of a core like 10%% or 0.1", arg);
	p->opts->max_cpu = ratio;
	p->opts->has_max_cpu = true;
	return 0;
}

static int parse_full_cmdline(struct options_parse *p, const char *arg)
{
	p->opts->full_cmdline = true;
	return 0;
}

static int parse_schema(struct options_parse *p, const char *arg)
{
	p->opts->schema = true;
	return 0;
}

static int parse_fail_growth(struct options_parse *p, const char *arg)
{
	const char *equals = strrchr(arg, '='), *size = equals ? equals + 1 : arg;
	struct options_gate gate = { 0 };

	if (format_parse_size(size, &gate.bytes) || equals == arg)
		return usage_error(p, "'%.60s' is not a growth like 10MiB or TYPE=64KiB", arg);
	if (p->opts->gates_count == OPTIONS_GATES_MAX)
		return usage_error(p, "--fail-growth at most %d times", OPTIONS_GATES_MAX);
	if (equals) {
		gate.type = arg;
		gate.type_len = (size_t)(equals - arg);
	}
	p->opts->gates[p->opts->gates_count++] = gate;
	return 0;
}

static int parse_all(struct options_parse *p, const char *arg)
{
	p->opts->all = true;
	return 0;
}

static int parse_duplicates(struct options_parse *p, const char *arg)
{
	p->opts->duplicates = true;
	return 0;
}

static int parse_subprocesses(struct options_parse *p, const char *arg)
{
	p->opts->subprocesses = true;
	return 0;
}

static int parse_values(struct options_parse *p, const char *arg)
{
	p->opts->values = true;
	return 0;
}

static int parse_ceiling(struct options_parse *p, const char *arg)
{
	if (format_parse_size(arg, &p->opts->ceiling_bytes) || !p->opts->ceiling_bytes)
		return usage_error(p, "'%.60s' is not a size like 512MiB or 2GiB", arg);
	return 0;
}

static int parse_file(struct options_parse *p, const char *arg)
{
	size_t most = p->usage->command & OPTIONS_DIFF ? 2 : 1;

	if (!*arg)
		return usage_error(p, "a file has no empty name");
	if (p->opts->files_count == most)
		return usage_error(p, "unexpected argument '%.60s'", arg);
	p->opts->files[p->opts->files_count++] = arg;
	return 0;
}

/* Where both may stand, what is all digits is a PID; ./4242 is a file. */
int options_table_argument(struct options_parse *p, const char *arg)
{
	if (!*p->usage->args)
		return usage_error(p, "unexpected argument '%.60s'", arg);
	if (!(p->usage->command & READING))
		return parse_pid(p, arg);
	if ((p->usage->command & OPTIONS_ADVISE) && *arg && !arg[strspn(arg, "0123456789")])
		return parse_pid(p, arg);
	return parse_file(p, arg);
}

static int parse_batch(struct options_parse *p, const char *arg)
{
	p->opts->batch = true;
	return 0;
}

static int parse_no_color(struct options_parse *p, const char *arg)
{
	p->opts->no_color = true;
	return 0;
}

static int parse_verbose(struct options_parse *p, const char *arg)
{
	log_set_level(MIN((unsigned int)log_get_level() + 1, (unsigned int)LOG_LEVEL_DEBUG));
	return 0;
}

static int parse_version(struct options_parse *p, const char *arg)
{
	printf("pymemtop %s\n", PYMEMTOP_VERSION);
	p->done = true;
	return -ECANCELED;
}

static int parse_help(struct options_parse *p, const char *arg)
{
	struct argp_state *state = p->state;
	unsigned int flags = state->flags;

	/* argp prints no help either where it is told to print no errors. */
	state->flags &= ~(unsigned int)ARGP_NO_ERRS;
	state->name = (char *)p->usage->name;
	argp_state_help(state, stdout, ARGP_HELP_SHORT_USAGE | ARGP_HELP_LONG | ARGP_HELP_DOC);
	state->flags = flags;
	p->done = true;
	return -ECANCELED;
}

const struct options_row options_table[] = {
	{ { "pid", 'p', "PID", 0, "The process to look at; PID alone says the same", 0 },
	  OBSERVING | OPTIONS_DOCTOR | OPTIONS_ADVISE | OPTIONS_DAEMON,
	  parse_pid },
	{ { "output", 'o', "FILE", 0, "Write to FILE, which must not exist yet; - is stdout", 0 },
	  WRITING,
	  parse_output },
	{ { "force", 'f', NULL, 0, "Overwrite FILE", 0 }, WRITING, parse_force },
	{ { "duration", 'd', "TIME", 0, "How long to watch: 500ms, 10s, 2m, 1h", 0 },
	  OBSERVING,
	  parse_duration },
	{ { "interval", 'i', "TIME", 0, "Time from one table or line to the next (2s)", 0 },
	  OPTIONS_TOP | OPTIONS_RECORD | OPTIONS_DAEMON,
	  parse_interval },
	{ { "limit", 'n', "N", 0, "Show the first N types; 0: all", 0 },
	  OBSERVING | OPTIONS_DIFF | OPTIONS_ADVISE | OPTIONS_DAEMON,
	  parse_limit },
	{ { "sort", KEY_SORT, "KEY", 0,
	    "Order of types, largest first: bytes, objects, sizeof, delta, delta-objects, alloc, "
	    "free; or name",
	    0 },
	  OBSERVING,
	  parse_sort },
	{ { "filter", KEY_FILTER, "REGEX", 0, "Only types whose name matches (POSIX extended)", 0 },
	  OBSERVING | OPTIONS_DIFF | OPTIONS_ADVISE,
	  parse_filter },
	{ { "format", KEY_FORMAT, "json|text", 0, "Form of the output", 0 },
	  OPTIONS_SNAPSHOT | OPTIONS_PS | OPTIONS_DIFF | OPTIONS_ADVISE,
	  parse_format },
	{ { "events", KEY_EVENTS, "budget|exact|off", 0,
	    "Watch allocations: in short windows, all of them, or none", 0 },
	  OBSERVING | OPTIONS_DAEMON,
	  parse_events },
	{ { "max-overhead", KEY_OVERHEAD, "RATIO", 0,
	    "The most that the target may be slowed down in budget mode (2%)", 0 },
	  OBSERVING | OPTIONS_DAEMON,
	  parse_overhead },
	{ { "ring", KEY_RING, "SIZE", 0,
	    "Memory for records of allocations on their way to pymemtop (40MiB with exact, else "
	    "5MiB)",
	    0 },
	  OBSERVING | OPTIONS_DAEMON,
	  parse_ring },
	{ { "max-cpu", KEY_MAX_CPU, "RATIO", 0,
	    "The most of one core that censuses may take; intervals grow to keep it (10%)", 0 },
	  OPTIONS_TOP | OPTIONS_RECORD | OPTIONS_DAEMON,
	  parse_max_cpu },
	{ { "full-cmdline", KEY_FULL_CMDLINE, NULL, 0,
	    "Show all arguments of a process; they may hold secrets", 0 },
	  OBSERVING | OPTIONS_PS | OPTIONS_ADVISE | OPTIONS_DAEMON,
	  parse_full_cmdline },
	{ { "schema", KEY_SCHEMA, NULL, 0, "Print the JSON Schema of a snapshot", 0 },
	  OPTIONS_SNAPSHOT,
	  parse_schema },
	{ { "fail-growth", KEY_FAIL_GROWTH, "[TYPE=]SIZE", 0,
	    "Exit with 7 when more than SIZE was added, by all types together or by one; may be "
	    "given more than once",
	    0 },
	  OPTIONS_DIFF,
	  parse_fail_growth },
	{ { "all", KEY_ALL, NULL, 0, "Also advice that saves less than 1% of the heap", 0 },
	  OPTIONS_ADVISE,
	  parse_all },
	{ { "duplicates", KEY_DUPLICATES, NULL, 0,
	    "Look for equal str objects too, which takes a little longer", 0 },
	  OPTIONS_SNAPSHOT | OPTIONS_RECORD,
	  parse_duplicates },
	{ { "ceiling", KEY_CEILING, "SIZE", 0,
	    "Say when what grows in a recording brings the process to SIZE", 0 },
	  OPTIONS_ADVISE,
	  parse_ceiling },
	{ { "batch", 'b', NULL, 0, "One table after the other, without a terminal", 0 },
	  OPTIONS_TOP,
	  parse_batch },
	{ { "subprocesses", 's', NULL, 0, "Show the process and its descendants as one service",
	    0 },
	  OPTIONS_TOP,
	  parse_subprocesses },
	{ { "values", KEY_VALUES, NULL, 0,
	    "Show values of sample instances, and of strs with many copies; they may hold secrets",
	    0 },
	  OPTIONS_TOP | OPTIONS_ADVISE,
	  parse_values },
	{ { "match", KEY_MATCH, "REGEX", 0,
	    "Watch every Python whose command line matches (POSIX extended)", 0 },
	  OPTIONS_DAEMON,
	  parse_match },
	{ { "socket", KEY_SOCKET, "PATH", 0, "Socket of the daemon (/run/pymemtop/pymemtop.sock)",
	    0 },
	  OBSERVING | OPTIONS_DAEMON,
	  parse_socket },
	{ { "listen", KEY_LISTEN, "ADDR:PORT", 0,
	    "Serve metrics there (127.0.0.1:9748); off: nowhere", 0 },
	  OPTIONS_DAEMON,
	  parse_listen },
	{ { "on-pressure", KEY_PRESSURE, "DIR", 0,
	    "Write a full snapshot to DIR when the cgroup of a process nears its memory limit", 0 },
	  OPTIONS_DAEMON,
	  parse_pressure },
	{ { "user", KEY_USER, "NAME", 0,
	    "Become this user, with only the capabilities that are needed", 0 },
	  OPTIONS_DAEMON,
	  parse_user },
	{ { "no-color", KEY_NO_COLOR, NULL, 0,
	    "No colours; NO_COLOR and CLICOLOR_FORCE are heeded too", 0 },
	  OPTIONS_ALL,
	  parse_no_color },
	{ { "verbose", 'v', NULL, 0, "Say more on stderr; twice: much more", 0 },
	  OPTIONS_ALL,
	  parse_verbose },
	{ { "help", 'h', NULL, 0, "Print this help", -1 }, OPTIONS_ALL, parse_help },
	{ { "version", 'V', NULL, 0, "Print the version", -1 }, OPTIONS_ALL, parse_version },
};

_Static_assert(ARRAY_SIZE(options_table) < OPTIONS_TABLE_MAX, "room for the end");
const size_t options_table_count = ARRAY_SIZE(options_table);
