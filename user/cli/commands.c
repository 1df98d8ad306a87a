/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/commands.h"

#include "base/log.h"
#include "base/util.h"
#include "cli/advise_command.h"
#include "cli/completion.h"
#include "cli/diff.h"
#include "cli/doctor.h"
#include "cli/interrupt.h"
#include "cli/ps.h"
#include "cli/record.h"
#include "cli/report_command.h"
#include "cli/serve.h"
#include "cli/snapshot.h"
#include "cli/stall.h"
#include "cli/top.h"
#include "probe/links_process.h"
#include "version.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdlib.h>

/*
 * Blocks from here on have a mapping of their own, and are given back when they are freed. Left
 * alone malloc learns from the first of them that it need not (mallopt(3)), and what a census frees
 * stays below what it leaves.
 */
#define MALLOC_MAPS_FROM (128 * 1024)

#define EXIT_CODES                                                                                 \
	"Exit codes: 0 done, 1 internal error, 2 usage, 3 no such process, 4 no permission, "      \
	"5 not a Python we support, 6 partial result."

static const struct commands_entry commands[] = {
	{
		.name = "top",
		.usage = {
			.command = OPTIONS_TOP,
			.name = "pymemtop top",
			.args = "[PID]",
			.summary = "Shows live where the memory of a running Python is, by type.",
			.details = "Without a PID it lists the running Pythons to choose from. h shows all keys, q "
				   "or Ctrl-C quits. Without a terminal, with TERM=dumb or --batch, one table is "
				   "printed after the other. " EXIT_CODES,
		},
		.run = top_run,
	},
	{
		.name = "snapshot",
		.usage = {
			.command = OPTIONS_SNAPSHOT,
			.name = "pymemtop snapshot",
			.args = "PID",
			.summary = "Prints one snapshot of where the memory of a running Python is, as JSON.",
			.details = "With --duration it watches allocations that long first, else it places no "
				   "probe. " EXIT_CODES,
		},
		.run = snapshot_run,
	},
	{
		.name = "record",
		.usage = {
			.command = OPTIONS_RECORD,
			.name = "pymemtop record",
			.args = "PID",
			.summary = "Writes one snapshot a line (NDJSON), every interval, as long as wanted.",
			.details = "Each line is whole as soon as it is there. Without --duration it goes on until "
				   "Ctrl-C, or until the process ends.\n" EXIT_CODES,
		},
		.run = record_run,
	},
	{
		.name = "diff",
		.usage = {
			.command = OPTIONS_DIFF,
			.name = "pymemtop diff",
			.args = "A [B]",
			.summary = "Says what changed from one snapshot to another, or in a recording.",
			.details = "A, B: files of snapshot or record, of which the last line counts; with A alone its "
				   "first and last line.\n" EXIT_CODES " 7 a --fail-growth was crossed.",
		},
		.run = diff_run,
	},
	{
		.name = "advise",
		.usage = {
			.command = OPTIONS_ADVISE,
			.name = "pymemtop advise",
			.args = "PID|FILE",
			.summary = "Says what to change in the code, and how many bytes that saves.",
			.details = "FILE: of snapshot or record; of a recording also what keeps growing.\n" EXIT_CODES,
		},
		.run = advise_command_run,
	},
	{
		.name = "report",
		.usage = {
			.command = OPTIONS_REPORT,
			.name = "pymemtop report",
			.args = "FILE",
			.summary = "Makes one HTML page of a snapshot or a recording, to hand on.",
			.details = "The page holds its data and loads nothing from anywhere.\n" EXIT_CODES,
		},
		.run = report_command_run,
	},
	{
		.name = "daemon",
		.usage = {
			.command = OPTIONS_DAEMON,
			.name = "pymemtop daemon",
			.args = "[PID...]",
			.summary = "Keeps watching Pythons: serves other commands on a socket, and metrics over "
				   "HTTP.",
			.details = "What is given by --pid is watched with its descendants, and again when it is "
				   "restarted. SIGHUP looks at everything again. " EXIT_CODES,
		},
		.run = serve_run,
	},
	{
		.name = "ps",
		.usage = {
			.command = OPTIONS_PS,
			.name = "pymemtop ps",
			.args = "",
			.summary = "Lists running Pythons: version, build, RSS, and whether they are supported.",
			.details = EXIT_CODES,
		},
		.run = ps_run,
	},
	{
		.name = "doctor",
		.usage = {
			.command = OPTIONS_DOCTOR,
			.name = "pymemtop doctor",
			.args = "[PID]",
			.summary = "Says what this kernel, these rights and a process allow, and how to mend "
				   "what they do not.",
			.details = EXIT_CODES,
		},
		.run = doctor_run,
	},
};

const struct commands_entry *commands_all(size_t *count)
{
	*count = ARRAY_SIZE(commands);
	return commands;
}

static const struct commands_entry *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (streq(commands[i].name, name))
			return &commands[i];
	}
	return NULL;
}

static void print_overview(void)
{
	printf("Usage: pymemtop [COMMAND] [OPTION...] PID\n"
	       "Says where the memory of a running Python is, live, by type and by dict layout.\n\n"
	       "Commands; without one it is top:\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-10s %s\n", commands[i].name, commands[i].usage.summary);
	printf("\n  -h, --help       of a command too: pymemtop snapshot --help\n"
	       "  -V, --version\n"
	       "  --completion bash|zsh|fish   prints completion for a shell\n\n" EXIT_CODES "\n");
}

/* What was printed may not have arrived. */
static int flush_stdout(struct error *err)
{
	errno = 0;
	if (!fflush(stdout) && !ferror(stdout))
		return 0;
	if (errno == EPIPE)
		return -EPIPE;
	return error_set(err, errno ? errno : EIO, EXIT_INTERNAL,
			 "cannot write standard output: %s", strerror(errno ? errno : EIO));
}

static int run_command(const struct commands_entry *command, int argc, char **argv,
		       struct error *err)
{
	_cleanup_options_ struct options opts = { 0 };
	int r = options_parse(&command->usage, argc, argv, &opts, err);

	/* The daemon has threads to spare. */
	if (r == OPTIONS_RUN && opts.command != OPTIONS_DAEMON)
		stall_watch(opts.pid, STALL_NS);
	if (r == OPTIONS_RUN)
		return command->run(&command->usage, &opts, err);
	return r == OPTIONS_DONE ? EXIT_OK : r;
}

static int dispatch(int argc, char **argv, struct error *err)
{
	const char *word = argc > 1 ? argv[1] : "";
	const struct commands_entry *command = find(word);

	if (command)
		return run_command(command, argc - 1, argv + 1, err);
	if (streq(word, "-h") || streq(word, "--help")) {
		print_overview();
		return EXIT_OK;
	}
	if (streq(word, "-V") || streq(word, "--version")) {
		printf("pymemtop %s\n", PYMEMTOP_VERSION);
		return EXIT_OK;
	}
	if (streq(word, "--completion") && argc == 3)
		return completion_write(stdout, argv[2])
			       ? error_set(err, EINVAL, EXIT_USAGE,
					   "completion is for bash, zsh and fish")
			       : EXIT_OK;
	if (*word && *word != '-' && !(*word >= '0' && *word <= '9'))
		return error_set(err, EINVAL, EXIT_USAGE,
				 "'%.60s' is neither a command nor a PID; try 'pymemtop --help'",
				 word);
	return run_command(&commands[0], argc, argv, err);
}

/* One level quieter than libbpf means it: a failure that matters comes back as our own error. */
static int log_libbpf(enum libbpf_print_level level, const char *fmt, va_list args)
{
	char text[1024];

	vsnprintf(text, sizeof(text), fmt, args);
	log_message(level == LIBBPF_WARN ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG, "%s", text);
	return 0;
}

int commands_main(int argc, char **argv)
{
	struct error err = { 0 };
	int r, flushed;

	mallopt(M_MMAP_THRESHOLD, MALLOC_MAPS_FROM);
	libbpf_set_print(log_libbpf);
	interrupt_install();
	r = dispatch(argc, argv, &err);
	links_process_stop();
	flushed = flush_stdout(r < 0 ? NULL : &err);
	if (r >= 0 && flushed < 0)
		r = flushed;
	if (r >= 0)
		return r;
	if (r == -EINTR) {
		log_error("interrupted: nothing was written");
		interrupt_die();
	}
	if (r == -EPIPE && !error_is_set(&err))
		return EXIT_OK;
	log_error("%s", error_is_set(&err) ? err.text : strerror(-r));
	return error_is_set(&err) ? (int)err.exit_code : EXIT_INTERNAL;
}
