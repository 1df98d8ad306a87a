/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/record.h"

#include "advise/advise.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "model/observer.h"
#include "model/spacing.h"
#include "view/json.h"

#include <errno.h>

struct recording {
	const struct options *opts;
	struct observer *obs;
	struct output out;
	struct picture *baseline; /* the first one: what deltas count from */
	uint64_t interval_ns;	  /* that the last line's cost leaves: as asked, or longer */
	bool partial;		  /* the last line is */
	size_t lines;
};

static void recording_fini(struct recording *rec)
{
	observer_closep(&rec->obs);
	picture_freep(&rec->baseline);
	output_fini(&rec->out);
}

static int check_usage(const struct options_usage *usage, const struct options *opts,
		       struct error *err)
{
	if (!opts->pid)
		return options_error(usage, err,
				     "which process? give its PID ('pymemtop ps' lists them)");
	if (options_check_events(usage, opts, err))
		return -EINVAL;
	if (opts->force && !opts->output)
		return options_error(usage, err, "--force is for --output FILE");
	return 0;
}

/* Where events are only the default and cannot be had, the census alone is recorded. */
static int start(struct recording *rec, struct error *err)
{
	const struct options *opts = rec->opts;
	struct observer_options how = {
		.events = opts->has_events ? opts->events : OBSERVER_EVENTS_BUDGET,
		.max_overhead = opts->max_overhead,
		.ring_bytes = opts->ring_bytes,
		.full_cmdline = opts->full_cmdline,
		.duplicates = opts->duplicates,
	};
	struct error why = { 0 };
	int r = observer_open(opts->pid, &how, &rec->obs, err);

	if (r)
		return r;
	r = observer_start_events(rec->obs, &why);
	if (!r || opts->has_events || r == -ESRCH) {
		if (r)
			*err = why;
		return r;
	}
	log_warning("no rates are recorded: %s", error_is_set(&why) ? why.text : strerror(-r));
	observer_closep(&rec->obs);
	how.events = OBSERVER_EVENTS_OFF;
	return observer_open(opts->pid, &how, &rec->obs, err);
}

/* The line is made first and written whole: what is in the file is always complete lines. */
static int write_line(struct recording *rec, const struct picture *pic)
{
	const struct rows_options which = options_rows(rec->opts, 0);
	_cleanup_rows_ struct rows rows = { 0 };
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	FILE *line;
	int r = rows_init(&rows, pic, &which);

	if (r)
		return r;
	line = open_memstream(&text, &len);
	if (!line)
		return -ENOMEM;
	r = json_write_picture(line, pic, &rows, JSON_STYLE_LINE);
	if (fclose(line) && !r)
		r = -ENOMEM;
	return r ? r : output_append(&rec->out, text, len);
}

static int take(struct recording *rec, struct error *err)
{
	const struct advise_options advise = { 0 };
	_cleanup_picture_ struct picture *pic = NULL;
	int r = observer_take(rec->obs, interrupt_flag(), &pic, err);

	if (!r && rec->baseline)
		picture_set_baseline(pic, rec->baseline);
	if (!r)
		r = advise_picture(pic, &advise);
	if (r)
		return r;
	rec->interval_ns = spacing_picture(pic, rec->opts->interval_ns, rec->opts->max_cpu);
	r = write_line(rec, pic);
	if (r)
		return output_failed(&rec->out, r, err);
	rec->lines++;
	rec->partial = pic->partial_reasons_count > 0;
	if (!rec->baseline)
		rec->baseline = TAKE_PTR(pic);
	return 0;
}

static void show_progress(const struct recording *rec, uint64_t begin)
{
	char text[96];

	snprintf(text, sizeof(text), "recording %d: %zu lines in %.0f s; Ctrl-C ends it",
		 rec->opts->pid, rec->lines, (double)(clock_monotonic() - begin) / 1e9);
	progress_show(text);
}

/* The first of the moments an interval apart that is still to come, and by which the last line is
 * paid. */
static uint64_t next_moment(const struct recording *rec, uint64_t last)
{
	uint64_t interval = rec->opts->interval_ns;
	uint64_t from = MAX(last + rec->interval_ns, clock_monotonic());

	return last + (from - last + interval - 1) / interval * interval;
}

/* One line at once and one for each interval; a census that is dear or slow skips some. */
static int loop(struct recording *rec, struct error *err)
{
	uint64_t begin = clock_monotonic(), next = begin;
	uint64_t end = rec->opts->has_duration ? begin + rec->opts->duration_ns : UINT64_MAX;
	int r = take(rec, err);

	while (!r) {
		uint64_t now = clock_monotonic();

		next = next_moment(rec, next);
		if (next > end)
			break;
		if (rec->out.path)
			show_progress(rec, begin);
		r = observer_run(rec->obs, next > now ? next - now : 0, interrupt_flag());
		if (!r)
			r = take(rec, err);
	}
	progress_end();
	return r;
}

int record_run(const struct options_usage *usage, const struct options *opts, struct error *err)
{
	cleanup(recording_fini) struct recording rec = { .opts = opts };
	int r = check_usage(usage, opts, err);

	if (!r)
		r = output_check(opts->output, opts->force, err);
	if (!r)
		r = start(&rec, err);
	if (!r)
		r = output_open_stream(&rec.out, opts->output, opts->force, err);
	if (r)
		return r;
	r = loop(&rec, err);
	/* Ctrl-C and the end of the process are how a recording ends. */
	if (rec.lines && (r == -EINTR || r == -ESRCH)) {
		bool early = r == -ESRCH && opts->has_duration;

		*err = (struct error){ 0 };
		r = output_commit(&rec.out, err);
		return r ? r : early || rec.partial ? EXIT_PARTIAL : EXIT_OK;
	}
	if (r)
		return r;
	r = output_commit(&rec.out, err);
	return r ? r : rec.partial ? EXIT_PARTIAL : EXIT_OK;
}
