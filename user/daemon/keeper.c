/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/keeper.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "daemon/firsts.h"
#include "daemon/pressure.h"
#include "daemon/turns.h"
#include "model/spacing.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>

#define SWEEP_INTERVAL (2 * NSEC_PER_SEC)
#define PRESSURE_INTERVAL NSEC_PER_SEC
#define TRIM_INTERVAL (10 * NSEC_PER_SEC)
/* A visit that takes longer hangs. */
#define STUCK_AFTER (30 * NSEC_PER_SEC)
/* Visits on request have a budget of their own for each process, as `top` has without a daemon. */
#define REQUEST_LEAST (100 * NSEC_PER_MSEC)
/* But nobody waits longer for an answer than this and the visit. */
#define REQUEST_MOST (30 * NSEC_PER_SEC)
#define RETRY_LEAST NSEC_PER_SEC
#define RETRY_MOST (60 * NSEC_PER_SEC)
#define STOP_WAIT (5 * NSEC_PER_SEC)

struct keeper_sweep {
	struct sweep sweep; /* first: the pool hands it back */
	struct keeper *keeper;
};

struct keeper {
	const struct keeper_options *options;
	struct event_base *base;
	struct threads *threads;
	struct watch_table table;
	struct keeper_sweep *sweep; /* under way; NULL: none */
	pid_t skip[SWEEP_SKIP_MAX];
	size_t skip_count;
	uint64_t sweep_at, pressure_at, trim_at;
	struct firsts firsts;
	bool first_waits; /* for its turn, as of the last tick */
	size_t refused;	  /* as it was logged last */
	volatile bool stop;
	keeper_deliver deliver;
	void *deliver_arg;
};

/* ---- visits ------------------------------------------------------------------------------------
 */

static void on_ended(evutil_socket_t fd, short what, void *arg)
{
	struct watch *watch = arg;
	struct keeper *keeper = watch->keeper;

	watch->gone = true;
	keeper->sweep_at = 0; /* it may be started again just now */
}

static void watch_exit(struct keeper *keeper, struct watch *watch)
{
	const struct process *proc = watch->visit.proc;

	if (watch->exit_event || !proc || proc->pidfd < 0)
		return;
	watch->exit_event = event_new(keeper->base, proc->pidfd, EV_READ, on_ended, watch);
	if (watch->exit_event)
		event_add(watch->exit_event, NULL);
}

static void drop(struct keeper *keeper, struct watch *watch)
{
	struct visit_render *render;

	while ((render = watch->waiting)) {
		watch->waiting = render->next;
		error_set(&render->error, ESRCH, EXIT_NO_PROCESS, "pid %d has ended", watch->pid);
		if (render->owner)
			keeper->deliver(keeper->deliver_arg, watch, render);
		else
			visit_render_free(render);
	}
	if (watch->exit_event)
		event_free(watch->exit_event);
	log_info("%d: no longer watched", watch->pid);
	watch_remove(&keeper->table, watch);
}

static uint64_t retry_after(const struct watch *watch)
{
	uint64_t wait = RETRY_LEAST << MIN(watch->failures, 10u);

	return MIN(wait, (uint64_t)RETRY_MOST);
}

static void note_failure(struct watch *watch)
{
	const struct visit *v = &watch->visit;
	bool no_python = v->result == -ENOEXEC;

	if (v->result == -ESRCH)
		watch->gone = true;
	if (!watch->failures && !no_python && !watch->gone)
		log_warning("%s", error_is_set(&v->error) ? v->error.text : strerror(-v->result));
	snprintf(watch->last_error, sizeof(watch->last_error), "%s",
		 error_is_set(&v->error) ? v->error.text : strerror(-v->result));
	/* What is no Python becomes one by exec only, which is a change. */
	watch->rejected = no_python;
	watch->failures++;
	watch->up = false;
}

static void note_success(struct keeper *keeper, struct watch *watch)
{
	const struct visit *v = &watch->visit;

	if (!watch->up)
		log_info("%d: watched, Python %s, %s", watch->pid, v->facts.version,
			 v->labels.service);
	if (*watch->shown.events_error && !watch->told_events)
		log_warning("%d: watched without events: %s", watch->pid,
			    watch->shown.events_error);
	watch->told_events = *watch->shown.events_error;
	if (*v->dumped)
		log_warning("%d is near the memory limit of its cgroup: wrote %s", watch->pid,
			    v->dumped);
	if (error_is_set(&v->dump_error))
		log_error("%s", v->dump_error.text);
	watch->up = true;
	watch->rejected = false;
	watch->last_error[0] = '\0';
	watch->failures = 0;
}

/* What all visits together cost a second of wall time, at the asked interval, stretches the
 * interval. */
static uint64_t interval_of(const struct keeper *keeper)
{
	/* Who was never looked at goes first. */
	double share = keeper->options->max_cpu * (keeper->first_waits ? 0.5 : 1), cost = 0;
	const struct watch *watch;

	for (watch = keeper->table.by_pid; watch; watch = watch->hh.next)
		cost += watch->up ? (double)watch->shown.cpu_ns : 0;
	return spacing_interval(keeper->options->interval_ns, cost, share);
}

static void hand_out(struct keeper *keeper, struct watch *watch)
{
	struct visit_render *render;

	while ((render = watch->visit.renders)) {
		watch->visit.renders = render->next;
		if (render->owner)
			keeper->deliver(keeper->deliver_arg, watch, render);
		else
			visit_render_free(render);
	}
}

/* What the visit found out becomes what is shown. The texts are moved: the next visit makes new
 * ones. */
static void take_facts(struct watch *watch)
{
	visit_facts_fini(&watch->shown);
	watch->shown = watch->visit.facts;
	for (int i = 0; i < OPENMETRICS_FAMILIES_COUNT; i++)
		watch->visit.facts.metrics[i] = (struct visit_text){ 0 };
}

static void end_first(struct keeper *keeper, struct watch *watch, uint64_t cpu_ns)
{
	if (watch->first)
		firsts_end(&keeper->firsts, cpu_ns);
	watch->first = false;
}

static void on_visited(struct threads_job *job)
{
	struct watch *watch = (struct watch *)job;
	struct keeper *keeper = watch->keeper;

	watch->busy = false;
	end_first(keeper, watch, watch->visit.whole_ns);
	if (watch->visit.close) {
		drop(keeper, watch);
		return;
	}
	watch->ended_at = clock_monotonic();
	watch->visited = true;
	take_facts(watch);
	if (watch->visit.result)
		note_failure(watch);
	else
		note_success(keeper, watch);
	watch->next_at =
		watch->ended_at + (watch->visit.result ? retry_after(watch) : interval_of(keeper));
	watch_exit(keeper, watch);
	hand_out(keeper, watch);
}

static void submit(struct keeper *keeper, struct watch *watch)
{
	struct visit *v = &watch->visit;

	if (!v->export)
		v->export = export_new(keeper->options->limit ? keeper->options->limit
							      : VISIT_TYPES_MAX);
	if (!v->export)
		return; /* no memory now; the next tick tries again */
	watch->keeper = keeper;
	watch->busy = true;
	v->interval_ns = interval_of(keeper);
	v->job.run = visit_run;
	v->job.done = on_visited;
	v->options = keeper->options->observer;
	v->wants_events = watch->turn;
	v->stop = &keeper->stop;
	v->close = watch->gone;
	if (!watch->visited && !v->close) {
		watch->first = true;
		firsts_begin(&keeper->firsts);
	}
	v->reopen = watch->changed;
	v->dump_dir = watch->wants_dump ? keeper->options->dump_dir : NULL;
	watch->wants_dump = watch->changed = false;
	v->renders = v->close ? NULL : watch->waiting;
	if (!v->close)
		watch->waiting = NULL;
	threads_submit(keeper->threads, &v->job);
}

static bool is_due(struct keeper *keeper, const struct watch *watch, uint64_t now)
{
	double share = MAX(keeper->options->max_cpu, SPACING_MAX_CPU);
	uint64_t rest = spacing_interval(REQUEST_LEAST, (double)watch->shown.cpu_ns, share);

	if (watch->gone || watch->changed || watch->wants_dump)
		return true;
	if (watch->rejected)
		return false;
	if (!watch->visited)
		return firsts_may(&keeper->firsts, now);
	if (watch->waiting && now >= watch->ended_at + MIN(rest, REQUEST_MOST))
		return true;
	return now >= watch->next_at;
}

/* ---- sweeps ------------------------------------------------------------------------------------
 */

static void on_swept(struct threads_job *job)
{
	struct keeper_sweep *mine = (struct keeper_sweep *)job;
	struct sweep *sweep = &mine->sweep;
	struct keeper *keeper = mine->keeper;
	int r;

	/* One that hung was given up, and another has taken its place. */
	if (keeper->sweep != mine) {
		sweep_free(sweep);
		return;
	}
	keeper->sweep = NULL;
	r = sweep->result ? sweep->result : watch_merge(&keeper->table, sweep);
	if (r < 0)
		log_error("cannot look for processes: %s", strerror(-r));
	if (keeper->table.refused > keeper->refused)
		log_warning("%zu processes match but are too many to be watched: at most %d, and "
			    "%d of one user",
			    keeper->table.refused, WATCH_MAX, WATCH_MAX_PER_USER);
	keeper->refused = keeper->table.refused;
	sweep_free(sweep);
}

/* Processes that made a sweep hang are passed over for as long as they are there. */
static void forget_skipped(struct keeper *keeper)
{
	size_t kept = 0;

	for (size_t i = 0; i < keeper->skip_count; i++) {
		if (!kill(keeper->skip[i], 0) || errno == EPERM)
			keeper->skip[kept++] = keeper->skip[i];
	}
	keeper->skip_count = kept;
}

static void start_sweep(struct keeper *keeper)
{
	struct keeper_sweep *mine = calloc(1, sizeof(*mine));
	struct sweep *sweep = &mine->sweep;

	if (!mine)
		return;
	mine->keeper = keeper;
	forget_skipped(keeper);
	memcpy(sweep->skip, keeper->skip, keeper->skip_count * sizeof(*sweep->skip));
	sweep->skip_count = keeper->skip_count;
	sweep->match = keeper->options->match;
	sweep->job.run = sweep_run;
	sweep->job.done = on_swept;
	keeper->sweep = mine;
	threads_submit(keeper->threads, &sweep->job);
}

static void on_stuck(struct threads_job *job, void *arg)
{
	struct keeper *keeper = arg;

	if (keeper->sweep && job == &keeper->sweep->sweep.job) {
		pid_t pid = keeper->sweep->sweep.at;

		log_error("%d: its command line cannot be read: it hangs; passed over from now on",
			  pid);
		if (pid && keeper->skip_count < SWEEP_SKIP_MAX)
			keeper->skip[keeper->skip_count++] = pid;
		keeper->sweep = NULL;
		return;
	}
	if (job->run == visit_run) {
		struct watch *watch = (struct watch *)job;

		log_error("%d: reading it hangs; it is left alone until it lets go", watch->pid);
		snprintf(watch->last_error, sizeof(watch->last_error), "reading it hangs");
		watch->up = false;
		end_first(keeper, watch, 0);
	}
}

/* ---- pressure ----------------------------------------------------------------------------------
 */

static void check_pressure(struct keeper *keeper)
{
	struct watch *watch;

	for (watch = keeper->table.by_pid; watch; watch = watch->hh.next) {
		double ratio =
			watch->up && !watch->gone && !watch->busy
				? pressure_read(watch->visit.proc, keeper->options->cgroup_mount)
				: NAN;

		if (ratio > PRESSURE_HIGH && !watch->pressed)
			watch->pressed = watch->wants_dump = true;
		else if (ratio < PRESSURE_LOW)
			watch->pressed = false;
	}
}

/* ---- the life of a keeper ----------------------------------------------------------------------
 */

int keeper_new(struct event_base *base, const struct keeper_options *options, struct keeper **ret)
{
	struct keeper *keeper = calloc(1, sizeof(*keeper));
	int r;

	if (!keeper)
		return -ENOMEM;
	keeper->base = base;
	keeper->options = options;
	keeper->firsts = firsts_new(options->max_cpu, clock_monotonic());
	r = threads_new(base, options->threads, &keeper->threads);
	if (r) {
		free(keeper);
		return r;
	}
	*ret = keeper;
	return 0;
}

int keeper_add_pid(struct keeper *keeper, pid_t pid, struct error *err)
{
	struct sweep_entry entry;
	int r = sweep_process(pid, NULL, &entry);

	if (r == -ESRCH)
		return error_set(err, ESRCH, EXIT_NO_PROCESS,
				 "no process %d: 'pymemtop ps' lists running Pythons", pid);
	if (r)
		return error_set(err, -r, EXIT_INTERNAL, "cannot look at pid %d: %s", pid,
				 strerror(-r));
	r = watch_add_root(&keeper->table, &entry);
	return r ? error_set(err, E2BIG, EXIT_USAGE, "at most %d PIDs; --match takes more",
			     WATCH_ROOTS_MAX)
		 : 0;
}

void keeper_set_deliver(struct keeper *keeper, keeper_deliver deliver, void *arg)
{
	keeper->deliver = deliver;
	keeper->deliver_arg = arg;
}

void keeper_tick(struct keeper *keeper)
{
	uint64_t now = clock_monotonic();
	struct watch *watch, *next;

	threads_check(keeper->threads, STUCK_AFTER, on_stuck, keeper);
	if (!keeper->sweep && now >= keeper->sweep_at) {
		keeper->sweep_at = now + SWEEP_INTERVAL;
		start_sweep(keeper);
	}
	if (keeper->options->dump_dir && now >= keeper->pressure_at) {
		keeper->pressure_at = now + PRESSURE_INTERVAL;
		check_pressure(keeper);
	}
	if (keeper->options->observer.events != OBSERVER_EVENTS_OFF)
		turns_assign(&keeper->table, now);
	keeper->first_waits = false;
	HASH_ITER (hh, keeper->table.by_pid, watch, next) {
		if (watch->busy)
			continue;
		if (is_due(keeper, watch, now))
			submit(keeper, watch);
		else
			keeper->first_waits |= !watch->visited && !watch->rejected;
	}
	/* A census frees what it took in pieces that malloc would keep. */
	if (now >= keeper->trim_at) {
		keeper->trim_at = now + TRIM_INTERVAL;
		malloc_trim(0);
	}
}

void keeper_reload(struct keeper *keeper)
{
	struct watch *watch;

	keeper->sweep_at = 0;
	keeper->skip_count = 0;
	for (watch = keeper->table.by_pid; watch; watch = watch->hh.next) {
		watch->changed = true;
		watch->failures = 0;
		watch->shown.events_error[0] = '\0';
	}
}

static bool is_visible(const struct watch *watch, const struct access_peer *peer)
{
	if (watch->gone || watch->rejected || !watch->visited || !watch->visit.proc)
		return false;
	return !peer || access_allows(peer, watch->visit.proc);
}

struct watch *keeper_find(struct keeper *keeper, pid_t pid, const struct access_peer *peer)
{
	struct watch *watch = watch_find(&keeper->table, pid);

	return watch && is_visible(watch, peer) ? watch : NULL;
}

struct watch *keeper_next(struct keeper *keeper, struct watch *watch,
			  const struct access_peer *peer)
{
	do
		watch = watch ? watch->hh.next : keeper->table.by_pid;
	while (watch && !is_visible(watch, peer));
	return watch;
}

void keeper_request(struct keeper *keeper, struct watch *watch, struct visit_render *render)
{
	render->next = watch->waiting;
	watch->waiting = render;
}

void keeper_cancel(struct keeper *keeper, const void *owner)
{
	struct watch *watch;

	for (watch = keeper->table.by_pid; watch; watch = watch->hh.next) {
		for (struct visit_render *r = watch->waiting; r; r = r->next)
			r->owner = r->owner == owner ? NULL : r->owner;
		/* Of a visit under way only the owner is the loop's. */
		for (struct visit_render *r = watch->visit.renders; r; r = r->next)
			r->owner = r->owner == owner ? NULL : r->owner;
	}
}

/* ---- what is told ------------------------------------------------------------------------------
 */

static void write_metrics(struct watch **list, size_t count, enum openmetrics_format format,
			  FILE *out)
{
	for (int f = 0; f < OPENMETRICS_FAMILIES_COUNT; f++) {
		openmetrics_write_head(out, (enum openmetrics_family)f, format);
		for (size_t i = 0; i < count; i++) {
			const struct visit_text *text = &list[i]->shown.metrics[f];

			if (text->text)
				fwrite(text->text, 1, text->len, out);
		}
	}
	openmetrics_write_end(out);
}

static void free_text(const void *data, size_t len, void *arg)
{
	free(arg);
}

int keeper_write_metrics(struct keeper *keeper, enum openmetrics_format format,
			 const struct access_peer *peer, struct evbuffer *out)
{
	_cleanup_free_ struct watch **list = calloc(WATCH_MAX, sizeof(struct watch *));
	struct watch *watch = NULL;
	size_t count = 0, len;
	char *text = NULL;
	FILE *stream = open_memstream(&text, &len);

	if (!list || !stream) {
		cleanup_fclose(&stream);
		free(text);
		return -ENOMEM;
	}
	while ((watch = keeper_next(keeper, watch, peer)))
		list[count++] = watch;
	write_metrics(list, count, format, stream);
	if (fclose(stream) || evbuffer_add_reference(out, text, len, free_text, text)) {
		free(text);
		return -ENOMEM;
	}
	return 0;
}

void keeper_count(const struct keeper *keeper, size_t *up, size_t *down)
{
	const struct watch *watch;

	*up = *down = 0;
	for (watch = keeper->table.by_pid; watch; watch = watch->hh.next) {
		*up += watch->up;
		*down += !watch->up && !watch->rejected && watch->visited;
	}
}

void keeper_free(struct keeper *keeper)
{
	struct watch *watch;

	keeper->stop = true;
	if (!threads_stop(keeper->threads, STOP_WAIT))
		return;
	for (watch = keeper->table.by_pid; watch; watch = watch->hh.next) {
		if (watch->exit_event)
			event_free(watch->exit_event);
	}
	watch_table_fini(&keeper->table);
	if (keeper->sweep)
		sweep_free(&keeper->sweep->sweep);
	threads_free(keeper->threads);
	free(keeper);
}
