/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/source.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "daemon/client.h"
#include "daemon/protocol.h"

#include <errno.h>
#include <signal.h>

#define NAP_NS (50 * NSEC_PER_MSEC)

struct source {
	struct feed feed;
	pid_t pid;
	struct client *client; /* one of the two */
	struct observer *obs;
	struct picture
		*first; /* of the daemon: it answered with it whether it serves the process */
};

static bool may_ask(const struct options *opts)
{
	return !opts->has_events && !opts->has_overhead && !opts->ring_bytes &&
	       !opts->full_cmdline && !opts->values &&
	       (opts->command == OPTIONS_TOP || !opts->has_duration);
}

/* 0; -ENOENT or -ESRCH where the daemon is not there or does not serve it; else its error. */
static int ask(const struct options *opts, struct source *source, struct error *err)
{
	struct error why = { 0 };
	int r = client_open(opts->socket ? opts->socket : PROTOCOL_SOCKET, &source->client, &why);

	if (!r)
		r = client_take(source->client, opts->pid, NULL, &source->first, &why);
	if (!r)
		return 0;
	if (source->client)
		client_close(TAKE_PTR(source->client));
	if (r == -ENOENT && opts->socket)
		return error_set(err, ENOENT, EXIT_USAGE, "no daemon answers at %s", opts->socket);
	if (error_is_set(&why))
		log_info("%s; attaching without it", why.text);
	return -EAGAIN;
}

static int source_new(const struct options *opts, struct source **ret)
{
	struct source *source = calloc(1, sizeof(*source));

	if (!source)
		return -ENOMEM;
	source->pid = opts->pid;
	*ret = source;
	return 0;
}

int source_ask(const struct options *opts, struct source **ret, struct error *err)
{
	_cleanup_source_ struct source *source = NULL;
	int r = source_new(opts, &source);

	if (!r)
		r = may_ask(opts) ? ask(opts, source, err) : -EAGAIN;
	if (!r)
		*ret = TAKE_PTR(source);
	return r;
}

int source_open(const struct options *opts, const struct observer_options *how, struct source **ret,
		struct error *err)
{
	_cleanup_source_ struct source *source = NULL;
	int r = source_new(opts, &source);

	if (r)
		return r;
	r = may_ask(opts) ? ask(opts, source, err) : -EAGAIN;
	/* Whatever was wrong with the daemon, attaching does without it, or says what is wrong with
	 * the process. */
	if (r == -EAGAIN)
		r = observer_open(opts->pid, how, &source->obs, err);
	if (!r)
		*ret = TAKE_PTR(source);
	return r;
}

void source_close(struct source *source)
{
	client_closep(&source->client);
	observer_closep(&source->obs);
	picture_freep(&source->first);
	free(source);
}

bool source_is_daemon(const struct source *source)
{
	return source->client;
}

int source_start_events(struct source *source, struct error *err)
{
	return source->obs ? observer_start_events(source->obs, err) : 0;
}

int source_run(struct source *source, uint64_t duration_ns, const volatile bool *stop)
{
	uint64_t end = clock_monotonic() + duration_ns;

	if (source->obs)
		return observer_run(source->obs, duration_ns, stop);
	for (uint64_t now; (now = clock_monotonic()) < end;) {
		struct timespec nap = { .tv_nsec = (long)MIN(end - now, NAP_NS) };

		if (stop && *stop)
			return -EINTR;
		if (kill(source->pid, 0) && errno == ESRCH)
			return -ESRCH;
		nanosleep(&nap, NULL);
	}
	return 0;
}

int source_take(struct source *source, const volatile bool *stop, struct picture **ret,
		struct error *err)
{
	if (source->obs)
		return observer_take(source->obs, stop, ret, err);
	if (source->first) {
		*ret = TAKE_PTR(source->first);
		return 0;
	}
	return client_take(source->client, source->pid, stop, ret, err);
}

static struct source *source_of(struct feed *feed)
{
	return (struct source *)feed; /* its first member */
}

static int feed_start_events(struct feed *feed, struct error *err)
{
	return source_start_events(source_of(feed), err);
}

static int feed_take(struct feed *feed, const volatile bool *stop, struct picture **ret,
		     struct error *err)
{
	return source_take(source_of(feed), stop, ret, err);
}

static bool feed_is_alive(struct feed *feed)
{
	return !source_run(source_of(feed), 0, NULL) &&
	       (!kill(source_of(feed)->pid, 0) || errno != ESRCH);
}

static void feed_close(struct feed *feed)
{
	source_close(source_of(feed));
}

struct feed *source_feed(struct source *source)
{
	static const struct feed_ops ops = {
		.start_events = feed_start_events,
		.take = feed_take,
		.is_alive = feed_is_alive,
		.close = feed_close,
	};

	source->feed.ops = &ops;
	return &source->feed;
}
