/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/threads.h"

#include "base/clock.h"
#include "base/util.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>

#define LIFE_NS (10 * NSEC_PER_SEC)

struct queue {
	struct threads_job *first, *last;
};

struct threads {
	pthread_mutex_t lock;
	pthread_cond_t work, ended;
	struct queue waiting, finished;
	struct threads_job *running[THREADS_STUCK_MAX * 2]; /* of the slots in use */
	size_t wanted, alive, stuck;
	bool stop;
	int wake_fd;
	struct event *wake;
};

static void queue_push(struct queue *q, struct threads_job *job)
{
	job->next = NULL;
	if (q->last)
		q->last->next = job;
	else
		q->first = job;
	q->last = job;
}

static struct threads_job *queue_pop(struct queue *q)
{
	struct threads_job *job = q->first;

	if (job)
		q->first = job->next;
	if (!q->first)
		q->last = NULL;
	return job;
}

static size_t slot_of(struct threads *threads, const struct threads_job *job)
{
	for (size_t i = 0; i < ARRAY_SIZE(threads->running); i++) {
		if (threads->running[i] == job)
			return i;
	}
	return ARRAY_SIZE(threads->running);
}

/* One job, with the lock held around it. False where this thread is one too many now. */
static bool run_one(struct threads *threads, struct threads_job *job)
{
	size_t slot = slot_of(threads, NULL);
	uint64_t one = 1;

	threads->running[slot] = job;
	job->started = clock_monotonic();
	job->stuck = false;
	pthread_mutex_unlock(&threads->lock);
	job->run(job);
	pthread_mutex_lock(&threads->lock);
	threads->running[slot] = NULL;
	if (job->stuck)
		threads->stuck--;
	queue_push(&threads->finished, job);
	if (write(threads->wake_fd, &one, sizeof(one)) < 0)
		return true; /* the counter is full: the loop is awake anyway */
	return threads->alive <= threads->wanted + threads->stuck;
}

static int add_thread(struct threads *threads);

/* With the lock held, also on return. */
static void wait_for_work(struct threads *threads, uint64_t until_ns)
{
	struct timespec until = {
		.tv_sec = (time_t)(until_ns / NSEC_PER_SEC),
		.tv_nsec = (long)(until_ns % NSEC_PER_SEC),
	};

	pthread_cond_clockwait(&threads->work, &threads->lock, CLOCK_MONOTONIC, &until);
}

/*
 * Another takes its place when it has lived for a while: malloc keeps up to 448 freed blocks for
 * each thread (tcache, malloc/malloc.c of glibc), here and there on pages that would go back to the
 * kernel but for them, and lets go of them with the thread.
 */
static void *thread_main(void *arg)
{
	struct threads *threads = arg;
	uint64_t until = clock_monotonic() + LIFE_NS;
	bool needed = true;

	pthread_mutex_lock(&threads->lock);
	while (needed && !threads->stop) {
		struct threads_job *job = queue_pop(&threads->waiting);

		if (job)
			needed = run_one(threads, job);
		else
			wait_for_work(threads, until);
		if (needed && !threads->stop && clock_monotonic() >= until) {
			needed = add_thread(threads);
			until = clock_monotonic() + LIFE_NS;
		}
	}
	threads->alive--;
	pthread_cond_signal(&threads->ended);
	pthread_mutex_unlock(&threads->lock);
	return NULL;
}

/* With the lock held. */
static int add_thread(struct threads *threads)
{
	sigset_t all, old;
	pthread_attr_t attr;
	pthread_t id;
	int r;

	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = -pthread_create(&id, &attr, thread_main, threads);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (!r)
		threads->alive++;
	return r;
}

/* In the loop: hands back what is finished. */
static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct threads *threads = arg;
	struct queue finished;
	struct threads_job *job;
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0)
		return;
	pthread_mutex_lock(&threads->lock);
	finished = threads->finished;
	threads->finished = (struct queue){ 0 };
	pthread_mutex_unlock(&threads->lock);
	while ((job = queue_pop(&finished)))
		job->done(job);
}

int threads_new(struct event_base *base, size_t count, struct threads **ret)
{
	struct threads *threads = calloc(1, sizeof(*threads));
	pthread_condattr_t attr;
	int r = 0;

	if (!threads)
		return -ENOMEM;
	pthread_mutex_init(&threads->lock, NULL);
	pthread_cond_init(&threads->work, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&threads->ended, &attr);
	pthread_condattr_destroy(&attr);
	threads->wanted = MIN(count, (size_t)THREADS_STUCK_MAX);
	threads->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	threads->wake = event_new(base, threads->wake_fd, EV_READ | EV_PERSIST, on_wake, threads);
	if (threads->wake_fd < 0 || !threads->wake || event_add(threads->wake, NULL))
		r = -ENOMEM;
	pthread_mutex_lock(&threads->lock);
	while (!r && threads->alive < threads->wanted)
		r = add_thread(threads);
	pthread_mutex_unlock(&threads->lock);
	if (r) {
		threads_stop(threads, NSEC_PER_SEC);
		threads_free(threads);
		return r;
	}
	*ret = threads;
	return 0;
}

void threads_submit(struct threads *threads, struct threads_job *job)
{
	job->started = 0;
	job->stuck = false;
	pthread_mutex_lock(&threads->lock);
	queue_push(&threads->waiting, job);
	pthread_cond_signal(&threads->work);
	pthread_mutex_unlock(&threads->lock);
}

size_t threads_check(struct threads *threads, uint64_t limit_ns,
		     void (*found)(struct threads_job *job, void *arg), void *arg)
{
	struct threads_job *news[ARRAY_SIZE(threads->running)];
	uint64_t now = clock_monotonic();
	size_t count = 0, stuck;

	pthread_mutex_lock(&threads->lock);
	for (size_t i = 0; i < ARRAY_SIZE(threads->running); i++) {
		struct threads_job *job = threads->running[i];

		if (!job || job->stuck || now - job->started < limit_ns ||
		    threads->stuck >= THREADS_STUCK_MAX)
			continue;
		job->stuck = true;
		threads->stuck++;
		news[count++] = job;
		add_thread(threads);
	}
	stuck = threads->stuck;
	pthread_mutex_unlock(&threads->lock);
	/* Only told of here, in the thread where @done comes too: they are all still there. */
	for (size_t i = 0; found && i < count; i++)
		found(news[i], arg);
	return stuck;
}

bool threads_stop(struct threads *threads, uint64_t wait_ns)
{
	uint64_t until = clock_monotonic() + wait_ns;
	struct timespec deadline = {
		.tv_sec = (time_t)(until / NSEC_PER_SEC),
		.tv_nsec = (long)(until % NSEC_PER_SEC),
	};
	bool empty;

	pthread_mutex_lock(&threads->lock);
	threads->stop = true;
	threads->waiting = (struct queue){ 0 };
	pthread_cond_broadcast(&threads->work);
	while (threads->alive &&
	       !pthread_cond_timedwait(&threads->ended, &threads->lock, &deadline))
		;
	empty = !threads->alive;
	pthread_mutex_unlock(&threads->lock);
	return empty;
}

void threads_free(struct threads *threads)
{
	if (threads->wake)
		event_free(threads->wake);
	cleanup_close(&threads->wake_fd);
	pthread_cond_destroy(&threads->ended);
	pthread_cond_destroy(&threads->work);
	pthread_mutex_destroy(&threads->lock);
	free(threads);
}
