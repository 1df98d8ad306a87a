/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/server.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "daemon/protocol.h"

#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* What waits for a client to read it, over all clients. */
#define OUTPUT_MAX (64 * MiB)
/* How long a client may take to read an answer, wait for one, and say nothing. */
#define SEND_LIMIT (30 * NSEC_PER_SEC)
#define ANSWER_LIMIT (60 * NSEC_PER_SEC)
#define IDLE_LIMIT (300 * NSEC_PER_SEC)

struct client {
	struct server *server;
	struct bufferevent *bev;
	struct access_peer peer;
	struct protocol_request request; /* that is being answered, or the subscription */
	bool waiting;			 /* for a snapshot */
	bool subscribed;
	bool ended;		     /* it says no more, but may still read */
	uint64_t due;		     /* of the subscription */
	uint64_t heard, asked, sent; /* monotonic; sent: when the output became more than nothing;
					0: it is empty */
	struct client *next;
};

struct server {
	struct keeper *keeper;
	struct evconnlistener *listener;
	struct client *clients;
};

/* ---- clients come and go -----------------------------------------------------------------------
 */

static void client_free(struct client *client)
{
	struct client **at = &client->server->clients;

	while (*at != client)
		at = &(*at)->next;
	*at = client->next;
	keeper_cancel(client->server->keeper, client);
	bufferevent_free(client->bev);
	free(client);
}

static size_t output_len(const struct client *client)
{
	return evbuffer_get_length(bufferevent_get_output(client->bev));
}

static size_t count_clients(const struct server *server, const struct access_peer *peer)
{
	size_t count = 0;

	for (const struct client *c = server->clients; c; c = c->next)
		count += !peer || c->peer.uid == peer->uid;
	return count;
}

/* ---- answers -----------------------------------------------------------------------------------
 */

static size_t all_output(const struct server *server)
{
	size_t sum = 0;

	for (const struct client *c = server->clients; c; c = c->next)
		sum += output_len(c);
	return sum;
}

/* @line is freed; NULL for what there was no memory for. */
static void send_line(struct client *client, char *line)
{
	if (line && !client->sent)
		client->sent = clock_monotonic();
	if (line)
		bufferevent_write(client->bev, line, strlen(line));
	free(line);
}

static void send_error(struct client *client, enum protocol_op op, const struct error *err)
{
	send_line(client, protocol_error(op, err));
}

static void send_list(struct client *client)
{
	struct keeper *keeper = client->server->keeper;
	_cleanup_free_ struct protocol_process *list = calloc(WATCH_MAX, sizeof(*list));
	struct watch *watch = NULL;
	size_t count = 0;

	while (list && (watch = keeper_next(keeper, watch, &client->peer))) {
		const struct visit_facts *facts = &watch->shown;
		const struct labels *labels = &watch->visit.labels;

		list[count++] = (struct protocol_process){
			.pid = watch->pid,
			.uid = watch->uid,
			.service = labels->service,
			.pod = *labels->pod ? labels->pod : NULL,
			.container = *labels->container ? labels->container : NULL,
			.version = *facts->version ? facts->version : NULL,
			.cmdline = *facts->cmdline ? facts->cmdline : NULL,
			.up = watch->up,
			.error = *watch->last_error ? watch->last_error : NULL,
			.events_error = *facts->events_error ? facts->events_error : NULL,
			.rss_bytes = facts->rss_bytes,
			.inuse_bytes = facts->inuse_bytes,
			.taken_at_unix_ns = facts->taken_at_unix_ns,
		};
	}
	send_line(client, list ? protocol_list(list, count) : NULL);
}

static void send_metrics(struct client *client)
{
	struct evbuffer *text = evbuffer_new();
	enum openmetrics_format format = client->request.format;

	if (text && !keeper_write_metrics(client->server->keeper, format, &client->peer, text) &&
	    !evbuffer_add(text, "", 1))
		send_line(client,
			  protocol_metrics((const char *)evbuffer_pullup(text, -1), format));
	if (text)
		evbuffer_free(text);
}

/* The same for what is not there and what is not theirs: nobody learns which processes there are.
 */
static void refuse(struct client *client)
{
	struct error err = { 0 };

	error_set(&err, ESRCH, EXIT_NO_PROCESS, "no process %d is served here for user %u",
		  client->request.pid, client->peer.uid);
	send_error(client, client->request.op, &err);
	client->subscribed = false;
}

static void ask_snapshot(struct client *client)
{
	struct keeper *keeper = client->server->keeper;
	struct watch *watch = keeper_find(keeper, client->request.pid, &client->peer);
	struct visit_render *render = watch ? calloc(1, sizeof(*render)) : NULL;

	if (!render) {
		refuse(client);
		return;
	}
	render->owner = client;
	render->sort = client->request.sort;
	render->limit = client->request.limit;
	client->waiting = true;
	client->asked = clock_monotonic();
	/* What it says meanwhile stays in the kernel's buffer. */
	if (!client->subscribed)
		bufferevent_disable(client->bev, EV_READ);
	keeper_request(keeper, watch, render);
}

static void free_render(const void *data, size_t len, void *arg)
{
	visit_render_free(arg);
}

static void send_render(struct client *client, struct visit_render *render)
{
	struct error busy = { 0 };

	if (render->text && all_output(client->server) + render->len > OUTPUT_MAX) {
		error_set(&busy, EBUSY, EXIT_INTERNAL,
			  "too many clients are slow to read: try again later");
		send_error(client, client->request.op, &busy);
	} else if (render->text) {
		if (!client->sent)
			client->sent = clock_monotonic();
		if (!evbuffer_add_reference(bufferevent_get_output(client->bev), render->text,
					    render->len, free_render, render))
			return;
	} else {
		send_error(client, client->request.op, &render->error);
		if (render->error.exit_code == EXIT_NO_PROCESS)
			client->subscribed = false;
	}
	visit_render_free(render);
}

static void serve_lines(struct client *client);
static void client_end(struct client *client);

static void on_delivered(void *arg, struct watch *watch, struct visit_render *render)
{
	struct client *client = render->owner;
	const struct process *proc = watch->visit.proc;

	client->waiting = false;
	client->heard = clock_monotonic();
	bufferevent_enable(client->bev, EV_READ);
	/* It may have become another user's meanwhile. A process that has ended can no longer be
	 * asked. */
	if (render->text && !(proc && access_allows(&client->peer, proc))) {
		visit_render_free(render);
		refuse(client);
	} else {
		send_render(client, render);
	}
	serve_lines(client);
	client_end(client);
}

/* ---- requests ----------------------------------------------------------------------------------
 */

static void subscribe(struct client *client)
{
	if (!client->request.interval_ms)
		client->request.interval_ms = 2000;
	client->subscribed = true;
	client->due = clock_monotonic() + client->request.interval_ms * NSEC_PER_MSEC;
	ask_snapshot(client);
}

static void answer(struct client *client)
{
	size_t up = 0, down = 0;

	switch (client->request.op) {
	case PROTOCOL_HELLO:
		/* How many there are is root's to know. */
		if (client->peer.uid == 0)
			keeper_count(client->server->keeper, &up, &down);
		send_line(client, protocol_hello(up, down));
		break;
	case PROTOCOL_LIST:
		send_list(client);
		break;
	case PROTOCOL_METRICS:
		send_metrics(client);
		break;
	case PROTOCOL_SNAPSHOT:
		ask_snapshot(client);
		break;
	case PROTOCOL_SUBSCRIBE:
		subscribe(client);
		break;
	default:
		send_line(client, protocol_done(PROTOCOL_UNSUBSCRIBE));
		break;
	}
}

static void serve_line(struct client *client, const char *line, size_t len)
{
	struct protocol_request request;
	struct error err = { 0 };

	client->heard = clock_monotonic();
	if (protocol_parse(line, len, &request, &err)) {
		send_error(client, PROTOCOL_OPS_COUNT, &err);
		return;
	}
	client->subscribed = false;
	client->request = request;
	answer(client);
}

/* As many as can be answered at once. What a client does not read, it is not answered more than. */
static void serve_lines(struct client *client)
{
	struct evbuffer *input = bufferevent_get_input(client->bev);

	while (!client->waiting && !output_len(client)) {
		size_t len;
		_cleanup_free_ char *line = evbuffer_readln(input, &len, EVBUFFER_EOL_LF);

		if (!line)
			break;
		serve_line(client, line, len);
	}
	/* A line that fills all there is room for will never end. */
	if (evbuffer_get_length(input) >= PROTOCOL_REQUEST_MAX &&
	    evbuffer_search_eol(input, NULL, NULL, EVBUFFER_EOL_LF).pos < 0)
		client->heard = 0; /* cut off at the next tick */
}

/* Frees a client that has said and got all. */
static void client_end(struct client *client)
{
	if (client->ended && !client->waiting && !client->subscribed && !output_len(client))
		client_free(client);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	serve_lines(arg);
}

/* All is sent. */
static void on_written(struct bufferevent *bev, void *arg)
{
	struct client *client = arg;

	client->sent = 0;
	serve_lines(client);
	client_end(client);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct client *client = arg;

	if (what & (BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT)) {
		client_free(client);
	} else if (what & BEV_EVENT_EOF) {
		client->ended = true;
		client->subscribed = false;
		client_end(client);
	}
}

/* ---- connections -------------------------------------------------------------------------------
 */

static void on_accepted(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *addr,
			int len, void *arg)
{
	struct server *server = arg;
	struct client *client = calloc(1, sizeof(*client));

	if (!client || access_read_peer(fd, &client->peer) ||
	    count_clients(server, NULL) >= SERVER_CLIENTS_MAX ||
	    (client->peer.uid && count_clients(server, &client->peer) >= SERVER_CLIENTS_PER_USER)) {
		free(client);
		close(fd);
		return;
	}
	client->server = server;
	client->bev = bufferevent_socket_new(evconnlistener_get_base(listener), fd,
					     BEV_OPT_CLOSE_ON_FREE);
	if (!client->bev) {
		free(client);
		close(fd);
		return;
	}
	client->heard = clock_monotonic();
	client->next = server->clients;
	server->clients = client;
	bufferevent_setcb(client->bev, on_read, on_written, on_event, client);
	bufferevent_setwatermark(client->bev, EV_READ, 0, PROTOCOL_REQUEST_MAX);
	bufferevent_enable(client->bev, EV_READ | EV_WRITE);
}

/* True where somebody answers at @addr. */
static bool is_served(const struct sockaddr_un *addr)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd >= 0 &&
	       (!connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) || errno == EAGAIN);
}

/* The folder of the default path is in /run, which is empty after each start of the machine. */
static void make_folder(const char *path)
{
	_cleanup_free_ char *folder = strdup(path);
	char *slash = folder ? strrchr(folder, '/') : NULL;

	if (!slash || slash == folder)
		return;
	*slash = '\0';
	mkdir(folder, 0755);
}

int server_listen(const char *path, int *ret_fd, struct error *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;
	mode_t mask;
	int r;

	if (strlen(path) >= sizeof(addr.sun_path))
		return error_set(err, ENAMETOOLONG, EXIT_USAGE,
				 "--socket: a path of a socket has at most %zu bytes",
				 sizeof(addr.sun_path) - 1);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	make_folder(path);
	if (fd >= 0 && !lstat(path, &st) && S_ISSOCK(st.st_mode)) {
		if (is_served(&addr))
			return error_set(err, EADDRINUSE, EXIT_USAGE,
					 "%s: a daemon serves it already; give another --socket",
					 path);
		unlink(path);
	}
	/* Anybody may connect: credentials say what they see. */
	mask = umask(0111);
	r = fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, SOMAXCONN)
		    ? -errno
		    : 0;
	umask(mask);
	if (r)
		return error_set(err, -r, r == -EACCES ? EXIT_NO_PERMISSION : EXIT_INTERNAL,
				 "cannot listen on %s: %s", path, strerror(-r));
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int server_new(struct event_base *base, struct keeper *keeper, int fd, struct server **ret)
{
	struct server *server = calloc(1, sizeof(*server));

	if (server)
		server->listener = evconnlistener_new(base, on_accepted, server,
						      LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC,
						      0, fd);
	if (!server || !server->listener) {
		free(server);
		close(fd);
		return -ENOMEM;
	}
	server->keeper = keeper;
	keeper_set_deliver(keeper, on_delivered, server);
	*ret = server;
	return 0;
}

static bool is_late(uint64_t since, uint64_t limit, uint64_t now)
{
	return since && now > since + limit;
}

static bool is_to_be_cut_off(const struct client *client, uint64_t now)
{
	if (!client->heard || is_late(client->sent, SEND_LIMIT, now))
		return true;
	if (client->waiting)
		return is_late(client->asked, ANSWER_LIMIT, now);
	return !client->subscribed && is_late(client->heard, IDLE_LIMIT, now);
}

void server_tick(struct server *server)
{
	uint64_t now = clock_monotonic();
	struct client *next;

	for (struct client *c = server->clients; c; c = next) {
		next = c->next;
		if (is_to_be_cut_off(c, now)) {
			log_info("a client of user %u is cut off", c->peer.uid);
			client_free(c);
			continue;
		}
		/* Who has not read the last one is not sent the next. */
		if (!c->subscribed || c->waiting || now < c->due || output_len(c))
			continue;
		c->due = MAX(c->due + c->request.interval_ms * NSEC_PER_MSEC, now);
		ask_snapshot(c);
	}
}

void server_free(struct server *server)
{
	while (server->clients)
		client_free(server->clients);
	evconnlistener_free(server->listener);
	free(server);
}
