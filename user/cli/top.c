/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/top.h"

#include "advise/advise.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/ps.h"
#include "cli/source.h"
#include "cli/stall.h"
#include "cli/terminal.h"
#include "model/observer.h"
#include "model/service.h"
#include "model/spacing.h"
#include "tui/picker.h"
#include "tui/tui.h"
#include "view/text.h"

#include <errno.h>

#define BATCH_ROWS 20

/* How long a key may wait for its answer. */
#define SLICE (100 * NSEC_PER_MSEC)

#define CLEAR_SCREEN "\033[H\033[2J\033[3J"

/* One run of `top`. */
struct top {
	const struct options *opts;
	struct feed *feed;
	struct terminal terminal;
	bool screen; /* redraws; otherwise one table after the other */
	struct picture *baseline;
	uint64_t end; /* monotonic; UINT64_MAX: none */
	bool quit;
	uint64_t interval_ns; /* to the next picture */
	char note[384]; /* why there are no events; empty: there are, or none were asked for */
};

static void top_fini(struct top *top)
{
	terminal_fini(&top->terminal);
	feed_closep(&top->feed);
	picture_freep(&top->baseline);
}

/* Clears the screen. How many rows fit; fills in the width. */
static size_t begin_screen(const struct top *top, const struct picture *pic,
			   struct text_options *how)
{
	size_t head = TEXT_SCREEN_LINES + pic->partial_reasons_count + (*top->note ? 1 : 0) +
		      (pic->members_count ? pic->members_count + 2 : 0);
	size_t lines;

	if (!terminal_size(stdout, &how->width, &lines)) {
		how->width = 80; /* a terminal that does not tell: what they all had once */
		lines = 24;
	}
	fputs(CLEAR_SCREEN, stdout);
	if (*top->note)
		printf("%.*s\n", (int)how->width, top->note);
	return lines > head ? lines - head : 1;
}

static int draw(struct top *top, const struct picture *pic)
{
	struct text_options how = { .colour = options_colour(top->opts, stdout) };
	_cleanup_rows_ struct rows rows = { 0 };
	struct rows_options which = options_rows(top->opts, BATCH_ROWS);
	int r;

	if (top->screen) {
		size_t fits = begin_screen(top, pic, &how);

		which = options_rows(top->opts, fits);
		which.limit = which.limit ? MIN(which.limit, fits) : fits;
	}
	r = rows_init(&rows, pic, &which);
	if (!r)
		r = text_write_screen(stdout, pic, &rows, &how);
	if (!r && !top->screen && (fputs("\n", stdout) < 0 || fflush(stdout)))
		r = errno ? -errno : -EIO;
	return r;
}

/* The next picture on the screen. -ESRCH when the target is gone. */
static int show_next(struct top *top, struct error *err)
{
	_cleanup_picture_ struct picture *pic = NULL;
	int r = top->feed->ops->take(top->feed, interrupt_flag(), &pic, err);

	if (r)
		return r;
	/* What a dying process left half read is no news. */
	if (top->baseline && !top->feed->ops->is_alive(top->feed))
		return -ESRCH;
	if (top->baseline)
		picture_set_baseline(pic, top->baseline);
	top->interval_ns = spacing_picture(pic, top->opts->interval_ns, top->opts->max_cpu);
	r = draw(top, pic);
	if (r == -EPIPE || !r) {
		if (!top->baseline)
			top->baseline = TAKE_PTR(pic);
		return r;
	}
	return error_set(err, -r, EXIT_INTERNAL, "cannot write standard output: %s", strerror(-r));
}

/* Lets one interval pass, in slices, so that keys and the end of the target are seen. */
static int wait_interval(struct top *top)
{
	uint64_t until = MIN(clock_monotonic() + top->interval_ns, top->end), now;

	while (!top->quit && (now = clock_monotonic()) < until) {
		struct timespec slice = { .tv_nsec = (long)MIN(until - now, (uint64_t)SLICE) };

		if (*interrupt_flag())
			return -EINTR;
		if (!top->feed->ops->is_alive(top->feed))
			return -ESRCH;
		nanosleep(&slice, NULL);
		if (terminal_key(&top->terminal) == 'q')
			top->quit = true;
	}
	return 0;
}

/* The last data stay on the screen. */
static int say_ended(const struct top *top)
{
	bool colour = options_colour(top->opts, stdout);

	printf("%sprocess %d has ended; this is the last that was seen of it%s\n",
	       colour ? "\033[7m" : "", top->opts->pid, colour ? "\033[0m" : "");
	return EXIT_OK;
}

static int loop(struct top *top, struct error *err)
{
	int r = show_next(top, err);

	while (!r && !top->quit && clock_monotonic() < top->end) {
		r = wait_interval(top);
		if (!r && !top->quit)
			r = show_next(top, err);
	}
	if (r == -EINTR)
		return EXIT_OK; /* Ctrl-C is how one quits */
	if (r == -ESRCH && top->baseline) {
		*err = (struct error){ 0 };
		return say_ended(top);
	}
	return r;
}

/* Without a terminal nothing can be picked. */
static int check_batch(const struct options_usage *usage, const struct options *opts,
		       struct error *err)
{
	if (!opts->pid)
		return options_error(usage, err,
				     "which process? give its PID ('pymemtop ps' lists them)");
	return 0;
}

/* What the picker shows, as `pymemtop ps` finds it. */
struct choice {
	const struct options *opts;
	struct ps_list found;
	struct picker_entry *entries;
};

static void choice_fini(struct choice *choice)
{
	ps_list_fini(&choice->found);
	free(choice->entries);
}

static int load_choice(void *ctx, const struct picker_entry **ret, size_t *count, struct error *err)
{
	struct choice *choice = ctx;
	int r;

	ps_list_fini(&choice->found);
	r = ps_gather(&choice->found, choice->opts, err);
	if (r)
		return r;
	free(choice->entries);
	choice->entries = calloc(choice->found.count + 1, sizeof(*choice->entries));
	if (!choice->entries)
		return -ENOMEM;
	for (size_t i = 0; i < choice->found.count; i++) {
		const struct ps_entry *from = &choice->found.entries[i];

		choice->entries[i] = (struct picker_entry){
			.pid = from->pid,
			.version = from->version,
			.command = from->cmdline,
			.rss_bytes = from->rss_bytes,
			.reason = from->reason,
		};
	}
	*ret = choice->entries;
	*count = choice->found.count;
	return 0;
}

/* The PID that the user picks; 0: none. */
static int pick(struct display *display, const struct options *opts, struct error *err)
{
	cleanup(choice_fini) struct choice choice = { .opts = opts };
	const struct picker_source source = { .load = load_choice, .ctx = &choice };

	return picker_run(display, &source, interrupt_flag(), err);
}

static int advise(struct picture *pic)
{
	return advise_picture(pic, &(struct advise_options){ 0 });
}

/* A daemon that serves the process, or the process itself, or it and its descendants. */
static int open_feed(const struct options *opts, struct feed **ret, struct error *err)
{
	const struct service_options how = {
		.observer = {
			.events = opts->has_events ? opts->events : OBSERVER_EVENTS_BUDGET,
			.max_overhead = opts->max_overhead,
			.ring_bytes = opts->ring_bytes,
			.full_cmdline = opts->full_cmdline,
		},
		.finish = advise,
		.subprocesses = opts->subprocesses,
	};
	struct source *source = NULL;
	int r = opts->subprocesses ? -EAGAIN : source_ask(opts, &source, err);

	if (r == -EAGAIN)
		return service_open(opts->pid, &how, ret, err);
	if (!r)
		*ret = source_feed(source);
	return r;
}

/*
 * Opens and starts events. Where they are only the default and cannot be had, the census alone is
 * still most of what one came for: the user is told, once.
 */
static int start(struct top *top, struct error *err)
{
	struct error why = { 0 };
	int r = open_feed(top->opts, &top->feed, err);

	if (r)
		return r;
	r = top->feed->ops->start_events(top->feed, &why);
	if (!r)
		return 0;
	if (top->opts->has_events || r == -ESRCH) {
		*err = why;
		return r;
	}
	snprintf(top->note, sizeof(top->note), "no rates: %s",
		 error_is_set(&why) ? why.text : strerror(-r));
	return 0;
}

static int run_live(struct display *display, const struct options *opts, struct error *err)
{
	const struct tui_options how = {
		.watcher = {
			.events = !opts->has_events || opts->events != OBSERVER_EVENTS_OFF,
			.events_required = opts->has_events,
			.interval_ns = opts->interval_ns,
			.max_cpu = opts->max_cpu,
		},
		.sort = opts->sort,
		.filter = opts->filter_text,
		.limit = opts->has_limit ? opts->limit : 0,
		.values = opts->values,
		.duration_ns = opts->has_duration ? opts->duration_ns : 0,
		.stop = interrupt_flag(),
		.leaving = stall_quit,
	};
	struct feed *feed = NULL;
	int r;

	stall_change(opts->pid, STALL_NS);
	r = open_feed(opts, &feed, err);
	if (r)
		return r;
	/* It answers keys whatever its thread waits for, and shows how old the picture is. */
	stall_change(opts->pid, STALL_NEVER);
	return tui_run(display, feed, &how, err);
}

/* -ENOTSUP with nothing in @err: there is no terminal for it. */
static int try_live(const struct options *opts, struct error *err)
{
	_cleanup_display_ struct display *display = NULL;
	struct options chosen;
	int r = opts->batch ? -ENOTSUP : display_open(options_colour(opts, stdout), &display);

	if (r)
		return r;
	r = opts->pid ? opts->pid : pick(display, opts, err);
	if (r <= 0)
		return r;
	chosen = *opts;
	chosen.pid = r;
	return run_live(display, &chosen, err);
}

int top_run(const struct options_usage *usage, const struct options *opts, struct error *err)
{
	cleanup(top_fini) struct top top = { .opts = opts, .end = UINT64_MAX };
	int r = options_check_events(usage, opts, err);

	if (r)
		return r;
	r = try_live(opts, err);
	if (r != -ENOTSUP || error_is_set(err))
		return r;
	r = check_batch(usage, opts, err);
	if (!r)
		r = start(&top, err);
	if (r)
		return r;
	if (opts->has_duration)
		top.end = clock_monotonic() + opts->duration_ns;
	top.screen = !opts->batch && isatty(STDOUT_FILENO);
	if (*top.note && !top.screen)
		log_warning("%s", top.note);
	if (top.screen)
		terminal_init(&top.terminal);
	return loop(&top, err);
}
