/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/diff.h"

#include "base/format.h"
#include "base/log.h"
#include "base/util.h"
#include "cli/files.h"
#include "cli/output.h"
#include "model/diff.h"
#include "view/changes.h"

#include <errno.h>

#define ROWS_SHOWN 40

/* Two files: the last snapshot of each. One: the first and the last of a recording. */
static int read_both(const struct options *opts, struct picture **before, struct picture **after,
		     struct error *err)
{
	int r;

	if (opts->files_count == 1) {
		r = files_read(opts->files[0], NULL, NULL, before, after, err);
		if (!r && !*before)
			return error_set(err, EINVAL, EXIT_USAGE,
					 "%.120s holds only one snapshot: give a second file, or a "
					 "recording",
					 opts->files[0]);
		return r;
	}
	r = files_read(opts->files[0], NULL, NULL, NULL, before, err);
	return r ? r : files_read(opts->files[1], NULL, NULL, NULL, after, err);
}

static int write_diff(const struct diff *diff, const struct options *opts, struct error *err)
{
	bool json = opts->format == OPTIONS_FORMAT_JSON;
	_cleanup_output_ struct output out = { 0 };
	struct changes_options how = {
		.filter = opts->has_filter ? &opts->filter : NULL,
		.limit = opts->has_limit ? opts->limit
			 : json		 ? 0
					 : ROWS_SHOWN,
	};
	int r = output_open(&out, opts->output, opts->force, err);

	if (r)
		return r;
	how.text = options_text(opts, out.stream);
	r = json ? changes_write_json(out.stream, diff, &how)
		 : changes_write_text(out.stream, diff, &how);
	return r ? output_failed(&out, r, err) : output_commit(&out, err);
}

static bool is_there(const struct picture *pic, const struct options_gate *gate)
{
	for (size_t i = 0; i < pic->types_count; i++)
		if (strlen(pic->types[i].name) == gate->type_len &&
		    !strncmp(pic->types[i].name, gate->type, gate->type_len))
			return true;
	return false;
}

/* A gate for a type that is nowhere may be a slip of the pen. */
static void warn_of_gates(const struct diff *diff, const struct options *opts)
{
	for (size_t i = 0; i < opts->gates_count; i++) {
		const struct options_gate *gate = &opts->gates[i];

		if (gate->type && !is_there(diff->before, gate) && !is_there(diff->after, gate))
			log_warning("no type is called %.*s: --fail-growth cannot see it grow",
				    (int)MIN(gate->type_len, (size_t)100), gate->type);
	}
}

/* All that grew too much, in one line; true when anything did. */
static bool check_gates(const struct diff *diff, const struct options *opts)
{
	char text[1024] = "";

	for (size_t i = 0; i < opts->gates_count; i++) {
		const struct options_gate *gate = &opts->gates[i];
		int64_t growth = gate->type ? diff_growth_of(diff, gate->type, gate->type_len)
					    : diff->delta_bytes;
		char grew[FORMAT_SIZE_MAX], most[FORMAT_SIZE_MAX];
		size_t len = strlen(text);

		if (growth <= 0 || (uint64_t)growth <= gate->bytes)
			continue;
		snprintf(text + len, sizeof(text) - len, "%s%.*s grew by %s, more than %s",
			 len ? "; " : "", gate->type ? (int)MIN(gate->type_len, (size_t)100) : 7,
			 gate->type ? gate->type : "objects", format_size(grew, (uint64_t)growth),
			 format_size(most, gate->bytes));
	}
	if (*text)
		log_error("%s", text);
	return *text;
}

int diff_run(const struct options_usage *usage, const struct options *opts, struct error *err)
{
	_cleanup_picture_ struct picture *before = NULL, *after = NULL;
	_cleanup_diff_ struct diff *diff = NULL;
	int r;

	if (!opts->files_count)
		return options_error(usage, err,
				     "which snapshots? give two files, or one recording");
	if (opts->force && !opts->output)
		return options_error(usage, err, "--force is for --output FILE");
	r = output_check(opts->output, opts->force, err);
	if (!r)
		r = read_both(opts, &before, &after, err);
	if (!r)
		r = diff_new(before, after, &diff);
	if (!r)
		r = write_diff(diff, opts, err);
	if (r)
		return r;
	warn_of_gates(diff, opts);
	if (check_gates(diff, opts))
		return EXIT_THRESHOLD;
	return before->partial_reasons_count || after->partial_reasons_count ? EXIT_PARTIAL
									     : EXIT_OK;
}
