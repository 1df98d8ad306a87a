/* SPDX-License-Identifier: BSD-2-Clause */
#include "tui/tui.h"

#include "base/clock.h"
#include "base/format.h"
#include "base/util.h"
#include "tui/keys.h"
#include "tui/screen.h"
#include "view/json.h"

#include <errno.h>
#include <fcntl.h>

/* The age of the picture is shown in seconds. */
#define TICK_MS 1000

struct tui {
	const struct tui_options *opts;
	struct display *display;
	struct watcher *watcher;
	struct state state;
	uint64_t end;
	bool quit;
};

/* To take probes away takes a moment, and longer while they are being placed: not on the user's
 * time. */
static void tui_fini(struct tui *tui)
{
	display_leave(tui->display);
	if (tui->opts->leaving)
		tui->opts->leaving();
	watcher_freep(&tui->watcher);
	state_fini(&tui->state);
}

static int draw(struct tui *tui)
{
	_cleanup_canvas_ struct canvas canvas = { 0 };
	int r = display_canvas(tui->display, &canvas);

	if (!r)
		r = screen_draw(&canvas, &tui->state, clock_monotonic());
	if (!r)
		display_show(tui->display, &canvas);
	return r;
}

/* "pymemtop-4242-20260101T000000Z.json", in the directory that the user is in. */
static void name_snapshot(const struct picture *pic, unsigned int attempt, char *buf, size_t cap)
{
	char stamp[32], suffix[16] = "";
	size_t n = 0;

	format_timestamp(stamp, pic->taken_at_unix_ns);
	for (size_t i = 0; stamp[i] && stamp[i] != '.'; i++) {
		if (!strchr("-:", stamp[i]))
			stamp[n++] = stamp[i];
	}
	stamp[n] = '\0';
	if (attempt)
		snprintf(suffix, sizeof(suffix), "-%u", attempt + 1);
	snprintf(buf, cap, "pymemtop-%d-%sZ%s.json", pic->process.pid, stamp, suffix);
}

/* Never onto a file that is there, nor through a link. */
static int create_snapshot(const struct picture *pic, char *name, size_t cap)
{
	int fd = -1;

	for (unsigned int attempt = 0; attempt < 100; attempt++) {
		name_snapshot(pic, attempt, name, cap);
		fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
		if (fd >= 0 || errno != EEXIST)
			break;
	}
	return fd < 0 ? -errno : fd;
}

static int write_picture(int fd, const struct picture *pic)
{
	FILE *file = fdopen(fd, "w");
	int r;

	if (!file) {
		close(fd);
		return -errno;
	}
	r = json_write_picture(file, pic, NULL, JSON_STYLE_ROWS);
	if (fclose(file) && !r)
		r = -errno;
	return r;
}

static void write_snapshot(struct tui *tui)
{
	const struct picture *pic = tui->state.shown;
	uint64_t now = clock_monotonic();
	char name[96];
	int fd, r;

	if (!pic)
		return;
	fd = create_snapshot(pic, name, sizeof(name));
	r = fd < 0 ? fd : write_picture(fd, pic);
	if (!r) {
		state_say(&tui->state, now, "wrote %s", name);
		return;
	}
	if (fd >= 0)
		unlink(name);
	state_say(&tui->state, now, "cannot write %s: %s", name, strerror(-r));
}

static void act(struct tui *tui, unsigned int effects)
{
	struct state *state = &tui->state;

	tui->quit |= effects & KEYS_DO_QUIT;
	if (effects & KEYS_DO_WRITE)
		write_snapshot(tui);
	if (effects & KEYS_DO_INTERVAL)
		watcher_set_interval(tui->watcher, state->interval_ns);
	if (effects & KEYS_DO_SAMPLES)
		watcher_want_samples(tui->watcher,
				     state->screen == STATE_TYPE ? state->opened.address : 0,
				     tui->opts->values);
}

static void press_keys(struct tui *tui)
{
	int key;

	while (!tui->quit && (key = display_key(tui->display)) != KEYS_NONE)
		act(tui, keys_press(&tui->state, key, clock_monotonic()));
}

/* Events come with the second picture: the first does not wait for them. */
static bool is_starting(const struct tui *tui, const struct watcher_status *status)
{
	const struct picture *pic = tui->state.shown;

	if (status->phase != WATCHER_RUNNING)
		return status->phase == WATCHER_STARTING;
	/* A daemon's events are as they are: nothing starts here. */
	if (tui->state.no_samples && pic && !pic->members_count)
		return false;
	return tui->opts->watcher.events && !error_is_set(&status->events) && pic &&
	       pic->events.mode && streq(pic->events.mode, "off");
}

/* When the census began, on the clock that the view goes by. */
static uint64_t taken_at(const struct picture *pic, uint64_t now)
{
	uint64_t real = clock_realtime();
	uint64_t age = real - MIN(pic->taken_at_unix_ns, real);

	return now - MIN(age, now);
}

/* What the watcher has for us. */
static int receive(struct tui *tui, struct error *err)
{
	struct picture *pic = watcher_take(tui->watcher);
	struct watcher_status status;
	int r = pic ? state_feed(&tui->state, pic, taken_at(pic, clock_monotonic())) : 0;

	watcher_status(tui->watcher, &status);
	tui->state.starting = is_starting(tui, &status);
	tui->state.ended = status.phase == WATCHER_ENDED;
	if (error_is_set(&status.events))
		snprintf(tui->state.note, sizeof(tui->state.note), "no rates: %s",
			 status.events.text);
	if (status.phase == WATCHER_FAILED) {
		*err = status.error;
		return error_is_set(err) ? -EIO
					 : error_set(err, EIO, EXIT_INTERNAL, "the census failed");
	}
	return r;
}

static int loop(struct tui *tui, struct error *err)
{
	int r = 0;

	while (!r && !tui->quit && !*tui->opts->stop && clock_monotonic() < tui->end) {
		r = draw(tui);
		if (!r && display_wait(tui->display, watcher_fd(tui->watcher), TICK_MS))
			return 0; /* the terminal is gone, and with it who asked */
		press_keys(tui);
		if (!r)
			r = receive(tui, err);
	}
	return r;
}

int tui_run(struct display *display, struct feed *feed, const struct tui_options *opts,
	    struct error *err)
{
	cleanup(tui_fini) struct tui tui = { .opts = opts, .display = display, .end = UINT64_MAX };
	int r = watcher_new(feed, &opts->watcher, &tui.watcher);

	if (!r)
		r = state_init(&tui.state);
	if (r)
		return error_set(err, -r, EXIT_INTERNAL, "cannot begin to watch: %s", strerror(-r));
	tui.state.interval_ns = opts->watcher.interval_ns;
	tui.state.no_samples = !watcher_has_samples(tui.watcher);
	tui.state.limit = opts->limit;
	tui.state.starting = true;
	state_set_sort(&tui.state, opts->sort, false);
	state_set_filter(&tui.state, opts->filter ? opts->filter : "");
	if (opts->duration_ns)
		tui.end = clock_monotonic() + opts->duration_ns;
	return loop(&tui, err);
}
