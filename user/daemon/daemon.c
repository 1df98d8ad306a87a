/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/daemon.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "daemon/notify.h"
#include "daemon/rights.h"
#include "daemon/server.h"
#include "probe/links_process.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define TICK_MS 250
/* Of any other malloc_trim() leaves the end alone (malloc/malloc.c, mtrim()): MiB of free memory.
 */
#define MALLOC_ARENAS 1
/*
 * From here on malloc maps a block of its own and gives it back at once, and so much it keeps at
 * the end of the arena. Left alone both grow with the largest block that was ever freed, to 32 and
 * 64 MiB (mallopt(3)).
 */
#define MALLOC_KEPT (128 * 1024)

struct daemon {
	const struct daemon_options *options;
	struct event_base *base;
	struct keeper *keeper;
	struct server *server;
	struct http *http; /* NULL: off */
	struct event *tick, *end[2], *reload;
	int socket_fd, http_fd; /* until they have an owner */
	bool bound;
};

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	keeper_tick(d->keeper);
	server_tick(d->server);
	if (d->http)
		http_tick(d->http);
	if (getenv("WATCHDOG_USEC"))
		notify_send("WATCHDOG=1");
}

static void on_end(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	log_info("ending: %s", strsignal(fd));
	notify_send("STOPPING=1");
	event_base_loopbreak(d->base);
}

static void on_reload(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;
	char state[64];

	/* sd_notify(3): the manager wants to know when it began. */
	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%llu",
		 (unsigned long long)(clock_monotonic() / 1000));
	notify_send(state);
	log_info("looking at every process again");
	keeper_reload(d->keeper);
	notify_send("READY=1");
}

/* What needs the rights of the start. */
static int acquire(struct daemon *d, struct error *err)
{
	const struct daemon_options *o = d->options;
	int r = 0;

	rights_raise_limits();
	if (!o->http.off)
		r = http_listen(&o->http, &d->http_fd, err);
	if (!r)
		r = server_listen(o->socket, &d->socket_fd, err);
	d->bound = !r;
	return r;
}

static int build(struct daemon *d, struct error *err)
{
	const struct daemon_options *o = d->options;
	int r;

	d->base = event_base_new();
	if (!d->base)
		return -ENOMEM;
	r = keeper_new(d->base, &o->keeper, &d->keeper);
	for (size_t i = 0; !r && i < o->pids_count; i++)
		r = keeper_add_pid(d->keeper, o->pids[i], err);
	if (!r)
		r = server_new(d->base, d->keeper, TAKE_FD(d->socket_fd), &d->server);
	if (!r && !o->http.off)
		r = http_new(d->base, d->keeper, TAKE_FD(d->http_fd), &d->http);
	return r;
}

static int schedule(struct daemon *d)
{
	static const int ends[] = { SIGTERM, SIGINT };
	const struct timeval period = { .tv_usec = TICK_MS * 1000 };

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		d->end[i] = evsignal_new(d->base, ends[i], on_end, d);
		if (!d->end[i] || event_add(d->end[i], NULL))
			return -ENOMEM;
	}
	d->reload = evsignal_new(d->base, SIGHUP, on_reload, d);
	if (!d->reload || event_add(d->reload, NULL))
		return -ENOMEM;
	d->tick = event_new(d->base, -1, EV_PERSIST, on_tick, d);
	return !d->tick || event_add(d->tick, &period) ? -ENOMEM : 0;
}

static void free_event(struct event *event)
{
	if (event)
		event_free(event);
}

static void daemon_fini(struct daemon *d)
{
	if (d->http)
		http_free(d->http);
	if (d->server)
		server_free(d->server);
	if (d->keeper)
		keeper_free(d->keeper);
	free_event(d->tick);
	free_event(d->reload);
	for (size_t i = 0; i < ARRAY_SIZE(d->end); i++)
		free_event(d->end[i]);
	if (d->base)
		event_base_free(d->base);
	cleanup_close(&d->socket_fd);
	cleanup_close(&d->http_fd);
	/* Where we have become another user the folder may no longer be ours: the next start clears
	 * it. */
	if (d->bound)
		unlink(d->options->socket);
}

/* A census takes and frees some MiB each time: what is kept of that would be most of the RSS. */
static void bound_malloc(void)
{
	mallopt(M_ARENA_MAX, MALLOC_ARENAS);
	mallopt(M_MMAP_THRESHOLD, MALLOC_KEPT);
	mallopt(M_TRIM_THRESHOLD, MALLOC_KEPT);
}

int daemon_run(const struct daemon_options *options, struct error *err)
{
	cleanup(daemon_fini) struct daemon d = { .options = options,
						 .socket_fd = -1,
						 .http_fd = -1 };
	bool probes = options->keeper.observer.events != OBSERVER_EVENTS_OFF;
	int r = acquire(&d, err);

	if (!r)
		r = rights_drop(options->user, probes, err);
	if (r)
		return r;
	/* Now it is small. What fails is tried again, and then said. */
	if (probes)
		(void)links_process_start();
	r = rights_settle(err);
	if (r)
		return r;
	bound_malloc();
	r = build(&d, err);
	if (!r)
		r = schedule(&d);
	if (r)
		return error_set(err, -r, EXIT_INTERNAL, "cannot start: %s", strerror(-r));
	log_info("serving on %s with %s", options->socket, rights_describe());
	notify_send("READY=1");
	on_tick(-1, 0, &d);
	return event_base_dispatch(d.base) < 0
		       ? error_set(err, EIO, EXIT_INTERNAL, "the event loop failed")
		       : 0;
}
