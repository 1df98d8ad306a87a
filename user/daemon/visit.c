/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/visit.h"

#include "advise/advise.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "base/util.h"
#include "daemon/dump.h"
#include "daemon/fold.h"
#include "view/json.h"

#include <errno.h>

void visit_render_free(struct visit_render *render)
{
	free(render->text);
	free(render);
}

void visit_facts_fini(struct visit_facts *facts)
{
	for (int i = 0; i < OPENMETRICS_FAMILIES_COUNT; i++)
		free(facts->metrics[i].text);
	*facts = (struct visit_facts){ 0 };
}

/* ---- the observer ------------------------------------------------------------------------------
 */

static int open_process(struct visit *v)
{
	int r;

	if (v->proc)
		return 0;
	r = process_open(v->pid, &v->proc, &v->error);
	if (!r && v->proc->start_time_ticks != v->start_time_ticks) {
		process_freep(&v->proc);
		return error_set(&v->error, ESRCH, EXIT_NO_PROCESS,
				 "pid %d is another process by now", v->pid);
	}
	if (!r)
		labels_read(v->proc, &v->labels);
	return r;
}

/* Without events a census is still most of it: the reason for having none is kept. */
static void switch_events(struct visit *v)
{
	bool wanted = v->wants_events && !*v->facts.events_error;
	struct error why = { 0 };
	int r;

	if (v->has_events == wanted)
		return;
	v->has_events = false;
	if (!wanted) {
		observer_rest(v->obs);
		return;
	}
	v->lost_of_observer = 0;
	r = observer_start_events(v->obs, &why);
	v->has_events = !r;
	if (r && r != -ESRCH)
		snprintf(v->facts.events_error, sizeof(v->facts.events_error), "%s",
			 error_is_set(&why) ? why.text : strerror(-r));
}

static int ensure_observer(struct visit *v)
{
	int r = 0;

	if (v->obs && v->reopen)
		observer_closep(&v->obs);
	if (!v->obs) {
		v->has_events = false;
		r = observer_open(v->pid, &v->options, &v->obs, &v->error);
		if (!r)
			observer_rest(v->obs);
	}
	if (!r)
		switch_events(v);
	return r;
}

/* ---- what comes of a picture -------------------------------------------------------------------
 */

static void render(struct visit_render *request, const struct picture *pic)
{
	const struct rows_options which = { .sort = request->sort, .limit = request->limit };
	_cleanup_rows_ struct rows rows = { 0 };
	int r = rows_init(&rows, pic, &which);
	FILE *out = r ? NULL : open_memstream(&request->text, &request->len);

	if (out) {
		r = json_write_picture(out, pic, &rows, JSON_STYLE_LINE);
		if (fclose(out) && !r)
			r = -ENOMEM;
	} else if (!r) {
		r = -ENOMEM;
	}
	if (!r && request->len > VISIT_RENDER_MAX)
		r = error_set(&request->error, EMSGSIZE, EXIT_INTERNAL,
			      "the snapshot has %zu bytes: ask with a limit", request->len);
	if (!r)
		return;
	free(request->text);
	request->text = NULL;
	error_set(&request->error, -r, EXIT_INTERNAL, "cannot make the snapshot: %s", strerror(-r));
}

static void fail_renders(struct visit *v)
{
	for (struct visit_render *r = v->renders; r; r = r->next) {
		if (!r->text && !error_is_set(&r->error))
			error_set(&r->error, -v->result,
				  v->error.exit_code ? v->error.exit_code : EXIT_INTERNAL, "%s",
				  error_is_set(&v->error) ? v->error.text : strerror(-v->result));
	}
}

static int write_family(struct visit *v, enum openmetrics_family family,
			const struct openmetrics_process *process)
{
	struct visit_text text = { 0 };
	FILE *out = open_memstream(&text.text, &text.len);

	if (!out)
		return -ENOMEM;
	openmetrics_write_samples(out, family, process);
	if (fclose(out)) {
		free(text.text);
		return -ENOMEM;
	}
	free(v->facts.metrics[family].text);
	v->facts.metrics[family] = text;
	return 0;
}

/* @pic: NULL for a process of which nothing could be read. */
static int write_metrics(struct visit *v, const struct picture *pic)
{
	struct openmetrics_process process = {
		.pid = v->pid,
		.service = v->labels.service,
		.pod = *v->labels.pod ? v->labels.pod : NULL,
		.container = *v->labels.container ? v->labels.container : NULL,
		.up = !!pic,
		.pic = pic,
		.lost = v->lost,
	};
	int r = 0;

	if (pic)
		process.rows = export_rows(v->export, &process.rows_count);
	for (int i = 0; !r && i < OPENMETRICS_FAMILIES_COUNT; i++)
		r = write_family(v, (enum openmetrics_family)i, &process);
	return r;
}

static void count_lost(struct visit *v, const struct picture *pic)
{
	if (!v->has_events || pic->events.lost == PICTURE_UNKNOWN)
		return;
	v->lost = MAX(v->lost, 0) + MAX(pic->events.lost - v->lost_of_observer, 0);
	v->lost_of_observer = pic->events.lost;
}

static int update_export(struct visit *v, const struct picture *pic)
{
	uint64_t now = clock_monotonic();
	bool traced = v->has_events;
	/* Where turns are taken, rates stand for the time since the turn before. */
	double elapsed = traced && v->rates_at ? (double)(now - v->rates_at) / 1e9 : 0;
	int r = export_update(v->export, pic, elapsed);

	if (traced)
		v->rates_at = now;
	count_lost(v, pic);
	return r;
}

static void summarize(struct visit *v, const struct picture *pic)
{
	v->facts.rss_bytes = pic->memory.rss_bytes;
	v->facts.inuse_bytes = pic->memory.python_inuse_bytes;
	v->facts.taken_at_unix_ns = pic->taken_at_unix_ns;
	snprintf(v->facts.version, sizeof(v->facts.version), "%s",
		 pic->process.python_version ?: "");
	utf8_sanitize(v->facts.cmdline, sizeof(v->facts.cmdline), pic->process.cmdline ?: "",
		      strlen(pic->process.cmdline ?: ""));
}

static int visit_census(struct visit *v)
{
	_cleanup_picture_ struct picture *pic = NULL;
	int r = open_process(v);
	uint64_t cpu;

	if (!r)
		r = ensure_observer(v);
	/* What comes again each interval: opening does not. */
	cpu = clock_read(CLOCK_THREAD_CPUTIME_ID);
	if (!r)
		r = observer_take(v->obs, v->stop, &pic, &v->error);
	/* A cut off picture of a process that ended is no measure of it. */
	if (!r && !observer_is_alive(v->obs))
		r = error_set(&v->error, ESRCH, EXIT_NO_PROCESS, "pid %d has ended", v->pid);
	if (!r)
		r = advise_picture(pic, &(struct advise_options){ 0 });
	if (r)
		return r;
	if (v->dump_dir)
		dump_write(v->dump_dir, pic, v->dumped, sizeof(v->dumped), &v->dump_error);
	pic->census.interval_ms = (double)v->interval_ns / NSEC_PER_MSEC;
	r = fold_picture(pic, VISIT_TYPES_MAX);
	if (!r)
		r = update_export(v, pic);
	if (!r)
		r = write_metrics(v, pic);
	if (r)
		return r;
	v->facts.cpu_ns = clock_read(CLOCK_THREAD_CPUTIME_ID) - cpu;
	summarize(v, pic);
	for (struct visit_render *request = v->renders; request; request = request->next)
		render(request, pic);
	return 0;
}

void visit_run(struct threads_job *job)
{
	struct visit *v = (struct visit *)job;
	uint64_t cpu = clock_read(CLOCK_THREAD_CPUTIME_ID);

	if (v->close) {
		observer_closep(&v->obs);
		return;
	}
	v->error = v->dump_error = (struct error){ 0 };
	v->dumped[0] = '\0';
	if (v->reopen)
		v->facts.events_error[0] = '\0';
	v->result = visit_census(v);
	v->reopen = false;
	if (v->result) {
		observer_closep(&v->obs);
		fail_renders(v);
		if (v->proc)
			write_metrics(v, NULL);
	}
	v->whole_ns = clock_read(CLOCK_THREAD_CPUTIME_ID) - cpu;
}

void visit_fini(struct visit *v)
{
	struct visit_render *next;

	for (struct visit_render *r = v->renders; r; r = next) {
		next = r->next;
		visit_render_free(r);
	}
	observer_closep(&v->obs);
	process_freep(&v->proc);
	export_freep(&v->export);
	visit_facts_fini(&v->facts);
}
