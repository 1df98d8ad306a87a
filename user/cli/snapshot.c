/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/snapshot.h"

#include "advise/advise.h"
#include "base/clock.h"
#include "base/util.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/source.h"
#include "model/observer.h"
#include "view/json.h"
#include "view/schema.h"
#include "view/text.h"

#include <errno.h>

/* A terminal is told every second how far the watch is. */
#define WATCH_SLICE NSEC_PER_SEC

static int check_usage(const struct options_usage *usage, const struct options *opts,
		       struct error *err)
{
	if (opts->schema)
		return 0;
	if (!opts->pid)
		return options_error(usage, err,
				     "which process? give its PID ('pymemtop ps' lists them)");
	if (opts->has_events && opts->events != OBSERVER_EVENTS_OFF && !opts->has_duration)
		return options_error(usage, err,
				     "--events needs time to watch: add --duration 10s");
	if ((opts->has_overhead || opts->ring_bytes) && !opts->has_duration)
		return options_error(usage, err, "%s needs time to watch: add --duration 10s",
				     opts->ring_bytes ? "--ring" : "--max-overhead");
	if (options_check_events(usage, opts, err))
		return -EINVAL;
	if (opts->force && !opts->output)
		return options_error(usage, err, "--force is for --output FILE");
	return 0;
}

static enum observer_events mode_of(const struct options *opts)
{
	if (opts->has_events)
		return opts->events;
	return opts->has_duration ? OBSERVER_EVENTS_BUDGET : OBSERVER_EVENTS_OFF;
}

/* Why a watch ended early, for the user and for partial_reasons; empty when it did not. */
struct watched {
	char reason[96];
};

static int watch(struct source *source, const struct options *opts, struct watched *ret)
{
	uint64_t begin = clock_monotonic(), total = opts->duration_ns, passed = 0;
	int r = 0;

	while (!r && passed < total) {
		char text[96];

		snprintf(text, sizeof(text), "watching %d: %.0f s of %.0f s; Ctrl-C ends it early",
			 opts->pid, (double)passed / 1e9, (double)total / 1e9);
		if (total > NSEC_PER_SEC)
			progress_show(text);
		r = source_run(source, MIN(total - passed, WATCH_SLICE), interrupt_flag());
		passed = clock_monotonic() - begin;
	}
	progress_end();
	if (r && r != -EINTR && r != -ESRCH)
		return r;
	if (r)
		snprintf(ret->reason, sizeof(ret->reason), "%s after %.1f s of %.1f s",
			 r == -EINTR ? "the watch was interrupted" : "the process ended",
			 (double)passed / 1e9, (double)total / 1e9);
	interrupt_clear();
	return 0;
}

static int take(struct source *source, struct picture **ret, struct error *err)
{
	int r;

	progress_begin("reading the heap; Ctrl-C stops");
	r = source_take(source, interrupt_flag(), ret, err);
	progress_end();
	return r;
}

static int observe(const struct options *opts, struct picture **ret, struct error *err)
{
	const struct observer_options how = {
		.events = mode_of(opts),
		.max_overhead = opts->max_overhead,
		.ring_bytes = opts->ring_bytes,
		.full_cmdline = opts->full_cmdline,
		.duplicates = opts->duplicates,
	};
	const struct advise_options advise = { 0 };
	_cleanup_source_ struct source *source = NULL;
	_cleanup_picture_ struct picture *pic = NULL;
	struct watched watched = { 0 };
	int r = source_open(opts, &how, &source, err);

	if (r)
		return r;
	if (opts->has_duration) {
		r = source_start_events(source, err);
		if (!r)
			r = watch(source, opts, &watched);
		if (r)
			return r;
	}
	r = take(source, &pic, err);
	if (r)
		return r;
	r = advise_picture(pic, &advise);
	if (!r && *watched.reason)
		r = picture_add_partial(pic, "%s", watched.reason);
	if (!r)
		*ret = TAKE_PTR(pic);
	return r;
}

static int write_text(FILE *out, const struct picture *pic, const struct rows *rows,
		      const struct options *opts)
{
	struct text_options how = options_text(opts, out);

	return text_write_picture(out, pic, rows, &how);
}

static int write_picture(const struct picture *pic, const struct options *opts, struct error *err)
{
	const struct rows_options which = options_rows(opts, 0);
	_cleanup_output_ struct output out = { 0 };
	_cleanup_rows_ struct rows rows = { 0 };
	int r = rows_init(&rows, pic, &which);

	if (!r)
		r = output_open(&out, opts->output, opts->force, err);
	if (r)
		return r;
	r = opts->format == OPTIONS_FORMAT_TEXT
		    ? write_text(out.stream, pic, &rows, opts)
		    : json_write_picture(out.stream, pic, &rows, JSON_STYLE_ROWS);
	if (r == -EINTR)
		return r;
	return r ? output_failed(&out, r, err) : output_commit(&out, err);
}

static int write_schema(const struct options *opts, struct error *err)
{
	_cleanup_output_ struct output out = { 0 };
	int r = output_open(&out, opts->output, opts->force, err);

	if (r)
		return r;
	r = schema_write(out.stream);
	return r ? output_failed(&out, r, err) : output_commit(&out, err);
}

int snapshot_run(const struct options_usage *usage, const struct options *opts, struct error *err)
{
	_cleanup_picture_ struct picture *pic = NULL;
	int r = check_usage(usage, opts, err);

	if (!r)
		r = output_check(opts->output, opts->force, err);
	if (r)
		return r;
	if (opts->schema)
		return write_schema(opts, err);

	r = observe(opts, &pic, err);
	if (r)
		return r;
	/* The first Ctrl-C keeps what was seen, the second one is meant. */
	if (interrupt_count() > 1)
		return -EINTR;
	r = write_picture(pic, opts, err);
	if (r)
		return r;
	return pic->partial_reasons_count ? EXIT_PARTIAL : EXIT_OK;
}
