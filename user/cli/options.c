/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/options.h"

#include "base/util.h"
#include "cli/options_table.h"
#include "cli/terminal.h"
#include "model/spacing.h"

#include <errno.h>
#include <stdarg.h>

int options_error(const struct options_usage *usage, struct error *err, const char *fmt, ...)
{
	char text[192];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return error_set(err, EINVAL, EXIT_USAGE, "%s; try '%s --help'", text, usage->name);
}

#define usage_error(p, ...) options_error((p)->usage, (p)->err, __VA_ARGS__)

static const struct options_row *find_row(const struct options_parse *p, int key)
{
	for (size_t i = 0; i < options_table_count; i++) {
		if (options_table[i].option.key == key &&
		    (options_table[i].commands & p->usage->command))
			return &options_table[i];
	}
	return NULL;
}

/* The long option that @name (up to '=') abbreviates, if it is only one. */
static const struct options_row *find_long(const struct options_parse *p, const char *name)
{
	size_t len = strcspn(name, "=");
	const struct options_row *found = NULL;

	for (size_t i = 0; i < options_table_count; i++) {
		const char *full = options_table[i].option.name;

		if (!(options_table[i].commands & p->usage->command) || strncmp(full, name, len))
			continue;
		if (strlen(full) == len)
			return &options_table[i];
		if (found)
			return NULL;
		found = &options_table[i];
	}
	return found;
}

static int explain_long(struct options_parse *p, const char *arg)
{
	const struct options_row *row = find_long(p, arg + 2);

	if (!row)
		return usage_error(p, "there is no option '%.60s'", arg);
	if (row->option.arg && !strchr(arg, '='))
		return usage_error(p, "option '--%s' needs %s", row->option.name, row->option.arg);
	if (!row->option.arg && strchr(arg, '='))
		return usage_error(p, "option '--%s' takes no value", row->option.name);
	return 0;
}

static int explain_short(struct options_parse *p, const char *arg)
{
	for (const char *letter = arg + 1; *letter; letter++) {
		const struct options_row *row = find_row(p, (unsigned char)*letter);

		if (!row)
			return usage_error(p, "there is no option '-%c'", *letter);
		if (row->option.arg)
			return letter[1] ? 0
					 : usage_error(p, "option '-%c' needs %s", *letter,
						       row->option.arg);
	}
	return 0;
}

/* argp only says that something was wrong near argv[next]: 0 when it was not @arg. */
static int explain(struct options_parse *p, const char *arg)
{
	if (!arg || arg[0] != '-' || !arg[1])
		return 0;
	return arg[1] == '-' ? explain_long(p, arg) : explain_short(p, arg);
}

static void explain_error(struct options_parse *p, const struct argp_state *state)
{
	/* getopt has passed the argument, unless it stopped within a group of letters. */
	if (p->done || error_is_set(p->err))
		return;
	if (state->next > 0 && explain(p, state->argv[state->next - 1]))
		return;
	if (state->next < state->argc && explain(p, state->argv[state->next]))
		return;
	usage_error(p, "bad option");
}

static error_t parse_key(int key, char *arg, struct argp_state *state)
{
	struct options_parse *p = state->input;
	const struct options_row *row;

	if (key == ARGP_KEY_ARG)
		return -options_table_argument(p, arg);
	if (key == ARGP_KEY_ERROR) {
		explain_error(p, state);
		return 0;
	}
	row = find_row(p, key);
	p->state = state;
	return row ? -row->parse(p, arg) : ARGP_ERR_UNKNOWN;
}

/* argp's note that arguments of long options count for short ones too is noise. */
static char *filter_help(int key, const char *text, void *input)
{
	return key == ARGP_KEY_HELP_DUP_ARGS_NOTE ? NULL : (char *)text;
}

/* The part of the table that @command takes, ended for argp. */
static void collect(enum options_command command, struct argp_option *ret)
{
	for (size_t i = 0; i < options_table_count; i++) {
		if (options_table[i].commands & command)
			*ret++ = options_table[i].option;
	}
	*ret = (struct argp_option){ 0 };
}

static void describe(const struct options_usage *usage, char *buf, size_t cap)
{
	snprintf(buf, cap, "%s%s%s", usage->summary, usage->details ? "\v" : "",
		 usage->details ? usage->details : "");
}

int options_parse(const struct options_usage *usage, int argc, char **argv, struct options *ret,
		  struct error *err)
{
	struct argp_option list[OPTIONS_TABLE_MAX];
	char doc[2048];
	const struct argp argp = {
		.options = list,
		.parser = parse_key,
		.args_doc = usage->args,
		.doc = doc,
		.help_filter = filter_help,
	};
	struct options_parse p = { .usage = usage, .opts = ret, .err = err };
	error_t r;

	*ret = (struct options){ .command = usage->command,
				 .interval_ns = 2 * NSEC_PER_SEC,
				 .max_overhead = 0.02,
				 .max_cpu = SPACING_MAX_CPU };
	collect(usage->command, list);
	describe(usage, doc, sizeof(doc));
	r = argp_parse(&argp, argc, argv, ARGP_NO_ERRS | ARGP_NO_EXIT | ARGP_NO_HELP, NULL, &p);
	if (p.done)
		return OPTIONS_DONE;
	if (r == ENOMEM)
		return error_set(err, ENOMEM, EXIT_INTERNAL, "out of memory");
	if (r)
		return error_is_set(err) ? -EINVAL : usage_error(&p, "bad option");
	return OPTIONS_RUN;
}

int options_check_events(const struct options_usage *usage, const struct options *opts,
			 struct error *err)
{
	if (opts->has_overhead && opts->has_events && opts->events != OBSERVER_EVENTS_BUDGET)
		return options_error(usage, err, "--max-overhead is for --events budget");
	if (opts->ring_bytes && opts->has_events && opts->events == OBSERVER_EVENTS_OFF)
		return options_error(usage, err, "--ring is for --events budget or exact");
	return 0;
}

void options_fini(struct options *opts)
{
	if (opts->has_match)
		regfree(&opts->match);
	opts->has_match = false;
	if (opts->has_filter)
		regfree(&opts->filter);
	opts->has_filter = false;
}

struct rows_options options_rows(const struct options *opts, size_t default_limit)
{
	return (struct rows_options){
		.sort = opts->sort,
		.filter = opts->has_filter ? &opts->filter : NULL,
		.limit = opts->has_limit ? opts->limit : default_limit,
	};
}

bool options_colour(const struct options *opts, FILE *stream)
{
	const char *no = getenv("NO_COLOR"), *force = getenv("CLICOLOR_FORCE"),
		   *term = getenv("TERM");

	if (opts->no_color || (no && *no))
		return false;
	if (force && *force && !streq(force, "0"))
		return true;
	return isatty(fileno(stream)) && term && !streq(term, "dumb");
}

struct text_options options_text(const struct options *opts, FILE *stream)
{
	struct text_options how = { .colour = options_colour(opts, stream) };
	size_t lines;

	if (!terminal_size(stream, &how.width, &lines))
		how.width = 0;
	return how;
}
