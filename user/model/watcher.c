/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/watcher.h"

#include "base/clock.h"
#include "base/util.h"
#include "model/spacing.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>

/* However cheap a census is, it is under way for half of the time at most. */
#define REST_FACTOR 2
/* How often a waiting thread looks whether the target still runs. */
#define GLANCE_NS (250 * NSEC_PER_MSEC)

struct watcher {
	struct watcher_options opts;
	struct feed *feed; /* the thread's, once it runs */
	pthread_t thread;
	bool joinable;
	int fd;
	volatile bool stop; /* also ends a census */

	pthread_mutex_t lock; /* for what follows */
	pthread_cond_t changed;
	struct picture *picture; /* not taken yet */
	struct watcher_status status;
	uint64_t interval_ns;
	uint64_t least_ns; /* that the last picture's cost leaves of it */
	uint64_t samples_type;
	bool samples_values;
	bool hurry;	/* the next picture at once */
	bool published; /* there was a picture */
};

static void notify(struct watcher *watcher)
{
	const uint64_t one = 1;
	ssize_t r = write(watcher->fd, &one, sizeof(one));

	(void)r; /* a full counter is readable as well */
}

static void set_phase(struct watcher *watcher, enum watcher_phase phase)
{
	pthread_mutex_lock(&watcher->lock);
	watcher->status.phase = phase;
	pthread_mutex_unlock(&watcher->lock);
	notify(watcher);
}

static void publish(struct watcher *watcher, struct picture *pic)
{
	pthread_mutex_lock(&watcher->lock);
	picture_freep(&watcher->picture);
	watcher->least_ns = spacing_picture(pic, 0, watcher->opts.max_cpu);
	spacing_picture(pic, watcher->interval_ns, watcher->opts.max_cpu);
	watcher->picture = pic;
	watcher->published = true;
	pthread_mutex_unlock(&watcher->lock);
	notify(watcher);
}

/* The next picture. What a dying process left half read is given out only if there is nothing
 * better. */
static int take(struct watcher *watcher, bool first, struct error *err)
{
	struct picture *pic = NULL;
	int r;

	r = watcher->feed->ops->take(watcher->feed, &watcher->stop, &pic, err);
	if (r)
		return r;
	if (!first && !watcher->feed->ops->is_alive(watcher->feed)) {
		picture_free(pic);
		return -ESRCH;
	}
	publish(watcher, pic);
	return 0;
}

/* Lets the interval pass. False when it is time to end. */
static bool wait_for_next(struct watcher *watcher, uint64_t began)
{
	uint64_t took = clock_monotonic() - began, least;
	bool alive = true;

	pthread_mutex_lock(&watcher->lock);
	least = MAX(watcher->least_ns, REST_FACTOR * took);
	while (!watcher->stop && !watcher->hurry && alive) {
		uint64_t now = clock_monotonic();
		uint64_t due = began + MAX(watcher->interval_ns, least);
		uint64_t until = MIN(due, now + GLANCE_NS);
		struct timespec at = { .tv_sec = (time_t)(until / NSEC_PER_SEC),
				       .tv_nsec = (long)(until % NSEC_PER_SEC) };

		if (now >= due)
			break;
		pthread_cond_timedwait(&watcher->changed, &watcher->lock, &at);
		alive = watcher->feed->ops->is_alive(watcher->feed);
	}
	watcher->hurry = false;
	pthread_mutex_unlock(&watcher->lock);
	return alive && !watcher->stop;
}

static void apply_samples(struct watcher *watcher)
{
	uint64_t type;
	bool values;

	pthread_mutex_lock(&watcher->lock);
	type = watcher->samples_type;
	values = watcher->samples_values;
	pthread_mutex_unlock(&watcher->lock);
	if (watcher->feed->ops->want_samples)
		watcher->feed->ops->want_samples(watcher->feed, type, values);
}

/*
 * Events are often only the default: where they cannot be had, the census alone is still most of
 * what one came for.
 */
static int start_events(struct watcher *watcher, struct error *err)
{
	struct error why = { 0 };
	int r;

	if (!watcher->opts.events)
		return 0;
	r = watcher->feed->ops->start_events(watcher->feed, &why);
	if (!r || r == -ESRCH)
		return r;
	if (watcher->opts.events_required) {
		*err = why;
		return r;
	}
	if (!error_is_set(&why))
		error_set(&why, -r, EXIT_INTERNAL, "%s", strerror(-r));
	pthread_mutex_lock(&watcher->lock);
	watcher->status.events = why;
	pthread_mutex_unlock(&watcher->lock);
	return 0;
}

static int watch(struct watcher *watcher, struct error *err)
{
	uint64_t began = clock_monotonic();
	int r = take(watcher, true, err);

	if (!r)
		r = start_events(watcher, err);
	if (!r)
		set_phase(watcher, WATCHER_RUNNING);
	while (!r && wait_for_next(watcher, began)) {
		apply_samples(watcher);
		began = clock_monotonic();
		r = take(watcher, false, err);
	}
	return r;
}

static void *run(void *ctx)
{
	struct watcher *watcher = ctx;
	struct error err = { 0 };
	int r = watch(watcher, &err);
	bool ended;

	pthread_mutex_lock(&watcher->lock);
	ended = (r == 0 || r == -ESRCH) && watcher->published;
	watcher->status.error = err;
	pthread_mutex_unlock(&watcher->lock);
	if (r != -EINTR)
		set_phase(watcher, ended ? WATCHER_ENDED : WATCHER_FAILED);
	return NULL;
}

/* Signals are for the thread that has the terminal. */
static int start_thread(struct watcher *watcher)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&watcher->thread, NULL, run, watcher);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	watcher->joinable = !r;
	return -r;
}

static int init_lock(struct watcher *watcher)
{
	pthread_condattr_t attr;
	int r;

	pthread_mutex_init(&watcher->lock, NULL);
	r = pthread_condattr_init(&attr);
	if (r)
		return -r;
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	r = pthread_cond_init(&watcher->changed, &attr);
	pthread_condattr_destroy(&attr);
	return -r;
}

int watcher_new(struct feed *feed, const struct watcher_options *opts, struct watcher **ret)
{
	struct watcher *watcher = calloc(1, sizeof(*watcher));
	int r;

	if (!watcher) {
		feed_closep(&feed);
		return -ENOMEM;
	}
	watcher->feed = feed;
	watcher->opts = *opts;
	watcher->interval_ns = opts->interval_ns;
	watcher->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = watcher->fd < 0 ? -errno : init_lock(watcher);
	if (!r)
		r = start_thread(watcher);
	if (r) {
		watcher_free(watcher);
		return r;
	}
	*ret = watcher;
	return 0;
}

void watcher_free(struct watcher *watcher)
{
	pthread_mutex_lock(&watcher->lock);
	watcher->stop = true;
	pthread_cond_signal(&watcher->changed);
	pthread_mutex_unlock(&watcher->lock);
	if (watcher->joinable)
		pthread_join(watcher->thread, NULL);
	feed_closep(&watcher->feed);
	picture_freep(&watcher->picture);
	if (watcher->fd >= 0)
		close(watcher->fd);
	pthread_cond_destroy(&watcher->changed);
	pthread_mutex_destroy(&watcher->lock);
	free(watcher);
}

int watcher_fd(const struct watcher *watcher)
{
	return watcher->fd;
}

struct picture *watcher_take(struct watcher *watcher)
{
	struct picture *pic;
	uint64_t count;
	ssize_t r = read(watcher->fd, &count, sizeof(count));

	(void)r; /* nothing to read is fine */
	pthread_mutex_lock(&watcher->lock);
	pic = TAKE_PTR(watcher->picture);
	pthread_mutex_unlock(&watcher->lock);
	return pic;
}

void watcher_status(struct watcher *watcher, struct watcher_status *ret)
{
	pthread_mutex_lock(&watcher->lock);
	*ret = watcher->status;
	pthread_mutex_unlock(&watcher->lock);
}

void watcher_set_interval(struct watcher *watcher, uint64_t interval_ns)
{
	pthread_mutex_lock(&watcher->lock);
	watcher->interval_ns = interval_ns;
	pthread_cond_signal(&watcher->changed);
	pthread_mutex_unlock(&watcher->lock);
}

bool watcher_has_samples(const struct watcher *watcher)
{
	return watcher->feed->ops->want_samples;
}

void watcher_want_samples(struct watcher *watcher, uint64_t type, bool values)
{
	pthread_mutex_lock(&watcher->lock);
	watcher->hurry |= type && type != watcher->samples_type;
	watcher->samples_type = type;
	watcher->samples_values = values;
	pthread_cond_signal(&watcher->changed);
	pthread_mutex_unlock(&watcher->lock);
}
