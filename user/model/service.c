/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/service.h"

#include "base/util.h"
#include "model/merge.h"
#include "target/children.h"

#include <errno.h>

struct member {
	pid_t pid;
	struct observer *obs; /* NULL: no Python that we support, or it has ended */
	struct picture *pic;  /* the last one; NULL: none yet */
	bool ended, tried;    /* tried: to start its events */
};

struct service {
	struct feed feed;
	pid_t root;
	struct service_options opts;
	bool events;
	struct member members[SERVICE_MEMBERS_MAX];
	size_t count;
	bool full; /* there are more */
};

static struct service *service_of(struct feed *feed)
{
	return (struct service *)feed; /* its first member */
}

static bool service_knows(const struct service *service, pid_t pid)
{
	for (size_t i = 0; i < service->count; i++) {
		if (service->members[i].pid == pid && !service->members[i].ended)
			return true;
	}
	return false;
}

/* A process that is no Python is remembered, so that it is asked only once. */
static int service_add(struct service *service, pid_t pid, struct error *err)
{
	struct member *member = &service->members[service->count];
	int r;

	if (service->count == SERVICE_MEMBERS_MAX) {
		service->full = true;
		return 0;
	}
	*member = (struct member){ .pid = pid };
	r = observer_open(pid, &service->opts.observer, &member->obs, err);
	if (r == -ESRCH || r == -ENOMEM)
		return r;
	service->count++;
	return r;
}

/* Those that are gone make room once they are no part of the picture any more. */
static void service_forget(struct service *service)
{
	size_t kept = 0;

	for (size_t i = 0; i < service->count; i++) {
		struct member *member = &service->members[i];

		if (!member->ended) {
			service->members[kept++] = *member;
			continue;
		}
		observer_closep(&member->obs);
		picture_freep(&member->pic);
	}
	service->count = kept;
}

static int service_find_members(struct service *service)
{
	pid_t pids[4 * SERVICE_MEMBERS_MAX];
	size_t count;
	int r = children_find(service->root, pids, ARRAY_SIZE(pids), &count);

	service->full = false;
	for (size_t i = 0; !r && i < count; i++) {
		if (!service_knows(service, pids[i]))
			r = service_add(service, pids[i], NULL) == -ENOMEM ? -ENOMEM : 0;
	}
	return r;
}

static size_t service_observers(const struct service *service)
{
	size_t n = 0;

	for (size_t i = 0; i < service->count; i++)
		n += service->members[i].obs != NULL;
	return n;
}

/*
 * To attach takes a while, and a service may have many workers: one at a time, between pictures.
 * Where it fails for the first it would for all; one that has none later has no rates, and that is
 * seen.
 */
static int service_start_next(struct service *service, struct error *err)
{
	for (size_t i = 0; i < service->count; i++) {
		struct member *member = &service->members[i];

		if (!member->obs || member->tried)
			continue;
		member->tried = true;
		return observer_start_events(member->obs, err);
	}
	return 0;
}

static int service_start_events(struct feed *feed, struct error *err)
{
	struct service *service = service_of(feed);
	int r = service_start_next(service, err);

	service->events = !r;
	return r;
}

static int service_take_one(struct service *service, struct observer *obs,
			    const volatile bool *stop, struct picture **ret, struct error *err)
{
	_cleanup_picture_ struct picture *pic = NULL;
	int r = observer_take(obs, stop, &pic, err);

	if (!r && service->opts.finish)
		r = service->opts.finish(pic);
	if (!r)
		*ret = TAKE_PTR(pic);
	return r;
}

/* The picture of each that lives; one that ends meanwhile is left out from here on. */
static int service_take_members(struct service *service, const volatile bool *stop,
				struct error *err)
{
	for (size_t i = 0; i < service->count; i++) {
		struct member *member = &service->members[i];
		struct picture *pic = NULL;
		int r;

		if (!member->obs)
			continue;
		r = service_take_one(service, member->obs, stop, &pic, NULL);
		if (r == -EINTR || r == -ENOMEM || r == -EPERM)
			return error_set(err, -r, r == -EPERM ? EXIT_NO_PERMISSION : EXIT_INTERNAL,
					 "cannot read pid %d: %s", member->pid, strerror(-r));
		member->ended = !observer_is_alive(member->obs);
		if (r)
			continue;
		picture_freep(&member->pic);
		member->pic = pic;
	}
	return 0;
}

static int service_list(const struct service *service, struct picture *to)
{
	to->members = calloc(service->count + 1, sizeof(*to->members));
	if (!to->members)
		return -ENOMEM;
	for (size_t i = 0; i < service->count; i++) {
		const struct picture *pic = service->members[i].pic;
		struct picture_member *member = &to->members[to->members_count];

		if (!pic)
			continue;
		*member = (struct picture_member){
			.pid = service->members[i].pid,
			.cmdline = strdup(pic->process.cmdline ? pic->process.cmdline : ""),
			.ended = service->members[i].ended,
			.rss_bytes = pic->memory.whole_rss_bytes,
			.share_bytes = pic->memory.rss_bytes,
			.python_bytes = pic->memory.resident_python_live_bytes,
			.free_bytes = pic->memory.resident_python_free_bytes,
		};
		for (size_t k = 0; k < pic->types_count; k++)
			member->objects += pic->types[k].inuse_objects;
		to->members_count++;
	}
	return 0;
}

static int service_sum(struct service *service, struct picture **ret)
{
	const struct picture *list[SERVICE_MEMBERS_MAX];
	struct picture *sum = NULL;
	size_t count = 0;
	int r;

	for (size_t i = 0; i < service->count; i++) {
		if (service->members[i].pic && !service->members[i].ended)
			list[count++] = service->members[i].pic;
	}
	if (!count)
		return -ESRCH;
	r = merge_pictures(list, count, &sum);
	if (!r)
		r = service_list(service, sum);
	if (!r && service->full)
		r = picture_add_partial(sum, "there are more than %d processes",
					SERVICE_MEMBERS_MAX);
	if (r)
		picture_freep(&sum);
	else
		*ret = sum;
	return r;
}

static int service_take(struct feed *feed, const volatile bool *stop, struct picture **ret,
			struct error *err)
{
	struct service *service = service_of(feed);
	int r;

	if (!service->opts.subprocesses)
		return service_take_one(service, service->members[0].obs, stop, ret, err);
	service_forget(service);
	r = service_find_members(service);
	if (!r && service->events)
		service_start_next(service, NULL);
	if (!r)
		r = service_take_members(service, stop, err);
	if (!r)
		r = service_sum(service, ret);
	if (r == -ESRCH)
		error_set(err, ESRCH, EXIT_NO_PROCESS,
			  "no process of the service at pid %d is left", service->root);
	return r;
}

static bool service_is_alive(struct feed *feed)
{
	const struct service *service = service_of(feed);

	for (size_t i = 0; i < service->count; i++) {
		if (service->members[i].obs && observer_is_alive(service->members[i].obs))
			return true;
	}
	return false;
}

static void service_want_samples(struct feed *feed, uint64_t type, bool values)
{
	struct service *service = service_of(feed);

	if (!service->opts.subprocesses)
		observer_want_samples(service->members[0].obs, type, values);
}

static void service_close(struct feed *feed)
{
	struct service *service = service_of(feed);

	for (size_t i = 0; i < service->count; i++) {
		observer_closep(&service->members[i].obs);
		picture_freep(&service->members[i].pic);
	}
	free(service);
}

static const struct feed_ops ops = {
	.start_events = service_start_events,
	.take = service_take,
	.is_alive = service_is_alive,
	.want_samples = service_want_samples,
	.close = service_close,
};

int service_open(pid_t pid, const struct service_options *opts, struct feed **ret,
		 struct error *err)
{
	struct service *service = calloc(1, sizeof(*service));
	struct error why = { 0 };
	int r;

	if (!service)
		return error_set(err, ENOMEM, EXIT_INTERNAL, "out of memory");
	service->feed.ops = &ops;
	service->root = pid;
	service->opts = *opts;
	service->opts.observer.by_shares = opts->subprocesses;
	r = service_add(service, pid, &why);
	if (opts->subprocesses && r != -ESRCH && r != -ENOMEM && !service_find_members(service) &&
	    service_observers(service))
		r = 0;
	if (r) {
		service_close(&service->feed);
		if (err && !error_is_set(err))
			*err = why;
		return r;
	}
	*ret = &service->feed;
	return 0;
}
