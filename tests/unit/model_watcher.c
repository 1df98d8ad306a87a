/* SPDX-License-Identifier: BSD-2-Clause */
/* With a feed made up for the test. */
#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "model/watcher.h"

struct fake {
	struct feed feed;
	int events_result; /* of start_events */
	int lives;	   /* pictures until it ends; negative: for ever */
	bool stuck;	   /* a census lasts until it is stopped */
	double cpu_ms;	   /* what each picture costs */
	_Atomic uint64_t wanted;
	_Atomic bool closed;
	_Atomic int taken;
};

static int fake_start_events(struct feed *feed, struct error *err)
{
	int r = ((struct fake *)feed)->events_result;

	return r ? error_set(err, -r, EXIT_NO_PERMISSION, "no probes here") : 0;
}

static int fake_take(struct feed *feed, const volatile bool *stop, struct picture **ret,
		     struct error *err)
{
	struct fake *fake = (struct fake *)feed;

	while (fake->stuck && !*stop)
		usleep(1000);
	if (*stop)
		return -EINTR;
	if (!fake->lives)
		return error_set(err, ESRCH, EXIT_NO_PROCESS, "it has ended");
	fake->lives--;
	fake->taken++;
	*ret = picture_new();
	(*ret)->process.pid = fake->taken;
	(*ret)->samples.type = fake->wanted;
	(*ret)->census.cpu_ms = fake->cpu_ms;
	return 0;
}

static bool fake_is_alive(struct feed *feed)
{
	return ((struct fake *)feed)->lives != 0;
}

static void fake_want_samples(struct feed *feed, uint64_t type, bool values)
{
	((struct fake *)feed)->wanted = type;
}

static void fake_close(struct feed *feed)
{
	((struct fake *)feed)->closed = true;
}

static const struct feed_ops ops = {
	.start_events = fake_start_events,
	.take = fake_take,
	.is_alive = fake_is_alive,
	.want_samples = fake_want_samples,
	.close = fake_close,
};

static struct watcher *start(struct fake *fake, const struct watcher_options *opts)
{
	struct watcher *watcher = NULL;

	fake->feed.ops = &ops;
	assert_int_equal(watcher_new(&fake->feed, opts, &watcher), 0);
	return watcher;
}

static struct picture *wait_picture(struct watcher *watcher)
{
	struct picture *pic = NULL;

	for (int i = 0; i < 50 && !pic; i++) {
		struct pollfd ready = { .fd = watcher_fd(watcher), .events = POLLIN };

		poll(&ready, 1, 100);
		pic = watcher_take(watcher);
	}
	assert_non_null(pic);
	return pic;
}

static struct watcher_status wait_phase(struct watcher *watcher, enum watcher_phase phase)
{
	struct watcher_status status;

	watcher_status(watcher, &status);
	for (int i = 0; i < 500 && status.phase != phase; i++) {
		usleep(10000);
		watcher_status(watcher, &status);
	}
	assert_int_equal(status.phase, phase);
	return status;
}

static void pictures_come(void **state)
{
	const struct watcher_options opts = { .interval_ns = 10000000 };
	struct fake fake = { .lives = -1 };
	struct watcher *watcher = start(&fake, &opts);

	for (int i = 0; i < 3; i++)
		picture_free(wait_picture(watcher));
	wait_phase(watcher, WATCHER_RUNNING);
	watcher_free(watcher);
	assert_true(fake.closed);
	assert_true(fake.taken >= 3);
}

static void a_dear_picture_is_paid_for(void **state)
{
	const struct watcher_options opts = { .interval_ns = 10000000, .max_cpu = 0.1 };
	struct fake fake = { .lives = -1, .cpu_ms = 600000 };
	struct watcher *watcher = start(&fake, &opts);
	struct picture *pic = wait_picture(watcher);

	assert_float_equal(pic->census.interval_ms, 6000000, 1);
	picture_free(pic);
	wait_phase(watcher, WATCHER_RUNNING);
	usleep(300000);
	assert_int_equal(fake.taken, 1);
	/* Who asks for samples is not kept waiting. */
	watcher_want_samples(watcher, 7, false);
	picture_free(wait_picture(watcher));
	watcher_free(watcher);
}

static void the_end_of_the_target(void **state)
{
	const struct watcher_options opts = { .interval_ns = 10000000 };
	struct fake fake = { .lives = 2 };
	struct watcher *watcher = start(&fake, &opts);
	struct picture *pic;

	wait_phase(watcher, WATCHER_ENDED);
	pic = watcher_take(watcher);
	assert_non_null(pic); /* the last data stay */
	picture_free(pic);
	watcher_free(watcher);
}

static void nothing_was_read(void **state)
{
	const struct watcher_options opts = { .interval_ns = 10000000 };
	struct fake fake = { .lives = 0 };
	struct watcher *watcher = start(&fake, &opts);
	struct watcher_status status = wait_phase(watcher, WATCHER_FAILED);

	assert_int_equal(status.error.exit_code, EXIT_NO_PROCESS);
	watcher_free(watcher);
}

static void events_that_cannot_be_had(void **state)
{
	struct watcher_options opts = { .interval_ns = 10000000, .events = true };
	struct fake fake = { .lives = -1, .events_result = -EPERM };
	struct watcher *watcher = start(&fake, &opts);
	struct watcher_status status = wait_phase(watcher, WATCHER_RUNNING);

	assert_string_equal(status.events.text, "no probes here");
	watcher_free(watcher);

	opts.events_required = true;
	watcher = start(&fake, &opts);
	status = wait_phase(watcher, WATCHER_FAILED);
	assert_int_equal(status.error.exit_code, EXIT_NO_PERMISSION);
	watcher_free(watcher);
}

static void samples_come_at_once(void **state)
{
	const struct watcher_options opts = { .interval_ns = 3600000000000 };
	struct fake fake = { .lives = -1 };
	struct watcher *watcher = start(&fake, &opts);
	struct picture *pic;

	picture_free(wait_picture(watcher));
	watcher_want_samples(watcher, 0x1234, false);
	pic = wait_picture(watcher);
	assert_int_equal(pic->samples.type, 0x1234);
	picture_free(pic);
	watcher_free(watcher);
}

static void ends_within_a_census(void **state)
{
	const struct watcher_options opts = { .interval_ns = 10000000 };
	struct fake fake = { .lives = -1, .stuck = true };
	struct watcher *watcher = start(&fake, &opts);

	usleep(20000);
	watcher_free(watcher);
	assert_true(fake.closed);
	assert_int_equal(fake.taken, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pictures_come),
		cmocka_unit_test(a_dear_picture_is_paid_for),
		cmocka_unit_test(the_end_of_the_target),
		cmocka_unit_test(nothing_was_read),
		cmocka_unit_test(events_that_cannot_be_had),
		cmocka_unit_test(samples_come_at_once),
		cmocka_unit_test(ends_within_a_census),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
